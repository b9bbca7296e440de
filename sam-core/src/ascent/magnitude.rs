//! Each weight in proportion to its size.

use super::AscentRule;
use crate::{ParamSpace, Real, Rule, state::state};

/// Moves each weight in proportion to its own size: the adaptive perturbation of `big_vision`'s GSAM, which is not ASAM's.
///
/// ```text
/// eps = rho * |w| * g / ||g||_2            ASAM (p = 2): rho * |w|^2 * g / || |w| g ||_2
/// ```
///
/// Only the rule's radius is used. Its authors add 1e-12 to the norm; here a zero gradient perturbs by zero. Cost: 2 gradients
/// a step, no buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a name for a rule without settings")]
pub struct ByMagnitude;

impl<T: Real, S: ParamSpace<Params = [T], Grads = [T], Scalar = T>, D> AscentRule<S, D> for ByMagnitude {
    fn ascend(
        &mut self,
        space: &mut S,
        w: &mut [T],
        g: &mut [T],
        rule: &Rule<T>,
        _: &D,
    ) -> Result<S::Norm, S::Error> {
        let rule = Rule::l2(rule.rho);
        let norm = space.dual_norm(w, g, &rule)?;
        g.iter_mut().zip(w.iter()).for_each(|(g, w)| *g = w.abs() * *g);
        space.ascend(w, g, &rule, &norm)?;
        Ok(norm)
    }

    fn commit(&mut self) {}
}

state! {
    impl[T] ByMagnitude {}
}
