//! The conformance kit passes what is right, and notices each way to be wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sam_core::formula::DualNorm;
use sam_core::testkit::{self, Storage, check_descent, check_oracle, check_space};
use sam_core::*;

/// Host slices of one type.
struct Slices<T>(std::marker::PhantomData<T>);

macro_rules! slices {
    ($type:ty, $tolerance:literal) => {
        impl Storage for Slices<$type> {
            type Scalar = $type;
            type Space = SliceSpace<$type, Vec<$type>>;
            type Params = Vec<$type>;
            type Grads = Vec<$type>;
            const TOLERANCE: f64 = $tolerance;
            fn space(&mut self, len: usize) -> Self::Space {
                SliceSpace::new(vec![<$type>::NAN; len])
            }
            fn params(&mut self, values: &[f64]) -> Vec<$type> {
                values.iter().map(|x| *x as $type).collect()
            }
            fn grads(&mut self, values: &[f64]) -> Vec<$type> {
                self.params(values)
            }
            fn read(&mut self, params: &[$type]) -> Vec<f64> {
                params.iter().map(|x| f64::from(*x)).collect()
            }
            fn read_norm(&mut self, norm: &DualNorm) -> f64 {
                norm.value()
            }
        }
    };
}

slices!(f32, 1e-6);
slices!(f64, 1e-13);

fn single() -> Slices<f32> {
    Slices(std::marker::PhantomData)
}

fn double() -> Slices<f64> {
    Slices(std::marker::PhantomData)
}

#[test]
fn slices_conform() {
    check_space(&mut single());
    check_space(&mut double());
}

/// Three segments alike, or one with its own norm: both are the slice space.
struct Segments(Scope);

impl Storage for Segments {
    type Scalar = f32;
    type Space = SegmentedSpace<f32, Vec<f32>, Vec<Segment<f32>>>;
    type Params = Vec<f32>;
    type Grads = Vec<f32>;
    const TOLERANCE: f64 = 1e-6;
    fn space(&mut self, len: usize) -> Self::Space {
        let table = match self.0 {
            Scope::Global => [len / 3, len / 2 - len / 3, len - len / 2].map(Segment::new).to_vec(),
            _ => vec![Segment::new(len)],
        };
        SegmentedSpace::new(self.0, table, vec![f32::NAN; len])
    }
    fn params(&mut self, values: &[f64]) -> Vec<f32> {
        single().params(values)
    }
    fn grads(&mut self, values: &[f64]) -> Vec<f32> {
        single().params(values)
    }
    fn read(&mut self, params: &[f32]) -> Vec<f64> {
        single().read(params)
    }
    fn read_norm(&mut self, norm: &DualNorm) -> f64 {
        norm.value()
    }
}

#[test]
fn segments_conform() {
    check_space(&mut Segments(Scope::Global));
    check_space(&mut Segments(Scope::Segment));
}

#[test]
fn base_optimizers_conform() {
    macro_rules! all {
        ($storage:expr, $type:ty) => {
            let zeros = |len: usize| vec![0.0 as $type; len];
            check_descent(
                $storage,
                |_, len, lr| {
                    Sgd::new(lr as $type)
                        .with_momentum(0.9, zeros(len))
                        .with_decay(WeightDecay::Coupled(0.01))
                },
                testkit::sgd,
            );
            check_descent(
                $storage,
                |_, len, lr| Adam::adamw(lr as $type, 0.01, zeros(len), zeros(len)),
                testkit::adam,
            );
            check_descent(
                $storage,
                |_, len, lr| RmsProp::new(lr as $type, zeros(len), zeros(len)),
                testkit::rmsprop,
            );
            check_descent($storage, |_, len, lr| Lion::new(lr as $type, 0.01, zeros(len)), testkit::lion);
        };
    }
    all!(&mut double(), f64);
    all!(&mut single(), f32);
}

#[test]
fn oracles_conform() {
    let mut oracle = FnOracle(|w: &[f64], g: &mut [f64], _| {
        g.iter_mut().zip(w).for_each(|(g, w)| *g = w.cos() + w);
        Ok::<_, ()>(w.iter().map(|w| w.sin() + w * w / 2.0).sum::<f64>())
    });
    let w: Vec<f64> = (0..300).map(|i| (i as f64).sin()).collect();
    check_oracle(&mut oracle, &w, 1e-5, 1e-8);
}

/// A slice space with one fault.
struct Faulty {
    inner: SliceSpace<f64, Vec<f64>>,
    fault: Fault,
    changed: bool,
    backup: Option<Vec<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    NormOfL2Always,
    OneEntryLeftOut,
    AddsAndSubtracts,
    PerturbsByNan,
    NegativeZero,
    BlindToNan,
    CheckBlindToNan,
    NeverPerturbs,
    NeverRestores,
    BacksUpOnce,
}

const FAULTS: [Fault; 10] = [
    Fault::NormOfL2Always,
    Fault::OneEntryLeftOut,
    Fault::AddsAndSubtracts,
    Fault::PerturbsByNan,
    Fault::NegativeZero,
    Fault::BlindToNan,
    Fault::CheckBlindToNan,
    Fault::NeverPerturbs,
    Fault::NeverRestores,
    Fault::BacksUpOnce,
];

impl ParamSpace for Faulty {
    type Params = [f64];
    type Grads = [f64];
    type Scalar = f64;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[f64], g: &[f64], rule: &Rule<f64>) -> Result<DualNorm, LengthMismatch> {
        let rule = match self.fault {
            Fault::NormOfL2Always => Rule::l2(rule.rho).with_adaptive(rule.adaptive),
            _ => *rule,
        };
        match self.fault {
            Fault::BlindToNan => {
                let g: Vec<f64> = g.iter().map(|g| if g.is_nan() { 0.0 } else { *g }).collect();
                self.inner.dual_norm(w, &g, &rule)
            }
            Fault::OneEntryLeftOut if g.len() > 1024 => Ok(formula::dual_norm(&rule, &w[1..], &g[1..])),
            _ => self.inner.dual_norm(w, g, &rule),
        }
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut [f64],
        g: &[f64],
        rule: &Rule<f64>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        self.inner.ascend(w, g, rule, norm)?;
        match self.fault {
            // In place, as most do it.
            Fault::AddsAndSubtracts => {
                let up = self.inner.perturbed(w).to_vec();
                w.iter_mut().zip(up).for_each(|(w, up)| *w += up - *w);
                self.changed = true;
            }
            // In place too: what came first is put back ever after.
            Fault::BacksUpOnce | Fault::NeverRestores => {
                self.backup.get_or_insert_with(|| w.to_vec());
                w.copy_from_slice(self.inner.perturbed(&[]));
                self.changed = true;
            }
            Fault::PerturbsByNan if norm.verdict() != Verdict::Finite => {
                let w = vec![f64::NAN; w.len()];
                self.inner = SliceSpace::new(w);
            }
            Fault::NegativeZero => {
                let up = self.inner.perturbed(w).iter().map(|w| w + 0.0).collect();
                self.inner = SliceSpace::new(up);
            }
            _ => {}
        }
        Ok(())
    }

    fn perturbed<'a>(&'a self, w: &'a [f64]) -> &'a [f64] {
        match self.fault {
            Fault::AddsAndSubtracts | Fault::BacksUpOnce | Fault::NeverPerturbs | Fault::NeverRestores => w,
            _ => self.inner.perturbed(w),
        }
    }

    fn restore(&mut self, w: &mut [f64]) -> Result<(), LengthMismatch> {
        if self.fault == Fault::BacksUpOnce && self.changed {
            let backup = self.backup.as_deref().unwrap_or_default();
            w.iter_mut().zip(backup).for_each(|(w, backup)| *w = *backup);
            self.changed = false;
        }
        if self.fault == Fault::AddsAndSubtracts && self.changed {
            w.iter_mut().for_each(|w| *w -= 0.25);
            self.changed = false;
        }
        Ok(())
    }

    fn check(&mut self, g: &[f64]) -> Result<Verdict, LengthMismatch> {
        if self.fault == Fault::CheckBlindToNan { Ok(Verdict::Finite) } else { self.inner.check(g) }
    }
}

struct Faults(Fault);

impl Storage for Faults {
    type Scalar = f64;
    type Space = Faulty;
    type Params = Vec<f64>;
    type Grads = Vec<f64>;
    const TOLERANCE: f64 = 1e-13;
    fn space(&mut self, len: usize) -> Faulty {
        Faulty { inner: SliceSpace::new(vec![0.0; len]), fault: self.0, changed: false, backup: None }
    }
    fn params(&mut self, values: &[f64]) -> Vec<f64> {
        values.to_vec()
    }
    fn grads(&mut self, values: &[f64]) -> Vec<f64> {
        values.to_vec()
    }
    fn read(&mut self, params: &[f64]) -> Vec<f64> {
        params.to_vec()
    }
    fn read_norm(&mut self, norm: &DualNorm) -> f64 {
        norm.value()
    }
}

fn notices(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

#[test]
fn faults_of_a_storage_are_noticed() {
    check_space(&mut Faults(Fault::None));
    for fault in FAULTS {
        assert!(notices(|| check_space(&mut Faults(fault))), "{fault:?} passed");
    }
}

#[test]
fn faults_of_a_base_optimizer_are_noticed() {
    // Wrong momentum; a rate that moves -0; no momentum at all.
    assert!(notices(|| check_descent(
        &mut double(),
        |_, len, lr| Sgd::new(lr).with_momentum(0.91, vec![0.0; len]).with_decay(WeightDecay::Coupled(0.01)),
        testkit::sgd
    )));
    assert!(notices(|| check_descent(&mut double(), |_, _, lr| Sgd::new(lr), testkit::sgd)));
    assert!(notices(|| check_descent(&mut double(), |_, _, lr| Sgd::new(lr + 1e-12), testkit::sgd)));
}

#[test]
fn faults_of_an_oracle_are_noticed() {
    let w = [0.3, -0.7];
    let mut wrong = FnOracle(|w: &[f64], g: &mut [f64], _| {
        g.copy_from_slice(&[w[0], w[1] * 1.001]);
        Ok::<_, ()>((w[0] * w[0] + w[1] * w[1]) / 2.0)
    });
    assert!(notices(|| check_oracle(&mut wrong, &w, 1e-5, 1e-6)));
    let mut adds = FnOracle(|w: &[f64], g: &mut [f64], _| {
        g.iter_mut().zip(w).for_each(|(g, w)| *g += w);
        Ok::<_, ()>((w[0] * w[0] + w[1] * w[1]) / 2.0)
    });
    assert!(notices(|| check_oracle(&mut adds, &w, 1e-5, 1e-6)));
    let mut sloppy_when_perturbed = FnOracle(|w: &[f64], g: &mut [f64], pass| {
        g.copy_from_slice(w);
        g[0] *= if pass == Pass::Perturbed { 0.5 } else { 1.0 };
        Ok::<_, ()>((w[0] * w[0] + w[1] * w[1]) / 2.0)
    });
    assert!(notices(|| check_oracle(&mut sloppy_when_perturbed, &w, 1e-5, 1e-6)));
}

/// Half the square, which tells of the given parts when its gradient is as far as `before`.
struct Telling {
    before: fn(&[f64], &mut [f64]),
    parts: Vec<std::ops::Range<usize>>,
}

impl GradientOracle<[f64]> for Telling {
    type Loss = f64;
    type Error = ();

    fn gradient(&mut self, w: &[f64], g: &mut [f64], _: Pass) -> Result<f64, ()> {
        g.copy_from_slice(w);
        Ok(w.iter().map(|w| w * w / 2.0).sum())
    }

    fn gradient_in_parts(
        &mut self,
        w: &[f64],
        g: &mut [f64],
        pass: Pass,
        ready: &mut Ready<'_, [f64]>,
    ) -> Result<f64, ()> {
        (self.before)(w, g);
        self.parts.iter().for_each(|part| ready(g, part.clone()));
        self.gradient(w, g, pass)
    }
}

#[test]
fn faults_in_what_an_oracle_tells_are_noticed() {
    let w = [0.3, -0.7, 0.2];
    let check = |before, parts| {
        notices(|| check_oracle(&mut Telling { before, parts: Vec::from(parts) }, &w, 1e-5, 1e-6))
    };
    let all: fn(&[f64], &mut [f64]) = |w, g| g.copy_from_slice(w);
    let last: fn(&[f64], &mut [f64]) = |w, g| g[2] = w[2];
    assert!(!check(all, [1..3, 0..1]) && !check(last, [2..3, 1..1]));
    assert!(check(all, [0..2, 1..3]), "an entry twice");
    assert!(check(last, [2..3, 0..1]), "an entry too early");
    assert!(check(all, [0..2, 2..4]), "an entry that is not there");
}

/// A slice space whose clean gradient has a fault.
struct OwnGradient(SliceSpace<f64, Vec<f64>>, GradientFault);

#[derive(Clone, Copy, Debug, PartialEq)]
enum GradientFault {
    None,
    NormDoubled,
    NormOfZeros,
    ErrorLost,
    AskedTwice,
}

impl ParamSpace for OwnGradient {
    type Params = [f64];
    type Grads = [f64];
    type Scalar = f64;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[f64], g: &[f64], rule: &Rule<f64>) -> Result<DualNorm, LengthMismatch> {
        self.0.dual_norm(w, g, rule)
    }

    fn clean_gradient<O>(
        &mut self,
        w: &[f64],
        g: &mut [f64],
        rule: &Rule<f64>,
        oracle: &mut O,
    ) -> CleanGradient<Self, O::Loss, O::Error>
    where
        O: GradientOracle<[f64]> + ?Sized,
    {
        let mut ask =
            |g: &mut [f64]| oracle.gradient(w, g, Pass::Clean).map_err(|e| StepError::Oracle(e, Pass::Clean));
        let loss = match (self.1, ask(g)) {
            (GradientFault::AskedTwice, _) => ask(g)?,
            // Passed off as the storage's.
            (GradientFault::ErrorLost, Err(_)) => {
                return Err(StepError::Space(LengthMismatch::new("gradient", 0, 0)));
            }
            (_, loss) => loss?,
        };
        let seen: Vec<f64> = match self.1 {
            GradientFault::NormDoubled => g.iter().map(|g| 2.0 * g).collect(),
            GradientFault::NormOfZeros => vec![0.0; g.len()],
            _ => g.to_vec(),
        };
        Ok((loss, self.dual_norm(w, &seen, rule).map_err(StepError::Space)?))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        self.0.verdict(norm)
    }

    fn ascend(
        &mut self,
        w: &mut [f64],
        g: &[f64],
        rule: &Rule<f64>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        self.0.ascend(w, g, rule, norm)
    }

    fn perturbed<'a>(&'a self, w: &'a [f64]) -> &'a [f64] {
        self.0.perturbed(w)
    }

    fn restore(&mut self, w: &mut [f64]) -> Result<(), LengthMismatch> {
        self.0.restore(w)
    }

    fn check(&mut self, g: &[f64]) -> Result<Verdict, LengthMismatch> {
        self.0.check(g)
    }
}

struct GradientFaults(GradientFault);

impl Storage for GradientFaults {
    type Scalar = f64;
    type Space = OwnGradient;
    type Params = Vec<f64>;
    type Grads = Vec<f64>;
    const TOLERANCE: f64 = 1e-13;
    fn space(&mut self, len: usize) -> OwnGradient {
        OwnGradient(SliceSpace::new(vec![0.0; len]), self.0)
    }
    fn params(&mut self, values: &[f64]) -> Vec<f64> {
        values.to_vec()
    }
    fn grads(&mut self, values: &[f64]) -> Vec<f64> {
        values.to_vec()
    }
    fn read(&mut self, params: &[f64]) -> Vec<f64> {
        params.to_vec()
    }
    fn read_norm(&mut self, norm: &DualNorm) -> f64 {
        norm.value()
    }
}

#[test]
fn faults_of_a_storages_own_clean_gradient_are_noticed() {
    check_space(&mut GradientFaults(GradientFault::None));
    for fault in [
        GradientFault::NormDoubled,
        GradientFault::NormOfZeros,
        GradientFault::ErrorLost,
        GradientFault::AskedTwice,
    ] {
        assert!(notices(|| check_space(&mut GradientFaults(fault))), "{fault:?} passed");
    }
}
