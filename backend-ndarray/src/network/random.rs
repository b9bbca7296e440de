//! What the random layers of a network draw from in a pass.

use crate::layer::Draws;
use sam_core::Pass;
pub use sam_model::random::Random;

pub(super) fn draws(Random { key, first, backward }: Random, pass: Pass) -> Draws {
    Draws { key, first, fresh: backward.are_fresh(pass == Pass::Perturbed) }
}
