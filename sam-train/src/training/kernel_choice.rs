//! Whose kernels compute a network's products.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Whose kernels a GPU computes convolutions and dense layers with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelChoice {
    /// NVIDIA's where they are there, agree and are faster, else our own.
    #[default]
    Auto,
    /// Our own.
    Native,
    /// NVIDIA's, from cuBLASLt and cuDNN.
    Vendor,
}

impl FromStr for KernelChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Native),
            "vendor" => Ok(Self::Vendor),
            _ => Err("expected auto, native or vendor"),
        }
    }
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

/// What was chosen for a network's products.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChosenKernels {
    /// Products that NVIDIA's kernels compute.
    pub vendor: usize,
    /// A line for each product: its layer, whose kernel it has, and why.
    pub products: Vec<String>,
}
