//! What the random layers of a network draw from in a step.

use crate::layer::Draws;
use sam_core::Pass;
use sam_model::random::{BackwardCoefficients, Key};

/// What the random layers of a step draw from. See [`Network::set_random`](crate::Network::set_random).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// What the step's numbers are counted from.
    pub key: Key,
    /// Position of the batch's first sample in the step's batch, where that is computed in parts.
    pub first: usize,
    /// Which coefficients gradients have where there are some for the backward pass.
    pub backward: BackwardCoefficients,
}

impl Random {
    pub(super) fn draws(self, pass: Pass) -> Draws {
        let fresh = match self.backward {
            BackwardCoefficients::Forward => false,
            BackwardCoefficients::Fresh => true,
            BackwardCoefficients::FreshWhenPerturbed => pass == Pass::Perturbed,
        };
        Draws { key: self.key, first: self.first, fresh }
    }
}
