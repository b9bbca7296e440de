//! cuDNN's graph interface: a convolution together with what stands behind it.
//!
//! Batch normalisation wants a convolution's output twice: once for its channels' means and variances, once to normalise it. The first
//! time is saved where sums and sums of squares are made while the output is still in registers (`CONVOLUTION_FORWARD`, then
//! `GEN_STATS`); so are a read and a write of it where a shortcut is added (`POINTWISE_ADD` between the two). The sums are of f32, before the
//! output is rounded.
//!
//! It has convolutions that the older functions have not, too: those that are padded by more behind the image than before it.
//!
//! Whatever the library refuses is computed as without it.

mod attribute;
mod convolution;
mod execution;
mod heuristics;
mod operations;
mod plan;
mod product;

pub(crate) use convolution::FusedConvolution;
pub(super) use plan::Plans;
pub(super) use product::GraphProduct;
