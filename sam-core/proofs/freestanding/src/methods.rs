//! Every method, through every entry point.

use core::fmt::Write;
use core::hint::black_box as seen;
use core::ops::Range;

use sam_core::formula::DualNorm;
use sam_core::*;

use crate::optimizers::state;

type Buffer<T> = [T; 5];
type Failure = StepError<LengthMismatch, LengthMismatch, LengthMismatch>;

/// Knows everything about a paraboloid.
struct Bowl;

impl<T: Real> GradientOracle<[T]> for Bowl {
    type Loss = T;
    type Error = LengthMismatch;

    fn gradient(&mut self, w: &[T], g: &mut [T], _: Pass) -> Result<T, LengthMismatch> {
        g.iter_mut().zip(w).for_each(|(g, w)| *g = *w + *w);
        Ok(seen(T::ONE))
    }
}

impl<T: Real> HessianVector<[T]> for Bowl {
    fn hessian_vector(&mut self, _: &[T], v: &[T], out: &mut [T]) -> Result<(), LengthMismatch> {
        out.iter_mut().zip(v).for_each(|(out, v)| *out = *v + *v);
        Ok(())
    }
}

impl<T: Real> MiniBatch<T> for Bowl {
    type Error = LengthMismatch;

    fn samples(&self) -> usize {
        seen(7)
    }

    fn gradient_of(
        &mut self,
        _: Range<usize>,
        w: &[T],
        g: &mut [T],
        pass: Pass,
    ) -> Result<T, LengthMismatch> {
        self.gradient(w, g, pass)
    }
}

impl<T: Real> SampleLosses<T> for Bowl {
    type Error = LengthMismatch;

    fn samples(&self) -> usize {
        seen(5)
    }

    fn losses(&mut self, _: &[T], losses: &mut [T], _: Pass) -> Result<(), LengthMismatch> {
        losses.iter_mut().for_each(|loss| *loss = seen(T::ONE));
        Ok(())
    }

    fn gradient_of_chosen(
        &mut self,
        chosen: &[usize],
        w: &[T],
        g: &mut [T],
        pass: Pass,
    ) -> Result<T, LengthMismatch> {
        seen(chosen);
        self.gradient(w, g, pass)
    }
}

/// Formats into nothing: even formatting must not panic.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        seen(text);
        Ok(())
    }
}

fn report<T, E: core::error::Error>(result: Result<T, E>) {
    match result {
        Ok(report) => {
            seen(report);
        }
        Err(error) => {
            seen(write!(Sink, "{error}").is_ok());
        }
    }
}

/// `step`, `step_with` and the state of a method.
macro_rules! run {
    ($method:expr) => {{
        let mut method = seen($method);
        let (mut w, mut g) = (seen([T::ONE; 5]), seen([T::ONE; 5]));
        report(method.step(&mut w[..], &mut g[..], &mut Bowl));
        report(method.try_step_with(&mut w, &mut g, |w, g, pass| Bowl.gradient(w, g, pass)));
        let _ = seen(method.step_with(&mut w, &mut g, |_, _, _| seen(T::ONE)).is_ok());
        let _ = seen(method.check_settings().is_ok());
        let _ = seen(method.clone().checked().is_ok());
        let any: &mut dyn Method<[T], [T], Bowl, Norm = DualNorm, Error = Failure> = &mut method;
        report(any.step(&mut w[..], &mut g[..], &mut Bowl));
        seen(any.perturbed(&w[..]));
        seen(any.check_settings().is_ok());
        state::<T>(&mut method);
        seen(w);
    }};
}

/// A step in halves, one given up, and the state of a method that begins with a gradient.
macro_rules! halves {
    ($method:expr) => {{
        let mut method = seen($method);
        let (mut w, mut g) = (seen([T::ONE; 5]), seen([T::ONE; 5]));
        for give_up in seen([true, false]) {
            let begun = method.begin(&mut w[..], &mut g[..], seen(T::ONE));
            let mut next = begun.map_err(StepError::with_oracle::<LengthMismatch>);
            while let Ok(Next::Gradient(half)) = next {
                let _ = seen((half.clean(), half.norm(), half.outcome(), method.perturbed(&w[..])));
                if give_up {
                    report(method.cancel(half, &mut w[..]));
                    break;
                }
                next = method
                    .finish(half, &mut w[..], &mut g[..], seen(T::ONE))
                    .map(Next::from)
                    .map_err(StepError::with_oracle);
            }
        }
        seen(w);
    }};
}

pub fn exercise<T: Real>() {
    plain::<T>();
    halves::<T>();
    composed::<T>();
    others::<T>();
    oracles::<T>();
}

fn zero<T: Real>() -> Buffer<T> {
    [T::ZERO; 5]
}

fn space<T: Real>() -> SliceSpace<T, Buffer<T>> {
    SliceSpace::new(zero())
}

fn base<T: Real>() -> Adam<T, Buffer<T>> {
    Adam::new(T::ONE, zero(), zero())
}

fn plain<T: Real>() {
    let rule = seen(Rule::l2(T::ONE));
    run!(Sam::new(space(), rule, base()));
    run!(Plain::new(space(), base()));
    let mut sam = Sam::new(space(), rule, base());
    let (mut w, mut g) = (seen(zero::<T>()), seen(zero::<T>()));
    if let Ok(up) = sam.ascend(&mut w[..], &g[..]) {
        let _ = seen((up.params(), up.norm(), up.outcome(), up.outcome().steps(), up.outcome().moved()));
        report(up.restore());
    }
    if let Ok(up) = sam.ascend(&mut w[..], &g[..]) {
        report(up.descend(&mut g[..]).map_err(StepError::with_oracle::<LengthMismatch>));
    }
}

fn halves<T: Real>() {
    let (rule, one) = (seen(Rule::l2(T::ONE)), seen(T::ONE));
    halves!(Sam::new(space(), rule, base()));
    let combination = Gsam::new(one, zero());
    halves!(Variant::new(space(), rule, AlongGradient, combination, base()));
    halves!(LookSam::new(space(), rule, Reuse::new(seen(3), one, zero(), zero()), base()));
    halves!(MultiStepSam::new(space(), rule, seen(3), one, base(), zero()));

    let (mut w, mut g) = (seen(zero::<T>()), seen(zero::<T>()));
    let mut momentum = MomentumSam::new(space(), rule, base());
    let mut random = RandomSam::new(space(), rule, Gaussian::new(seen(1)), base());
    for _ in 0..seen(2) {
        if let Ok(half) = momentum.begin(&mut w[..]) {
            seen(momentum.perturbed(&w[..]));
            seen(momentum.finish(half, &mut w[..], &mut g[..], one).is_ok());
        }
        if let Ok(half) = random.begin(&mut w[..], &mut g[..]) {
            seen(random.perturbed(&w[..]));
            seen(random.finish(half, &mut w[..], &mut g[..], one).is_ok());
        }
    }
    if let Ok(half) = momentum.begin(&mut w[..]) {
        report(momentum.cancel::<()>(half, &mut w[..]));
    }
    if let Ok(half) = random.begin(&mut w[..], &mut g[..]) {
        report(random.cancel::<()>(half, &mut w[..]));
    }

    let mut exact = SecondOrderSam::new(space(), rule, base(), [zero(); 2]);
    for give_up in seen([true, false]) {
        let Ok(Next::Gradient(half)) = exact.begin(&mut w[..], &g[..], one) else { continue };
        seen(exact.perturbed(&w[..]));
        if give_up {
            report(exact.cancel(half, &mut w[..]));
        } else if let Ok(NextProduct::Product(half)) = exact.finish(half, &mut w[..], &mut g[..], one) {
            seen(exact.product());
            seen(exact.finish_product(half, &mut w[..], &mut g[..]).is_ok());
        }
    }
    let clean = space().clean_gradient(&w, &mut g, &rule, &mut Bowl);
    report(clean.map_err(StepError::with_descent::<LengthMismatch>));
}

fn composed<T: Real>() {
    let (rule, one) = (seen(Rule::l2(T::ONE)), seen(T::ONE));
    macro_rules! variant {
        ($ascent:expr, $combination:expr) => {
            run!(Variant::new(space(), rule, $ascent, $combination, base()))
        };
    }
    variant!(AlongGradient, PerturbedOnly);
    variant!(AlongGradient, Gsam::new(one, zero()));
    variant!(AlongGradient, Wsam::new(one, zero()));
    variant!(AlongGradient, DecoupledWsam::new(one, zero()));
    let mut friendly = Friendly::new(one, one, zero::<T>(), zero());
    seen(friendly.buffers_mut());
    variant!(friendly, PerturbedOnly);
    variant!(Stochastic::new(one, seen(3)), PerturbedOnly);
    variant!(ByMagnitude, Gsam::new(one, zero()).around_clean());
    let newton = VariationalNewton::new(T::ONE, zero(), zero());
    let (ascent, combination) = (Bayesian::new(one, seen(3)), PrecisionFromClean::new(zero()));
    let mut bsam = Variant::new(space(), rule, ascent, combination, newton);
    let (mut w, mut g) = (seen(zero::<T>()), seen(zero::<T>()));
    report(bsam.step(&mut w[..], &mut g[..], &mut Bowl));
    seen(bsam.scatter(&mut w[..], &mut g[..]).is_ok());
    seen(bsam.begin(&mut w[..], &mut g[..], one).is_ok());
    state::<T>(&mut bsam);
    let n = seen(5);
    seen(PrecisionFromClean::<Buffer<T>>::words(n));
    seen((Friendly::<T, Buffer<T>>::words(n), Gsam::<T, Buffer<T>>::words(n)));
    seen((Wsam::<T, Buffer<T>>::words(n), DecoupledWsam::<T, Buffer<T>>::words(n)));
}

fn others<T: Real>() {
    let (rule, one) = (seen(Rule::l2(T::ONE)), seen(T::ONE));
    let mut reuse = Reuse::new(seen(3), one, zero::<T>(), zero());
    seen(reuse.buffers_mut());
    seen((reuse.is_due(), Reuse::<T, Buffer<T>>::words(seen(5))));
    run!(LookSam::new(space(), rule, reuse, base()));
    run!(MomentumSam::new(space(), rule, base()));
    let noise = Gaussian::new(seen(1));
    noise.fill(&mut seen(zero::<T>()));
    run!(RandomSam::new(space(), rule, noise, base()));
    run!(MultiStepSam::new(space(), rule, seen(3), one, base(), zero()));
    seen(MultiStepSam::<SliceSpace<T, Buffer<T>>, Adam<T, Buffer<T>>, Buffer<T>>::words(seen(5)));

    seen(SecondOrderSam::<SliceSpace<T, Buffer<T>>, Adam<T, Buffer<T>>, Buffer<T>>::words(seen(5)));
    let mut exact = SecondOrderSam::new(space(), rule, base(), [zero(); 2]);
    let (mut w, mut g) = (seen(zero::<T>()), seen(zero::<T>()));
    report(exact.step(&mut w[..], &mut g[..], &mut Bowl));
    let mut oracle = FiniteDifference::new(Bowl, one, [zero(); 2]);
    report(exact.step(&mut w[..], &mut g[..], &mut oracle));
    state::<T>(&mut exact);
    seen((FiniteDifference::single(Bowl, [[0f32; 5]; 2]), FiniteDifference::double(Bowl, [[0f64; 5]; 2])));
}

fn oracles<T: Real>() {
    let (mut w, mut g) = (seen(zero::<T>()), seen(zero::<T>()));
    // A macro, since the errors have as many types as oracles.
    macro_rules! ask {
        ($oracle:expr) => {
            #[allow(unused_mut, reason = "some are references")]
            let mut oracle = $oracle;
            report::<T, _>(oracle.gradient(&w[..], &mut g[..], seen(Pass::Clean)));
            let ready: &mut Ready<'_, [T]> = &mut |g, part| _ = seen((g.len(), part));
            report::<T, _>(oracle.gradient_in_parts(&w[..], &mut g[..], seen(Pass::Clean), ready));
        };
    }
    let mut counting = CountingOracle::new(Bowl);
    ask!(&mut counting);
    seen(counting.total());
    ask!(FnOracle(|w: &[T], g: &mut [T], pass| Bowl.gradient(w, g, pass)));
    ask!(FnOracle::infallible(|_: &[T], _: &mut [T], _| seen(T::ONE)));
    ask!(Penalty::new(Bowl, seen(T::ONE)));
    ask!(SplitOracle::new(Bowl, Bowl));
    ask!(FiniteDifference::new(Bowl, seen(T::ONE), [zero::<T>(); 2]));
    ask!(SamGradient::new(Bowl, seen(Rule::l2(T::ONE)), zero::<T>()));
    let selected = SelectedSamples::new(Bowl, seen(T::ONE), zero::<T>(), zero::<T>(), [0; 5]);
    seen(selected.check_settings().is_ok());
    ask!(selected);
    let curved = CurvatureRegularized::new(Bowl, seen(T::ONE), seen(T::ONE), [zero::<T>(); 4]);
    seen((curved.check_settings().is_ok(), CurvatureRegularized::<T, Bowl, Buffer<T>>::words(seen(5))));
    let mut curved = seen(curved);
    ask!(&mut curved);
    report(curved.gradient(&w[..], &mut g[..], seen(Pass::Perturbed)));
    let gsam = || Gsam::new(seen(T::ONE), zero::<T>());
    ask!(GsamGradient::new(Bowl, seen(Rule::l2(T::ONE)), gsam().around_clean(), zero::<T>()).by_magnitude());
    ask!(GsamGradient::new(Bowl, seen(Rule::l1(T::ONE)), gsam(), zero::<T>()));
    let mut whole = Bowl;
    ask!(MicroBatches::new(&mut whole, seen(0), zero::<T>()));
    let groups = SamGradient::new(Bowl, seen(Rule::l1(T::ONE)), zero::<T>());
    ask!(MicroBatches::new(groups, seen(3), zero::<T>()));
    w = seen(w);
    seen((w, g));
    // Its message prints a float, whose text core makes with checks that never fail but stay.
    seen(Norm::from_p(seen(0.5)).is_err());
}
