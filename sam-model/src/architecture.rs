//! The table of networks that have a name.

use crate::{Description, DescriptionError, LeNet, Mlp, ResNet, Shape, WideResNet, zoo::Family};
use core::{error::Error, fmt, str::FromStr};

/// Makes the table of families, one row each: what there is to parse, to display and to describe.
macro_rules! families {
    ($($family:ident, $names:literal, $summary:literal;)+) => {
        /// A network that has a name: one of a family, by its size.
        ///
        /// | text | network |
        /// |---|---|
        $(#[doc = concat!("| ", $names, " | ", $summary, " |")])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Architecture {
            $(
                #[doc = $summary]
                $family($family),
            )+
        }

        /// What names there are, family by family.
        const NAMES: &[&str] = &[$($family::NAMES),+];

        impl Architecture {
            /// Describes the network for images of shape `image` and `classes` classes.
            ///
            /// # Errors
            /// When the image is too small for the network, or there are fewer than 2 classes or more than 65,536.
            pub fn describe(&self, image: Shape, classes: usize) -> Result<Description, DescriptionError> {
                Description::new(image, classes, |graph| match self {
                    $(Self::$family(network) => network.describe(classes, graph),)+
                })
            }
        }

        impl FromStr for Architecture {
            type Err = ParseArchitectureError;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                None$(.or_else(|| $family::parse(name).map(Self::$family)))+.ok_or(ParseArchitectureError)
            }
        }

        impl fmt::Display for Architecture {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$family(network) => network.fmt(f),)+
                }
            }
        }
    };
}

families! {
    Mlp, "`mlp`, `mlp-128-64`",
        "Dense layers with ReLU; hidden sizes 256 and 128, or those given (1 to 8 of them).";
    LeNet, "`lenet`",
        "Conv 32, max-pool, conv 64, max-pool (3x3 filters), dense 128: a LeNet (LeCun et al. 1998) of today.";
    ResNet, "`resnet-D`",
        "He et al. 2016, section 4.2: 6n+2 layers of 16, 32, 64 channels, 1x1 projections where the shape changes.";
    WideResNet, "`wrn-D-K`",
        "Zagoruyko and Komodakis 2016: pre-activation WideResNet of 6n+4 layers, K times as wide.";
}

/// A text names no architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseArchitectureError;

impl fmt::Display for ParseArchitectureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ")?;
        for (i, names) in NAMES.iter().enumerate() {
            let between = if i == 0 {
                ""
            } else if i + 1 < NAMES.len() {
                ", "
            } else {
                " or "
            };
            write!(f, "{between}{names}")?;
        }
        Ok(())
    }
}

impl Error for ParseArchitectureError {}
