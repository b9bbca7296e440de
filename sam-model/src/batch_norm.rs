//! Constants of batch normalisation, the same in every backend.

/// The settings of a batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Share of the newest batch in the running statistics: `running += momentum * (batch - running)`. Flax and TensorFlow
    /// call what is left of the old ones momentum: 1 minus this.
    pub momentum: f64,
    /// Added to the variance before its root is taken.
    pub epsilon: f64,
    /// Whether the running variance follows the batch's unbiased variance, of `n / (n - 1)`, or the biased one. Batches
    /// are normalised by the biased one in any case.
    pub unbiased: bool,
}

impl BatchNorm {
    /// PyTorch's defaults.
    pub const PYTORCH: Self = Self { momentum: 0.1, epsilon: 1e-5, unbiased: true };
    /// Of the SAM authors' networks, in Flax, for CIFAR, and of their ResNet for ImageNet.
    pub const FLAX: Self = Self { unbiased: false, ..Self::PYTORCH };
    /// Of EfficientNet.
    pub const EFFICIENT_NET: Self = Self { momentum: 0.01, epsilon: 1e-3, unbiased: false };
}
