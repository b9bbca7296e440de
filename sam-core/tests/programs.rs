//! Programs of users: a loop that owns control, a choice from a string, workers with groups of their own. How much they have to write
//! is part of what they test.

use std::ops::Range;
use std::thread;

use sam_core::formula::DualNorm;
use sam_core::*;

const N: usize = 4;
type Vector = [f64; N];
const ZERO: Vector = [0.0; N];
const START: Vector = [1.0, -2.0, 0.5, 3.0];

fn slope(w: &[f64], g: &mut [f64]) -> f64 {
    g.iter_mut().zip(w).enumerate().for_each(|(i, (g, w))| *g = (i as f64 + 1.0) * w);
    w.iter().zip(g).map(|(w, g)| 0.5 * w * *g).sum()
}

/// A loop that owns control: gradients arrive one by one, each for the parameters that the one before asked for. Fifteen lines for
/// whatever method.
macro_rules! owned {
    ($name:ident, $method:ty) => {
        struct $name {
            method: $method,
            w: Vector,
            half: Option<Half<f64, DualNorm>>,
        }
        impl $name {
            fn answer(&mut self, g: &mut Vector, loss: f64) -> Result<Vector, Box<dyn std::error::Error>> {
                let next = match self.half.take() {
                    None => self.method.begin(&mut self.w, g, loss)?,
                    Some(half) => self.method.finish(half, &mut self.w, g, loss)?.into(),
                };
                let Next::Gradient(half) = next else { return Ok(self.w) };
                self.half = Some(half);
                Ok(self.method.perturbed(&self.w).try_into()?)
            }
        }
    };
}

type Space = SliceSpace<f64, Vector>;
owned!(OwnedSam, Sam<Space, Sgd<f64>>);
owned!(OwnedGsam, Variant<Space, AlongGradient, Gsam<f64, Vector>, Sgd<f64>>);
owned!(OwnedWsam, Variant<Space, AlongGradient, Wsam<f64, Vector>, Sgd<f64>>);
owned!(OwnedFriendly, Variant<Space, Friendly<f64, Vector>, PerturbedOnly, Sgd<f64>>);
owned!(OwnedEsam, Variant<Space, Stochastic<f64>, PerturbedOnly, Sgd<f64>>);
owned!(OwnedLookSam, LookSam<Space, Sgd<f64>, Vector>);
owned!(OwnedMultiStep, MultiStepSam<Space, Sgd<f64>, Vector>);

#[test]
fn a_loop_that_owns_control_has_the_bits_of_step_with_for_every_method() {
    macro_rules! same {
        ($owner:ident, $method:expr) => {{
            let mut owner = $owner { method: $method, w: START, half: None };
            let (mut method, mut w, mut g) = ($method, START, ZERO);
            for _ in 0..20 {
                let _ = method.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).unwrap();
            }
            // The loop knows nothing of steps: it answers until as many are done.
            let (mut point, mut steps) = (START, 0);
            while steps < 20 {
                let loss = slope(&point, &mut g);
                point = owner.answer(&mut g, loss).unwrap();
                steps += usize::from(owner.half.is_none());
            }
            assert_eq!(owner.w.map(f64::to_bits), w.map(f64::to_bits), stringify!($owner));
        }};
    }
    let (space, rule, sgd) = (|| SliceSpace::new(ZERO), Rule::l2(0.05), || Sgd::new(0.05));
    same!(OwnedSam, Sam::new(space(), rule, sgd()));
    same!(OwnedGsam, Variant::new(space(), rule, AlongGradient, Gsam::new(0.4, ZERO), sgd()));
    same!(OwnedWsam, Variant::new(space(), rule, AlongGradient, Wsam::new(0.8, ZERO), sgd()));
    same!(
        OwnedFriendly,
        Variant::new(space(), rule, Friendly::new(1.0, 0.9, ZERO, ZERO), PerturbedOnly, sgd())
    );
    same!(OwnedEsam, Variant::new(space(), rule, Stochastic::new(0.6, 1), PerturbedOnly, sgd()));
    same!(OwnedLookSam, LookSam::new(space(), rule, Reuse::new(3, 0.7, ZERO, ZERO), sgd()));
    same!(OwnedMultiStep, MultiStepSam::new(space(), rule, 3, 0.02, sgd(), ZERO));
}

#[cfg(feature = "alloc")]
mod choice {
    //! Three base optimizers and four methods from a string, in 25 lines.
    use super::*;

    type Oracle = dyn GradientOracle<[f64], Loss = f64, Error = LengthMismatch>;
    type Base = Box<dyn Descent<[f64], Error = LengthMismatch>>;
    type Failure = StepError<LengthMismatch, LengthMismatch, LengthMismatch>;
    type Any = Box<dyn Method<[f64], [f64], Oracle, Norm = DualNorm, Error = Failure>>;

    fn choose(name: &str) -> Option<Any> {
        let (method, base) = name.split_once('+')?;
        let base: Base = match base {
            "sgd" => Box::new(Sgd::new(0.05)),
            "adamw" => Box::new(Adam::adamw(0.05, 0.01, ZERO, ZERO)),
            "lion" => Box::new(Lion::new(0.05, 0.01, ZERO)),
            _ => return None,
        };
        let (space, rule) = (SliceSpace::new(ZERO), Rule::l2(0.05));
        Some(match method {
            "sam" => Box::new(Sam::new(space, rule, base)),
            "asam" => Box::new(Sam::new(space, rule.adaptive(0.01), base)),
            "gsam" => Box::new(Variant::new(space, rule, AlongGradient, Gsam::new(0.4, ZERO), base)),
            "looksam" => Box::new(LookSam::new(space, rule, Reuse::new(5, 0.7, ZERO, ZERO), base)),
            _ => return None,
        })
    }

    #[test]
    fn a_string_chooses_method_and_base_optimizer() {
        for method in ["sam", "asam", "gsam", "looksam"] {
            for base in ["sgd", "adamw", "lion"] {
                let mut chosen = choose(&format!("{method}+{base}")).expect("a known name");
                let (mut w, mut g) = (START, ZERO);
                let mut oracle = FnOracle(|w: &[f64], g: &mut [f64], _: Pass| Ok(slope(w, g)));
                let first = chosen.step(&mut w, &mut g, &mut oracle).unwrap().clean;
                let last = (0..80).map(|_| chosen.step(&mut w, &mut g, &mut oracle).unwrap().clean).last();
                assert!(last.is_some_and(|last| last < 0.2 * first), "{method}+{base}: {first} to {last:?}");
            }
        }
        assert!(choose("sam+nothing").is_none());
    }
}

/// Samples on a line, whose mean squared distance is the loss.
#[derive(Clone)]
struct Samples(Vec<f64>);

impl MiniBatch<f64> for Samples {
    type Error = LengthMismatch;

    fn samples(&self) -> usize {
        self.0.len()
    }

    fn gradient_of(
        &mut self,
        part: Range<usize>,
        w: &[f64],
        g: &mut [f64],
        _: Pass,
    ) -> Result<f64, LengthMismatch> {
        let part = &self.0[part];
        let pull = |i: usize| part.iter().map(|x| (w[i] - x).sin()).sum::<f64>() / part.len() as f64;
        g.iter_mut().enumerate().for_each(|(i, g)| *g = pull(i));
        Ok(0.5 * g.iter().map(|g| g * g).sum::<f64>())
    }
}

/// One worker for each group: each climbs to a point of its own, as on accelerators that share nothing but their gradients' mean.
struct Workers(Vec<SamGradient<f64, Samples, Vector>>);

impl GradientOracle<[f64]> for Workers {
    type Loss = f64;
    type Error = BufferedError<LengthMismatch>;

    fn gradient(&mut self, w: &[f64], g: &mut [f64], pass: Pass) -> Result<f64, Self::Error> {
        let share = 1.0 / self.0.len() as f64;
        let parts: Result<Vec<_>, _> = thread::scope(|scope| {
            let work = |one: &mut SamGradient<_, Samples, _>| {
                let mut g = ZERO;
                one.gradient(w, &mut g, pass).map(|loss| (loss, g))
            };
            let threads: Vec<_> = self.0.iter_mut().map(|one| scope.spawn(move || work(one))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no worker panics")).collect()
        });
        g.fill(0.0);
        Ok(parts?.into_iter().fold(0.0, |sum, (loss, part)| {
            g.iter_mut().zip(part).for_each(|(g, part)| *g += share * part);
            sum + share * loss
        }))
    }
}

#[test]
fn four_workers_have_the_bits_of_m_sharpness_on_one() {
    let all: Vec<f64> = (0..16).map(|i| (i as f64).sin()).collect();
    let worker = |part: &[f64]| SamGradient::new(Samples(part.to_vec()), Rule::l2(0.1), ZERO);
    let mut workers = Workers(all.chunks(4).map(worker).collect());
    let mut alone = MicroBatches::new(worker(&all), 4, ZERO);
    let (mut a, mut b) =
        (Plain::new(SliceSpace::new(ZERO), Sgd::new(0.1)), Plain::new(SliceSpace::new(ZERO), Sgd::new(0.1)));
    let (mut w, mut v, mut g) = (START, START, ZERO);
    for _ in 0..30 {
        let found = a.step(&mut w, &mut g, &mut workers).unwrap();
        let expected = b.step(&mut v, &mut g, &mut alone).unwrap();
        assert_eq!(found.loss.to_bits(), expected.loss.to_bits());
    }
    assert_eq!(w.map(f64::to_bits), v.map(f64::to_bits));
}
