//! Any of the methods behind one face, to choose at run time.

use core::borrow::BorrowMut;
use core::ops::Neg;

use crate::{
    AscentRule, Combination, Descent, DifferentiableAscent, GradientAlgebra, GradientOracle, HessianVector,
    InvalidSetting, LookSam, Momentum, MomentumSam, MultiStepSam, ParamSpace, Plain, RandomSam, Real,
    RepeatedAscent, Sam, SecondOrderSam, SingleStep, Step, StepError, Variant,
};

/// What all methods have in common: a step with an oracle, and its report.
///
/// Object-safe: `&mut dyn Method<[f32], [f32], O, Norm = .., Error = ..>` is any method, without allocation; with the
/// feature `alloc` a `Box` of one is a method too. `O` is the oracle's type, which may be a `dyn` itself: of a
/// [`HessianVector`] where [`SecondOrderSam`] is among the choices, of a [`GradientOracle`] else. Learning rate and state
/// are asked through [`LearningRate`](crate::LearningRate) and [`State`](crate::State), which every method implements.
///
/// ```
/// use sam_core::formula::DualNorm;
/// use sam_core::{AlongGradient, FnOracle, GradientOracle, Gsam, LengthMismatch, Method, Pass, Rule, Sam, Sgd};
/// use sam_core::{SliceSpace, StepError, Variant};
///
/// type Oracle<'a> = dyn GradientOracle<[f64], Loss = f64, Error = LengthMismatch> + 'a;
/// type Error = StepError<LengthMismatch, LengthMismatch, LengthMismatch>;
/// type Any<'a, 'o> = &'a mut dyn Method<[f64], [f64], Oracle<'o>, Norm = DualNorm, Error = Error>;
///
/// let (space, rule, base) = (SliceSpace::new([0.0; 2]), Rule::l2(0.5), Sgd::new(0.1));
/// let mut sam = Sam::new(space.clone(), rule, base.clone());
/// let mut gsam = Variant::new(space, rule, AlongGradient, Gsam::new(0.4, [0.0; 2]), base);
/// for method in [&mut sam as Any<'_, '_>, &mut gsam] {
///     let mut oracle = FnOracle(|w: &[f64], g: &mut [f64], _: Pass| {
///         g.copy_from_slice(w);
///         Ok(0.5 * (w[0] * w[0] + w[1] * w[1]))
///     });
///     let (mut w, mut g) = ([3.0, -4.0], [0.0; 2]);
///     let step = method.step(&mut w, &mut g, &mut oracle)?;
///     assert_eq!((step.clean, step.norm.map(|norm| norm.value())), (12.5, Some(5.0)));
/// }
/// # Ok::<(), Error>(())
/// ```
pub trait Method<P: ?Sized, G: ?Sized, O: GradientOracle<P, G> + ?Sized> {
    /// The storage's norm.
    type Norm;
    /// What ends a step early: a [`StepError`] for the methods of this crate.
    type Error;

    /// The step of the method. Of a method with one gradient its loss is the report's `clean` one; there is no norm where
    /// nothing was perturbed.
    ///
    /// # Errors
    /// As the method says; parameters and all state are then as before the step.
    fn step(&mut self, w: &mut P, g: &mut G, oracle: &mut O) -> MethodResult<Self, P, G, O>;

    /// Where the latest perturbed gradient was taken, where the storage has a second buffer; else `w`.
    fn perturbed<'a>(&'a self, w: &'a P) -> &'a P;

    /// The hyper-parameters are in their ranges. Every step of this crate's methods asks; to know it when they are set, ask here.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    fn check_settings(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }
}

/// What the step of any method returns.
pub type MethodResult<M, P, G, O> = Result<
    Step<<O as GradientOracle<P, G>>::Loss, Option<<M as Method<P, G, O>>::Norm>>,
    <M as Method<P, G, O>>::Error,
>;

impl<L, N> From<Step<L, N>> for Step<L, Option<N>> {
    fn from(step: Step<L, N>) -> Self {
        Self { clean: step.clean, perturbed: step.perturbed, norm: Some(step.norm), outcome: step.outcome }
    }
}

impl<L, N> From<SingleStep<L, N>> for Step<L, Option<N>> {
    fn from(probe: SingleStep<L, N>) -> Self {
        Self { clean: probe.loss, perturbed: None, norm: Some(probe.norm), outcome: probe.outcome }
    }
}

macro_rules! method {
    ([$($bound:tt)*] $type:ty, $oracle:ident, $report:expr) => {
        impl<$($bound)*, O> Method<S::Params, S::Grads, O> for $type
        where
            O: $oracle<S::Params, S::Grads> + ?Sized,
        {
            type Norm = S::Norm;
            type Error = StepError<S::Error, O::Error, D::Error>;

            fn step(
                &mut self,
                w: &mut S::Params,
                g: &mut S::Grads,
                oracle: &mut O,
            ) -> MethodResult<Self, S::Params, S::Grads, O> {
                <$type>::step(self, w, g, oracle).map($report)
            }

            fn perturbed<'a>(&'a self, w: &'a S::Params) -> &'a S::Params {
                self.space.perturbed(w)
            }

            fn check_settings(&self) -> Result<(), InvalidSetting> {
                <$type>::check_settings(self)
            }
        }
    };
}

method! { [S: ParamSpace, D: Descent<S::Params, S::Grads>] Sam<S, D>, GradientOracle, Step::from }
method! {
    [S: ParamSpace, A: AscentRule<S, D>, C: Combination<S, D>, D: Descent<S::Params, S::Grads>] Variant<S, A, C, D>,
    GradientOracle, Step::from
}
method! {
    [S: GradientAlgebra<Scalar: Real>, D: Descent<S::Params, S::Grads>, B: BorrowMut<S::Grads>] LookSam<S, D, B>,
    GradientOracle, Step::from
}
method! {
    [S: RepeatedAscent, D: Descent<S::Params, S::Grads>, B: BorrowMut<S::Grads>] MultiStepSam<S, D, B>,
    GradientOracle, Step::from
}
method! {
    [S: DifferentiableAscent<Scalar: Real>, D: Descent<S::Params, S::Grads>, B: BorrowMut<S::Grads>]
    SecondOrderSam<S, D, B>, HessianVector, Step::from
}
method! {
    [S: ParamSpace<Scalar: Neg<Output = S::Scalar>>, D: Descent<S::Params, S::Grads> + Momentum<S::Grads>]
    MomentumSam<S, D>, GradientOracle, Step::from
}
method! {
    [T: Real, S: ParamSpace<Grads = [T], Scalar = T>, D: Descent<S::Params, [T]>] RandomSam<S, D>,
    GradientOracle, Step::from
}
method! {
    [S: ParamSpace, D: Descent<S::Params, S::Grads>] Plain<S, D>, GradientOracle,
    |SingleStep { loss, norm: (), outcome }| Step { clean: loss, perturbed: None, norm: None, outcome }
}
