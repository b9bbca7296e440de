//! Level 0: the formulas, on numbers and on slices. Every backend must reproduce them.
//!
//! With `x_i = t_i |g_i|`, where `t_i = 1` (SAM) or `|w_i| + eta` (ASAM), and `1/p + 1/q = 1`, eq. 2 of the
//! paper is
//!
//! ```text
//! eps_i = rho * t_i * sign(g_i) * x_i^(q-1) / (sum_j x_j^q)^(1/p)
//! ```
//!
//! Two things are ours. Every `x` is divided by a scale first where it could over- or underflow, which
//! changes nothing in exact arithmetic; and sums run in a fixed order, so that a norm's bits depend neither
//! on how the parameters are split into tensors nor on the number of threads. See [`NormAccumulator`] for that order.

mod accumulator;
mod ascent;
mod dot;
mod finite;
mod norm;
mod partial_sums;
mod project;
mod pull_back;
mod range;
mod reduction;
mod scale;

pub use accumulator::{BLOCK, LANES, NormAccumulator, Partial};
pub use ascent::Ascent;
pub use dot::{projection, projection_of, ratio, ratio_of};
pub use finite::all_finite;
pub use norm::{DualNorm, dual_norm, dual_norm_of};
pub use project::project;
pub use pull_back::pull_back;
