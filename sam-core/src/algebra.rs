//! What methods that combine gradients need of a storage beyond SAM.

use crate::ParamSpace;

/// Arithmetic on whole gradients, for storages that want the methods that combine several (GSAM, LookSAM,
/// WSAM, ...). Plain SAM never needs it.
///
/// `projection` and `ratio` are what those methods use dot products for; as quotients they neither over- nor
/// underflow where the products would. A device answers them on the host: one round trip each.
pub trait GradientAlgebra: ParamSpace {
    /// `to = from`.
    ///
    /// # Errors
    /// Shapes that disagree, a device that fails.
    fn copy(&mut self, from: &Self::Grads, to: &mut Self::Grads) -> Result<(), Self::Error>;

    /// `y = a * x + b * y`.
    ///
    /// # Errors
    /// As [`GradientAlgebra::copy`].
    fn mix(
        &mut self,
        a: Self::Scalar,
        x: &Self::Grads,
        b: Self::Scalar,
        y: &mut Self::Grads,
    ) -> Result<(), Self::Error>;

    /// `a.b / b.b`: what the projection of `a` on `b` multiplies `b` by; 0 if `b` is zero.
    ///
    /// # Errors
    /// As [`GradientAlgebra::copy`].
    fn projection(&mut self, a: &Self::Grads, b: &Self::Grads) -> Result<Self::Scalar, Self::Error>;

    /// `||a||_2 / ||b||_2`; 0 if `b` is zero.
    ///
    /// # Errors
    /// As [`GradientAlgebra::copy`].
    fn ratio(&mut self, a: &Self::Grads, b: &Self::Grads) -> Result<Self::Scalar, Self::Error>;
}
