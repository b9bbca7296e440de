//! Where weight decay acts: in the base optimizer's step, or in the loss whose gradients a method takes.

use serde::{Deserialize, Serialize};

use crate::named::named;

/// Where weight decay acts.
///
/// For the plain gradient both are one. A method that climbs has two gradients in a step: in the loss, decay turns the ascent towards
/// the weights, is taken at the perturbed weights in the descent, and counts in the length that gradients are cut to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecayIn {
    /// The base optimizer adds it at the unperturbed weights, after the gradient was cut to its longest.
    #[default]
    Base,
    /// `0.5 * weight-decay * |w|^2` is a term of the loss of every gradient: the code of SAM's paper.
    Loss,
}

named!(
    DecayIn,
    "expected base (at the weights, by the base optimizer) or loss (a term of the loss, in both passes)",
    Base = "base",
    Loss = "loss"
);
