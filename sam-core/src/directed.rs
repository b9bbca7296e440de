//! Perturbations in a direction of the caller's making.

use crate::ParamSpace;

/// A storage that can perturb along any direction, for ascents that are not of the form of equation 2.
pub trait DirectedAscent: ParamSpace {
    /// Makes `w + a * x`, in the place where [`ParamSpace::ascend`] makes `w + eps-hat`: `perturbed` then shows it, and
    /// `restore` puts `w` back. A weight whose `a * x` is zero keeps its bits. In a storage with radii for its parts, `a` is multiplied
    /// by the part's radius.
    ///
    /// Reads `w` and `x`, writes one word a weight.
    ///
    /// # Errors
    /// As [`ParamSpace::ascend`].
    fn displace(&mut self, w: &mut Self::Params, a: Self::Scalar, x: &Self::Grads)
    -> Result<(), Self::Error>;
}
