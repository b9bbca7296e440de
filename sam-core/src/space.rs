//! The storage that parameters and gradients live in.

use core::convert::Infallible;

use crate::{GradientOracle, Pass, Real, Rule, StepError};

/// What is known about a gradient before anything is done with it.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Every entry is finite and at least one is not zero.
    Finite,
    /// Every entry is zero: there is no direction to go.
    Zero,
    /// An entry is infinite or NaN.
    NonFinite,
    /// The answer lives on a device and reading it would stall the step. The storage and the base optimizer
    /// act on it there.
    Unknown,
}

/// What [`ParamSpace::clean_gradient`] returns: loss and norm, or what failed.
pub type CleanGradient<S, L, OE> =
    Result<(L, <S as ParamSpace>::Norm), StepError<<S as ParamSpace>::Error, OE, Infallible>>;

/// Storage of parameters: host slices, `ndarray` arrays, device memory, a framework's tensors.
///
/// The operations are whole-model and fused, because memory traffic is what SAM adds to two gradients: a
/// vector-algebra trait (axpy, dot, scale) would read and write everything nearly twice as often.
///
/// Methods may return before the work is done (a CUDA stream); calls behave as if they were executed in
/// order.
///
/// Contract:
/// - `ascend`, `perturbed`, oracle, `restore` happen in this order; `restore` puts back every bit of `w` and
///   never moves `w` to another address.
/// - A zero or non-finite norm makes `ascend` perturb by nothing.
/// - Where [`ParamSpace::verdict`] or [`ParamSpace::check`] answers [`Verdict::Unknown`], the storage itself
///   sees to it that a non-finite gradient changes neither the parameters nor the base optimizer's state: its
///   kernels read the norm and the check's flag where they are.
pub trait ParamSpace {
    /// The parameters, `w`.
    type Params: ?Sized;
    /// A gradient, of the same shape as the parameters.
    type Grads: ?Sized;
    /// Type of the hyper-parameters: `f32` or `f64`.
    type Scalar: Real;
    /// The dual norm: a number on a host, a handle on a device.
    type Norm;
    /// What can go wrong.
    type Error: core::error::Error + 'static;

    /// `||T g||_q`, the dual norm of the gradient under `rule`. Reads `g` (and `w` if adaptive) once.
    ///
    /// # Errors
    /// Shapes that disagree, a device that fails.
    fn dual_norm(
        &mut self,
        w: &Self::Params,
        g: &Self::Grads,
        rule: &Rule<Self::Scalar>,
    ) -> Result<Self::Norm, Self::Error>;

    /// Overwrites `g` with the oracle's clean gradient at `w`; returns the loss there and the gradient's dual
    /// norm, whose bits are those of [`ParamSpace::dual_norm`].
    ///
    /// A storage that can accumulate the norm as the gradient appears overrides it, with
    /// [`GradientOracle::gradient_in_parts`].
    ///
    /// # Errors
    /// [`StepError::Oracle`] or [`StepError::Space`].
    fn clean_gradient<O>(
        &mut self,
        w: &Self::Params,
        g: &mut Self::Grads,
        rule: &Rule<Self::Scalar>,
        oracle: &mut O,
    ) -> CleanGradient<Self, O::Loss, O::Error>
    where
        Self: Sized,
        O: GradientOracle<Self::Params, Self::Grads> + ?Sized,
    {
        let loss = oracle.gradient(w, g, Pass::Clean).map_err(|e| StepError::Oracle(e, Pass::Clean))?;
        let norm = self.dual_norm(w, g, rule).map_err(StepError::Space)?;
        Ok((loss, norm))
    }

    /// What the norm says about the gradient.
    fn verdict(&self, norm: &Self::Norm) -> Verdict;

    /// Makes `w + eps-hat(w, g)` (eq. 2), in a second buffer of the space's or in `w` itself after
    /// remembering it.
    ///
    /// # Errors
    /// As [`ParamSpace::dual_norm`]; `w` is then unchanged or can be restored.
    fn ascend(
        &mut self,
        w: &mut Self::Params,
        g: &Self::Grads,
        rule: &Rule<Self::Scalar>,
        norm: &Self::Norm,
    ) -> Result<(), Self::Error>;

    /// Where the perturbed parameters are: a second buffer of the space's, or `w` itself (changed in place).
    fn perturbed<'a>(&'a self, w: &'a Self::Params) -> &'a Self::Params;

    /// Puts back, bit for bit, what [`ParamSpace::ascend`] changed. Nothing to do where `w` was never
    /// touched.
    ///
    /// # Errors
    /// A device that fails.
    fn restore(&mut self, w: &mut Self::Params) -> Result<(), Self::Error>;

    /// Whether the perturbed pass's gradient may be given to the base optimizer. Reads `g` once.
    ///
    /// [`Verdict::Zero`] is never required of it; [`Verdict::Finite`] covers a zero gradient too.
    ///
    /// # Errors
    /// As [`ParamSpace::dual_norm`].
    fn check(&mut self, g: &Self::Grads) -> Result<Verdict, Self::Error>;
}
