//! The table of networks that have a name.

use crate::{
    Description, DescriptionError, EfficientNet, ImageNetResNet, Initialization, LeNet, Mlp, PyramidNet,
    ResNet, ShakeShake, Shape, WideResNet, zoo::Family,
};
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

        const MEMBERS: &[&[&str]] = &[$($family::MEMBERS),+];

        impl Architecture {
            /// Describes the network for images of shape `image` and `classes` classes, its weights to start as its
            /// authors' do.
            ///
            /// # Errors
            /// When the image is too small for the network, or there are fewer than 2 classes or more than 65,536.
            pub fn describe(&self, image: Shape, classes: usize) -> Result<Description, DescriptionError> {
                self.describe_with(image, classes, self.initialization())
            }

            /// The same with weights that start otherwise.
            ///
            /// # Errors
            /// As [`Architecture::describe`].
            pub fn describe_with(
                &self,
                image: Shape,
                classes: usize,
                initialization: Initialization,
            ) -> Result<Description, DescriptionError> {
                Description::new(image, classes, |graph| {
                    graph.initialize(initialization);
                    match self {
                        $(Self::$family(network) => network.describe(classes, graph),)+
                    }
                })
            }

            /// How its weights start where nothing is said.
            #[must_use]
            pub fn initialization(&self) -> Initialization {
                match self {
                    $(Self::$family(network) => network.initialization(),)+
                }
            }

            /// The images that it was made for, and how many classes these have: 32x32x3 and 10 of CIFAR-10, or its own
            /// resolution and 1000 of ImageNet.
            #[must_use]
            pub fn input(&self) -> (Shape, usize) {
                match self {
                    $(Self::$family(network) => network.input(),)+
                }
            }

            /// Names of the networks that are trained in papers, or that are usual, family by family.
            pub fn names() -> impl Iterator<Item = &'static str> {
                MEMBERS.iter().copied().flatten().copied()
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
    ResNet, "`resnet-D`, `resnet-D-noshort`",
        "He et al. 2016, section 4.2: 6n+2 layers of 16, 32, 64 channels, 1x1 projections where the shape changes, or no \
         shortcuts at all.";
    WideResNet, "`wrn-D-K`, `wrn-D-K-projection`, `wrn-D-K-nobn`",
        "Zagoruyko and Komodakis 2016: pre-activation WideResNet of 6n+4 layers, K times as wide, its shortcuts padded with \
         zeros as in the SAM authors' code, projections as in the paper, or without normalisation.";
    ShakeShake, "`shake-shake-26-2xWd`",
        "Gastaldi 2017: two branches a block, mixed at random.";
    PyramidNet, "`pyramidnet-D-A`, `pyramidnet-D-A-shakedrop`",
        "Han, Kim and Kim 2017: residual blocks that widen one by one, A channels altogether; with ShakeDrop (Yamada et al. \
         2018).";
    ImageNetResNet, "`resnet-50`, `resnet-101`, `resnet-152`",
        "He et al. 2016, table 1: bottlenecks for ImageNet.";
    EfficientNet, "`efficientnet-b0`, `efficientnet-lite0`, ...",
        "Tan and Le 2019: inverted bottlenecks with squeeze-and-excitation, scaled as a whole; lite without that.";
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
