//! Whose kernels compute a network's products, and which were chosen.

use core::{fmt, str::FromStr};

/// Whose kernels compute the products of convolutions and dense layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KernelChoice {
    /// Product by product NVIDIA's where the library is there and a trial on the device shows that it agrees with this
    /// crate's, within what rounding allows, and is faster; else this crate's. What is faster is measured, so that the last
    /// bits of two processes' results may differ.
    Auto,
    /// This crate's.
    #[default]
    Native,
    /// NVIDIA's, cuBLASLt and cuDNN, for every product that they support.
    Vendor,
}

impl fmt::Display for KernelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Vendor => "vendor",
        })
    }
}

impl FromStr for KernelChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Native),
            "vendor" => Ok(Self::Vendor),
            _ => Err("expected auto, native or vendor"),
        }
    }
}

/// Which kernel computes a product of a layer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenKernel {
    /// Name of the layer, as `stage2.0.conv1`.
    pub layer: String,
    /// Of its three products which.
    pub product: Product,
    /// Whether it is a library's.
    pub vendor: bool,
    /// What was measured, or what spoke against the library.
    pub reason: String,
}

impl fmt::Display for ChosenKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kernel = if self.vendor { "vendor" } else { "native" };
        write!(f, "{}, {}: {kernel}: {}", self.layer, self.product, self.reason)
    }
}

/// The products of a convolution or dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// Of input and weights: the output.
    Forward,
    /// Of the output's gradient and the weights: the input's gradient.
    InputGradient,
    /// Of input and the output's gradient: the weights' gradient.
    WeightGradient,
}

impl Product {
    /// All three, in the order of a step.
    pub(crate) const ALL: [Self; 3] = [Self::Forward, Self::WeightGradient, Self::InputGradient];
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::InputGradient => "input gradient",
            Self::WeightGradient => "weight gradient",
        })
    }
}
