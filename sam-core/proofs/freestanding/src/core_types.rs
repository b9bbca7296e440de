//! Numbers, formulas, schedules, storage.

use core::hint::black_box as seen;
use core::ops::ControlFlow;

use crate::optimizers::state;
use sam_core::formula::{self, Ascent, DualNorm, NormAccumulator, Partial};
use sam_core::schedule::{Decay, tied};
use sam_core::tensors::{load_tensors, save_tensors};
use sam_core::{
    DifferentiableAscent, DirectedAscent, EachTensor, GradientAlgebra, InvalidSetting, LengthMismatch,
    LookSam, Norm, ParamSpace, Pass, Real, RepeatedAscent, Reuse, Rule, Schedule, Scope, Segment,
    SegmentedSpace, Sgd, Sink, SliceSpace, Source, StateBuffer, StepError, TensorMismatch, TensorSpace,
    Tensors, WeightDecay,
};

pub fn exercise<T: Real>() {
    numbers::<T>();
    for p in seen([1.0, 1.5, 2.0, f64::INFINITY]) {
        let Ok(norm) = Norm::from_p(p) else { continue };
        seen((norm.p(), norm.q(), Rule::new(T::ONE, norm).eta()));
        formulas::<T>(&seen(Rule::new(T::ONE, norm)));
        formulas::<T>(&seen(Rule::new(T::ONE, norm).adaptive(T::ONE)));
    }
    formulas(&seen(Rule::l1(T::ONE)));
    formulas(&seen(Rule::linf(T::ONE)));
    let rule = seen(Rule::l2(T::ONE));
    storage(&mut SliceSpace::new([T::ZERO; 5]), &rule);
    for scope in [Scope::Global, Scope::Segment] {
        let table = [Segment::new(seen(2)), Segment::fixed(seen(3))];
        let mut space = SegmentedSpace::new(scope, table, [T::ZERO; 5]);
        seen(space.segments());
        passes(&mut space, &rule);
        let (mut w, x) = (seen([T::ONE; 5]), seen([T::ONE; 5]));
        seen(space.displace(&mut w, seen(T::ONE), &x).is_ok());
        seen((space.projection(&w, &x).is_ok(), space.mix(T::ONE, &x, T::ONE, &mut w).is_ok()));
    }
    schedules::<T>();
    settings::<T>();
    tensors(&seen(Rule::l2(T::ONE)));
}

fn numbers<T: Real>() {
    let x = T::narrow(seen(-2.5));
    seen((x.widen(), x.abs(), x.sqrt(), x.sign(), x.is_finite(), T::MAX_UNIT_EXPONENT));
}

fn formulas<T: Real>(rule: &Rule<T>) {
    // Longer than a block, cut anywhere.
    let (w, g) = (seen([T::ONE; 1500]), seen([T::ONE; 1500]));
    let mut accumulator = NormAccumulator::new(rule);
    let norm = loop {
        let cut = seen(700usize);
        if let (Some((w, later_w)), Some((g, later_g))) = (w.split_at_checked(cut), g.split_at_checked(cut)) {
            accumulator.push(w, g);
            accumulator.push_as(seen(None), later_w, later_g);
        }
        match accumulator.finish() {
            ControlFlow::Break(norm) => break norm,
            ControlFlow::Continue(next) => accumulator = next,
        }
    };
    let mut accumulator = NormAccumulator::new(rule);
    for (w, g) in w.chunks(formula::BLOCK).zip(g.chunks(formula::BLOCK)) {
        let partial = accumulator.block(w, g);
        accumulator.merge(Partial::from_words(seen(partial.to_words())));
    }
    let _ = seen(accumulator.finish());
    seen((norm.value(), norm.verdict(), DualNorm::NON_FINITE));
    let ascent = Ascent::new(rule, &norm);
    let (mut up, mut v) = (g, w);
    ascent.write(seen(3), &w, &g, &mut up);
    seen(ascent.eps(seen(1), T::ONE, T::ONE));
    seen(formula::dual_norm(rule, &w, &g));
    seen((formula::all_finite(&g), formula::projection(&w, &g), formula::ratio(&w, &g)));
    seen(formula::pull_back(rule, &norm, &w, &g, &mut up, &mut v));
    formula::project(rule, &w, &mut up);
    seen((up, v));
}

fn passes<T: Real, S>(space: &mut S, rule: &Rule<T>)
where
    S: ParamSpace<Params = [T], Grads = [T], Scalar = T, Norm = DualNorm>,
{
    let (mut w, g) = (seen([T::ONE; 5]), seen([T::ONE; 5]));
    if let Ok(norm) = space.dual_norm(&w, &g, rule) {
        seen(space.verdict(&norm));
        seen(space.ascend(&mut w, &g, rule, &norm).is_ok());
        seen(space.perturbed(&w));
        seen(space.restore(&mut w).is_ok());
    }
    seen(space.check(&g).is_ok());
}

fn storage<T: Real>(space: &mut SliceSpace<T, [T; 5]>, rule: &Rule<T>) {
    passes(space, rule);
    seen(SliceSpace::<T, [T; 5]>::words(seen(5)));
    let (mut w, g) = (seen([T::ONE; 5]), seen([T::ONE; 5]));
    let (mut x, mut y) = (g, w);
    seen(space.copy(&g, &mut x).is_ok());
    seen(space.mix(seen(T::ONE), &g, seen(T::ONE), &mut x).is_ok());
    seen((space.projection(&g, &x).is_ok(), space.ratio(&g, &x).is_ok()));
    if let Ok(norm) = space.dual_norm(&w, &g, rule) {
        seen(space.reset(&mut x).is_ok());
        seen(space.climb(&mut w, &g, rule, &norm, seen(T::ONE), &mut x).is_ok());
        seen(space.pull_back(&w, &g, rule, &norm, &mut x, &mut y).is_ok());
    }
    seen((x, y));
}

fn settings<T: Real>() {
    let x = seen(T::ONE);
    let checks = [
        InvalidSetting::non_negative("x", x),
        InvalidSetting::positive("x", x),
        InvalidSetting::share("x", x),
        InvalidSetting::below_one("x", x),
        InvalidSetting::bound("x", x),
        Rule::l2(x).with_rho(x).with_adaptive(seen(Some(x))).check_settings(),
    ];
    seen(checks.map(|check| check.is_ok()));
    seen(Segment::new(seen(2)).with_radius(x).not_adaptive().len);
    let decay = seen(WeightDecay::Coupled(x));
    seen((decay.coupled(), decay.kept(x)));
    let failed = StepError::<LengthMismatch, LengthMismatch, LengthMismatch>::Oracle(
        LengthMismatch::new("x", seen(1), seen(2)),
        seen(Pass::Clean),
    );
    seen(
        failed.map_oracle(|error, pass| StepError::<_, LengthMismatch, _>::Oracle(error, pass)).is_setting(),
    );
}

/// A model of two tensors.
#[derive(Clone)]
struct Model<T>([T; 2], [T; 3]);

impl<T: Real> Tensors for Model<T> {
    type Scalar = T;

    fn tensors(&self) -> impl Iterator<Item = &[T]> {
        [&self.0[..], &self.1].into_iter()
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        [&mut self.0[..], &mut self.1].into_iter()
    }
}

/// What a method keeps of it goes into a checkpoint tensor by tensor.
impl<T: Real> StateBuffer<T> for Model<T> {
    fn save_as(&self, name: &str, sink: &mut Sink<'_, T>) {
        save_tensors(self, name, sink);
    }

    fn load_as(&mut self, name: &str, source: &mut Source<'_, T>) {
        load_tensors(self, name, source);
    }
}

fn tensors<T: Real>(rule: &Rule<T>) {
    let (mut w, mut g) = (seen(Model([T::ONE; 2], [T::ONE; 3])), seen(Model([T::ONE; 2], [T::ONE; 3])));
    let mut base = EachTensor::new([Sgd::new(T::ONE), Sgd::new(T::ONE)]);
    seen((base.list().len(), base.list_mut().len()));
    let table = seen([Segment::new(2), Segment::fixed(3)]);
    let mut space = TensorSpace::new(w.clone()).with_segments(seen(Scope::Global), table);
    seen(space.displace(&mut w, seen(T::ONE), &g).is_ok());
    let mut sam = LookSam::new(space, *rule, Reuse::new(seen(3), T::ONE, w.clone(), w.clone()), base);
    let step = sam.step_with(&mut w, &mut g, |w, g, _| g.clone_from(w));
    seen((step.is_ok(), TensorMismatch::check(&w, &g).is_ok()));
    state::<T>(&mut sam);
    let pairs = || w.tensors().zip(g.tensors());
    seen((formula::dual_norm_of(rule, pairs), formula::projection_of(pairs), formula::ratio_of(pairs)));
}

fn schedules<T: Real>() {
    let kinds = [
        Schedule::constant(T::ONE),
        Schedule::linear(T::ONE),
        Schedule::cosine(T::ONE),
        Schedule::step(T::ONE, seen(0), T::ONE).with_warmup(seen(3)),
        Schedule::new(T::ONE, Decay::Cosine { floor: T::ONE }),
    ];
    for schedule in seen(kinds) {
        seen(schedule.rate(seen(7), seen(5)));
    }
    seen(tied(seen(T::ONE), seen((T::ZERO, T::ONE)), seen((T::ZERO, T::ONE))));
}
