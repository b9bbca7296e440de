//! Whose kernels compute a network's products.

use serde::{Deserialize, Serialize};

use crate::named::named;

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

named!(KernelChoice, "expected auto, native or vendor", Auto = "auto", Native = "native", Vendor = "vendor");

/// What was chosen for a network's products.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChosenKernels {
    /// Products that NVIDIA's kernels compute.
    pub vendor: usize,
    /// A line for each product: its layer, whose kernel it has, and why.
    pub products: Vec<String>,
}
