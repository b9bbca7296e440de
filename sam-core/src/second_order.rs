//! The exact gradient of the SAM objective.

pub mod difference;

use core::borrow::BorrowMut;

use num_traits::ConstOne;

use crate::held::Held;
use crate::state::state_of_fields;
use crate::{
    Descent, GradientAlgebra, GradientOracle, Outcome, Pass, Real, Rule, Step, StepError, StepResult,
};

/// An oracle that also knows the Hessian's products with vectors.
pub trait HessianVector<P: ?Sized, G: ?Sized = P>: GradientOracle<P, G> {
    /// Overwrites `out` with `H(params) vector`, on the mini-batch that the passes of the step use.
    ///
    /// # Errors
    /// As [`GradientOracle::gradient`].
    fn hessian_vector(&mut self, params: &P, vector: &G, out: &mut G) -> Result<(), Self::Error>;
}

/// A storage that can differentiate its ascent.
pub trait DifferentiableAscent: GradientAlgebra {
    /// Splits `(d eps / dw)^T h` into what needs no Hessian, added to `h`, and the vector that the Hessian
    /// has still to be multiplied by; `false` if that vector is zero. `g` is the clean gradient, `norm`
    /// its norm.
    ///
    /// # Errors
    /// As [`GradientAlgebra::copy`].
    fn pull_back(
        &mut self,
        w: &Self::Params,
        g: &Self::Grads,
        rule: &Rule<Self::Scalar>,
        norm: &Self::Norm,
        h: &mut Self::Grads,
        vector: &mut Self::Grads,
    ) -> Result<bool, Self::Error>;
}

/// SAM with the term that eq. 3 drops (appendix C.4 of the paper): with the clean gradient `g` and the
/// perturbed one `h`, the base optimizer descends along the gradient of `L(w + eps-hat(w))`,
///
/// ```text
/// h + (d eps-hat / dw)^T h            p = 2, SAM:  h + H(w) (rho / ||g||) (h - (g.h / g.g) g)
/// ```
///
/// for every `p` and for ASAM. Where `eps-hat` has no derivative (`p = 1` at a tie, `g_i = 0` for `p > 2`,
/// `w_i = 0` for ASAM) the coordinate's part is left out. In that experiment of the paper it generalised
/// worse than eq. 3.
///
/// Cost: 2 gradients and 1 Hessian-vector product a step (2 more gradients with
/// [`FiniteDifference`](difference::FiniteDifference)), two words a weight.
///
/// ```
/// use sam_core::second_order::difference::FiniteDifference;
/// use sam_core::{FnOracle, Rule, SecondOrderSam, Sgd, SliceSpace};
///
/// let gradient = FnOracle(|w: &[f64], g: &mut [f64], _| {
///     g.copy_from_slice(&[w[0], 10.0 * w[1]]);
///     Ok::<_, ()>(0.5 * (w[0] * w[0] + 10.0 * w[1] * w[1]))
/// });
/// let mut oracle = FiniteDifference::double(gradient, [[0.0; 2]; 2]);
/// let mut sam = SecondOrderSam {
///     space: SliceSpace::new([0.0; 2]),
///     rule: Rule::l2(0.05),
///     base: Sgd::new(0.05),
///     buffers: [[0.0; 2]; 2],
/// };
/// let (mut w, mut g) = ([3.0f64, -2.0], [0.0; 2]);
/// for _ in 0..200 {
///     sam.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
/// }
/// assert!(w[0].abs() < 0.1 && w[1].abs() < 0.1);
/// ```
#[derive(Clone, Debug)]
pub struct SecondOrderSam<S: DifferentiableAscent, D, B> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm.
    pub rule: Rule<S::Scalar>,
    /// The base optimizer.
    pub base: D,
    /// Two buffers as long as a gradient; what they hold does not matter.
    pub buffers: [B; 2],
}

impl<S, D, B> SecondOrderSam<S, D, B>
where
    S: DifferentiableAscent,
    S::Scalar: Real,
    D: Descent<S::Params, S::Grads>,
    B: BorrowMut<S::Grads>,
{
    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        2 * weights
    }

    /// One step on the parameters `w`; `g` is scratch space for the gradients.
    ///
    /// # Errors
    /// [`StepError`] says who failed. `w` and all state are then as before the step.
    pub fn step<O>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        oracle: &mut O,
    ) -> StepResult<S, O::Loss, O::Error, D::Error>
    where
        O: HessianVector<S::Params, S::Grads> + ?Sized,
    {
        let [kept, vector] = &mut self.buffers;
        let (kept, vector) = (kept.borrow_mut(), vector.borrow_mut());
        let (clean, norm) = self.space.clean_gradient::<_, D::Error>(w, g, &self.rule, oracle)?;
        self.space.copy(g, kept).map_err(StepError::Space)?;
        let outcome = Outcome::of_clean(&clean, self.space.verdict(&norm));
        if !outcome.steps() {
            return Ok(Step { clean, perturbed: None, norm, outcome });
        }
        let mut held = Held::new(&mut self.space, w);
        held.ascend(g, &self.rule, &norm).map_err(StepError::Space)?;
        let perturbed = oracle
            .gradient(held.params(), g, Pass::Perturbed)
            .map_err(|e| StepError::Oracle(e, Pass::Perturbed))?;
        held.restore().map_err(StepError::Space)?;
        if held.space.pull_back(held.w, kept, &self.rule, &norm, g, vector).map_err(StepError::Space)? {
            // The clean gradient has done its work.
            let product = kept;
            oracle
                .hessian_vector(held.w, vector, product)
                .map_err(|e| StepError::Oracle(e, Pass::Perturbed))?;
            held.space.mix(S::Scalar::ONE, product, S::Scalar::ONE, g).map_err(StepError::Space)?;
        }
        let outcome = outcome.after(&perturbed, held.space.check(g).map_err(StepError::Space)?);
        if outcome.steps() {
            self.base.descend(held.w, g).map_err(StepError::Descent)?;
        }
        Ok(Step { clean, perturbed: Some(perturbed), norm, outcome })
    }
}

state_of_fields! {
    impl[T, S: DifferentiableAscent, D: crate::State<T>, B] SecondOrderSam<S, D, B> { base }
}

crate::descent::learning_rate_of_base! { impl[S: DifferentiableAscent, B] SecondOrderSam<S, D, B> }
