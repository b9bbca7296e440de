//! Constants of batch normalisation, the same in every backend.

/// Share of the newest batch in the running statistics: `running += MOMENTUM * (batch - running)`, PyTorch's default.
pub const MOMENTUM: f64 = 0.1;

/// Added to the variance before its root is taken.
pub const EPSILON: f64 = 1e-5;
