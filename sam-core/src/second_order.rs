//! The exact gradient of the SAM objective.

pub mod difference;

use core::borrow::BorrowMut;

use crate::guard::RestoreGuard;
use crate::half::{self, Half, HalfResult, Next, ask, halves};
use crate::setting::checked;
use crate::state::state_of_fields;
use crate::{
    Descent, GradientAlgebra, GradientOracle, InvalidSetting, Loss, Pass, Real, Rule, Step, StepError,
    StepResult,
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
/// let gradient = FnOracle::infallible(|w: &[f64], g: &mut [f64], _| {
///     g.copy_from_slice(&[w[0], 10.0 * w[1]]);
///     0.5 * (w[0] * w[0] + 10.0 * w[1] * w[1])
/// });
/// let mut oracle = FiniteDifference::double(gradient, [[0.0; 2]; 2]);
/// let mut sam = SecondOrderSam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.05), Sgd::new(0.05), [[0.0; 2]; 2]);
/// let (mut w, mut g) = ([3.0f64, -2.0], [0.0; 2]);
/// for _ in 0..200 {
///     sam.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
/// }
/// assert!(w[0].abs() < 0.1 && w[1].abs() < 0.1);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
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

impl<S: DifferentiableAscent, D, B> SecondOrderSam<S, D, B> {
    /// Both buffers are as long as a gradient; what they hold does not matter.
    pub const fn new(space: S, rule: Rule<S::Scalar>, base: D, buffers: [B; 2]) -> Self {
        Self { space, rule, base, buffers }
    }
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

    /// All hyper-parameters are in their ranges. Every step asks this first.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.rule.check_settings()?;
        self.base.check_settings()
    }

    checked! {}

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
        self.check_settings().map_err(StepError::Setting)?;
        let (clean, norm) =
            self.space.clean_gradient(w, g, &self.rule, oracle).map_err(StepError::with_descent)?;
        let half = Half::new(&self.space, clean, norm);
        match self.open(w, g, half).map_err(StepError::Space)? {
            Next::Done(step) => Ok(step),
            Next::Gradient(half) => {
                let perturbed = ask!(self, w, g, oracle, Pass::Perturbed);
                match self.finish(half, w, g, perturbed).map_err(StepError::with_oracle)? {
                    NextProduct::Done(step) => Ok(step),
                    NextProduct::Product(half) => {
                        let (vector, product) = self.product();
                        oracle
                            .hessian_vector(w, vector, product)
                            .map_err(|e| StepError::Oracle(e, Pass::Perturbed))?;
                        self.finish_product(half, w, g).map_err(StepError::with_oracle)
                    }
                }
            }
        }
    }

    /// First part of a step, as a value: `g` is the gradient at `w`, `clean` the loss there, or `()`. As
    /// [`Sam::begin`](crate::Sam::begin).
    ///
    /// # Errors
    /// [`StepError::Space`]; `w` is then restored.
    pub fn begin<L: Loss>(
        &mut self,
        w: &mut S::Params,
        g: &S::Grads,
        clean: L,
    ) -> HalfResult<S, Next<L, S::Norm>, D::Error> {
        self.check_settings().map_err(StepError::Setting)?;
        let half = Half::measure(&mut self.space, &self.rule, w, g, clean).map_err(StepError::Space)?;
        self.open(w, g, half).map_err(StepError::Space)
    }

    /// Second part: `g` is the gradient at [`SecondOrderSam::perturbed`], `perturbed` the loss there. Puts the parameters
    /// back.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and all state are then as before the step.
    pub fn finish<L: Loss>(
        &mut self,
        half: Half<L, S::Norm>,
        w: &mut S::Params,
        g: &mut S::Grads,
        perturbed: L,
    ) -> HalfResult<S, NextProduct<L, S::Norm>, D::Error> {
        let [kept, vector] = &mut self.buffers;
        let (kept, vector) = (kept.borrow(), vector.borrow_mut());
        let mut guard = RestoreGuard::new(&mut self.space, w);
        guard.restore().map_err(StepError::Space)?;
        let norm = &half.norm;
        let asks = guard.space.pull_back(guard.w, kept, &self.rule, norm, g, vector);
        drop(guard);
        if asks.map_err(StepError::Space)? {
            return Ok(NextProduct::Product(ProductHalf { half, perturbed }));
        }
        self.end(half, w, g, perturbed).map(NextProduct::Done)
    }

    /// What the Hessian at `w` is to be multiplied by, and where the product goes. The clean gradient, which was there,
    /// has done its work.
    pub fn product(&mut self) -> (&S::Grads, &mut S::Grads) {
        let [kept, vector] = &mut self.buffers;
        (vector.borrow(), kept.borrow_mut())
    }

    /// Last part, with the product where [`SecondOrderSam::product`] says; `g` as [`SecondOrderSam::finish`] left it.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and all state are then as before the step.
    pub fn finish_product<L: Loss>(
        &mut self,
        half: ProductHalf<L, S::Norm>,
        w: &mut S::Params,
        g: &mut S::Grads,
    ) -> HalfResult<S, Step<L, S::Norm>, D::Error> {
        let ProductHalf { half, perturbed } = half;
        let [product, _] = &self.buffers;
        self.space.mix(S::Scalar::ONE, product.borrow(), S::Scalar::ONE, g).map_err(StepError::Space)?;
        self.end(half, w, g, perturbed)
    }

    halves! { Half<L, S::Norm> }

    fn open<L>(
        &mut self,
        w: &mut S::Params,
        g: &S::Grads,
        half: Half<L, S::Norm>,
    ) -> Result<Next<L, S::Norm>, S::Error> {
        let [kept, _] = &mut self.buffers;
        self.space.copy(g, kept.borrow_mut())?;
        half::open(&mut self.space, &self.rule, w, g, half)
    }

    fn end<L: Loss>(
        &mut self,
        half: Half<L, S::Norm>,
        w: &mut S::Params,
        g: &mut S::Grads,
        perturbed: L,
    ) -> HalfResult<S, Step<L, S::Norm>, D::Error> {
        let outcome = half.outcome.after(&perturbed, self.space.check(g).map_err(StepError::Space)?);
        if outcome.steps() {
            self.base.descend(w, g).map_err(StepError::Descent)?;
        }
        Ok(half.end(Some(perturbed), outcome))
    }
}

/// A step of [`SecondOrderSam`] that waits for a product with the Hessian. The parameters are where they were before it, and
/// nothing is lost with it but the step.
#[must_use = "a step that asks for a product has not ended"]
#[derive(Clone, Debug)]
pub struct ProductHalf<L, N> {
    half: Half<L, N>,
    perturbed: L,
}

/// What a step of [`SecondOrderSam`] needs after its second gradient. Exhaustive on purpose, as [`Next`].
#[must_use = "a step that asks for a product has not ended"]
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "whoever leaves a case out does not end the step")]
pub enum NextProduct<L, N> {
    /// The product with the Hessian: see [`SecondOrderSam::product`].
    Product(ProductHalf<L, N>),
    /// Nothing: this came of it.
    Done(Step<L, N>),
}

state_of_fields! {
    impl[T, S: DifferentiableAscent, D: crate::State<T>, B] SecondOrderSam<S, D, B> { base }
}

crate::descent::learning_rate_of_base! { impl[S: DifferentiableAscent, B] SecondOrderSam<S, D, B> }
