//! Ways up: what a step perturbs along, given the clean gradient.

pub mod bayesian;
pub mod friendly;
pub mod magnitude;
pub mod stochastic;

use crate::{InvalidSetting, ParamSpace, Rule, state::state};

/// An ascent rule: turns the clean gradient into a perturbation.
///
/// Most perturb by equation 2 along something ([`ParamSpace::ascend`]); any other perturbation is made with
/// [`DirectedAscent::displace`](crate::DirectedAscent::displace). `D` is the base optimizer, whose state a rule may read
/// through a bound such as [`Precision`](crate::Precision).
pub trait AscentRule<S: ParamSpace, D> {
    /// Whether the clean gradient is taken somewhere else than at `w`: where [`AscentRule::scatter`] says.
    fn scatters(&self) -> bool {
        false
    }

    /// Makes in the storage the point where the clean gradient is taken; `g` is scratch space. Called only if the rule
    /// scatters, and followed by `restore`.
    ///
    /// # Errors
    /// The storage's.
    fn scatter(
        &mut self,
        _space: &mut S,
        _w: &mut S::Params,
        _g: &mut S::Grads,
        _base: &D,
    ) -> Result<(), S::Error> {
        Ok(())
    }

    /// Makes `w + eps` in the storage and returns the norm that the perturbation was scaled by. `g` is the
    /// clean gradient; it may be used as scratch space, since the second gradient overwrites it.
    ///
    /// Nothing that outlives the step may change here: it may still be called off.
    ///
    /// # Errors
    /// The storage's.
    fn ascend(
        &mut self,
        space: &mut S,
        w: &mut S::Params,
        g: &mut S::Grads,
        rule: &Rule<S::Scalar>,
        base: &D,
    ) -> Result<S::Norm, S::Error>;

    /// The step went through: the time to change what outlives it.
    fn commit(&mut self);

    /// The hyper-parameters are in their ranges.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    fn check_settings(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }
}

/// Along the gradient: SAM's (eq. 2), and ASAM's where the rule is adaptive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a name for a rule without settings")]
pub struct AlongGradient;

impl<S: ParamSpace, D> AscentRule<S, D> for AlongGradient {
    fn ascend(
        &mut self,
        space: &mut S,
        w: &mut S::Params,
        g: &mut S::Grads,
        rule: &Rule<S::Scalar>,
        _: &D,
    ) -> Result<S::Norm, S::Error> {
        let norm = space.dual_norm(w, g, rule)?;
        space.ascend(w, g, rule, &norm)?;
        Ok(norm)
    }

    fn commit(&mut self) {}
}

state! {
    impl[T] AlongGradient {}
}
