//! Steps in halves that borrow nothing: what `step` does, bit for bit, whatever happens between.

#[path = "support/in_place.rs"]
mod in_place;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/method.rs"]
mod method;

use std::sync::mpsc::channel;
use std::thread;

use in_place::InPlace;
use method::{N, Vector, sgd};
use sam_core::*;

const START: Vector = [0.9, -1.3, -0.0, 2.1, -0.2, 0.7];
const NAN: Vector = [f64::NAN; N];

/// What goes wrong, and at which of the calls of the oracle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Gradient(usize),
    Loss(usize),
    Zero(usize),
}

fn gradient(w: &[f64], g: &mut [f64], call: usize, fault: Fault) -> f64 {
    g.iter_mut().zip(w).for_each(|(g, w)| *g = (1.3 * w).sin() + w * 0.5 + 0.2);
    match fault {
        Fault::Gradient(at) if at == call => g[3] = f64::NAN,
        Fault::Loss(at) if at == call => return f64::INFINITY,
        Fault::Zero(at) if at == call => g.fill(0.0),
        _ => {}
    }
    w.iter().sum()
}

fn bits(w: &[f64]) -> [u64; N] {
    std::array::from_fn(|i| w[i].to_bits())
}

/// All that a step reports, as bits, and the parameters after it.
type Report = (Option<u64>, Option<u64>, u64, Outcome, [u64; N]);

fn report(step: &Step<f64, formula::DualNorm>, w: &[f64]) -> Report {
    let bits_of = |loss: f64| loss.to_bits();
    (
        Some(bits_of(step.clean)),
        step.perturbed.map(bits_of),
        bits_of(step.norm.value()),
        step.outcome,
        bits(w),
    )
}

fn report_of_one(step: &SingleStep<f64, formula::DualNorm>, w: &[f64]) -> Report {
    (None, Some(step.loss.to_bits()), step.norm.value().to_bits(), step.outcome, bits(w))
}

/// Ten steps of both, with a fault in one of them, and a step given up before each.
macro_rules! same {
    ($name:literal, $method:expr, |$m:ident, $w:ident, $g:ident, $call:ident, $fault:ident| $halves:expr, $report:ident,
     |$c:ident, $v:ident, $h:ident| $cancelled:expr) => {{
        let faults =
            (0..5).flat_map(|at| [Fault::None, Fault::Gradient(at), Fault::Loss(at), Fault::Zero(at)]);
        for (fault, when) in faults.flat_map(|fault| [(fault, 0), (fault, 4), (fault, 5)]) {
            let (mut a, mut b) = ($method, $method);
            let (mut v, mut w) = (START, START);
            for step in 0..10 {
                let fault = if step == when { fault } else { Fault::None };
                let mut calls = 0;
                let expected = a
                    .step_with(&mut v[..], &mut NAN.clone()[..], |w, g, _| {
                        calls += 1;
                        gradient(w, g, calls - 1, fault)
                    })
                    .unwrap();
                {
                    let ($c, $v, $h) = (&mut b, &mut w, &mut NAN.clone());
                    $cancelled
                }
                let found = {
                    let ($m, $w, $g, $call, $fault) = (&mut b, &mut w, &mut NAN.clone(), &mut 0, fault);
                    $halves
                };
                assert_eq!($report(&found, &w), $report(&expected, &v), "{}, step {step}, {fault:?}", $name);
            }
        }
    }};
}

type NoError = std::convert::Infallible;

/// Methods that begin with a gradient at the parameters.
macro_rules! same_after_a_gradient {
    ($name:literal, $method:expr) => {
        same_after_a_gradient!($name, $method, true)
    };
    // Some steps need no second gradient: to begin one is to take it.
    ($name:literal, $method:expr, $may_be_given_up:expr) => {
        same!(
            $name,
            $method,
            |method, w, g, call, fault| {
                let clean = gradient(w, g, 0, fault);
                let mut next = method.begin(&mut w[..], &mut g[..], clean).unwrap();
                loop {
                    match next {
                        Next::Done(step) => break step,
                        Next::Gradient(half) => {
                            *call += 1;
                            let loss = gradient(method.perturbed(&w[..]), g, *call, fault);
                            next = method.finish(half, &mut w[..], &mut g[..], loss).unwrap().into();
                        }
                    }
                }
            },
            report,
            |method, w, g| {
                let before = bits(w);
                if $may_be_given_up {
                    let clean = gradient(w, g, 0, Fault::None);
                    if let Next::Gradient(half) = method.begin(&mut w[..], &mut g[..], clean).unwrap() {
                        assert_ne!(bits(method.perturbed(&w[..])), before);
                        method.cancel(half, &mut w[..]).unwrap();
                    }
                }
                assert_eq!(bits(w), before, "{}", $name);
            }
        )
    };
}

/// Methods that perturb before any gradient.
macro_rules! same_before_a_gradient {
    ($name:literal, $method:expr, |$m:ident, $w:ident, $g:ident| $begin:expr) => {
        same!(
            $name,
            $method,
            |$m, $w, $g, _call, fault| {
                let half = $begin.unwrap();
                let loss = gradient($m.perturbed(&$w[..]), $g, 0, fault);
                $m.finish(half, &mut $w[..], &mut $g[..], loss).unwrap()
            },
            report_of_one,
            |$m, $w, $g| {
                let before = bits($w);
                let half = $begin.unwrap();
                $m.cancel(half, &mut $w[..]).unwrap();
                assert_eq!(bits($w), before, "{}", $name);
            }
        )
    };
}

/// The methods in slices, or in place.
macro_rules! every_method {
    ($space:expr) => {{
        let rule = Rule::l2(0.3);
        same_after_a_gradient!("SAM", Sam::new($space, rule, sgd(0.05)));
        same_after_a_gradient!("ASAM", Sam::new($space, rule.adaptive(0.01), sgd(0.05)));
        macro_rules! variant {
            ($title:literal, $ascent:expr, $combination:expr) => {
                same_after_a_gradient!($title, Variant::new($space, rule, $ascent, $combination, sgd(0.05)))
            };
        }
        variant!("GSAM", AlongGradient, Gsam::new(0.4, NAN));
        variant!("WSAM", AlongGradient, Wsam::new(0.8, NAN));
        variant!("decoupled WSAM", AlongGradient, DecoupledWsam::new(0.8, NAN));
        variant!("Friendly SAM", Friendly::new(0.7, 0.8, NAN, NAN), PerturbedOnly);
        variant!("stochastic", Stochastic::new(0.5, 3), PerturbedOnly);
        same_after_a_gradient!(
            "LookSAM-3",
            LookSam::new($space, rule, Reuse::new(3, 0.6, NAN, NAN), sgd(0.05)),
            false
        );
        for steps in [0, 1, 3] {
            same_after_a_gradient!(
                "inner steps",
                MultiStepSam::new($space, rule, steps, 0.2, sgd(0.05), NAN),
                steps > 0
            );
        }
        same_before_a_gradient!("momentum SAM", MomentumSam::new($space, rule, sgd(0.05)), |m, w, g| {
            let _ = &g;
            m.begin(&mut w[..])
        });
        same_before_a_gradient!(
            "random",
            RandomSam::new($space, rule, Gaussian::new(9), sgd(0.05)),
            |m, w, g| m.begin(&mut w[..], &mut g[..])
        );
    }};
}

#[test]
fn halves_are_steps_bit_for_bit_and_a_step_given_up_was_none() {
    every_method!(SliceSpace::new(NAN));
    every_method!(InPlace::<N>::new());
}

#[test]
fn second_order_in_parts_is_the_step() {
    /// `L = sum w^3 / 6`, whose Hessian is the diagonal `w`.
    struct Cubic;
    impl GradientOracle<[f64]> for Cubic {
        type Loss = f64;
        type Error = NoError;
        fn gradient(&mut self, w: &[f64], g: &mut [f64], _: Pass) -> Result<f64, NoError> {
            g.iter_mut().zip(w).for_each(|(g, w)| *g = w * w / 2.0);
            Ok(w.iter().map(|w| w * w * w / 6.0).sum())
        }
    }
    impl HessianVector<[f64]> for Cubic {
        fn hessian_vector(&mut self, w: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), NoError> {
            out.iter_mut().zip(w.iter().zip(v)).for_each(|(out, (w, v))| *out = w * v);
            Ok(())
        }
    }
    let make = || SecondOrderSam::new(InPlace::<N>::new(), Rule::l2(0.3), sgd(0.05), [NAN; 2]);
    let (mut a, mut b) = (make(), make());
    let (mut v, mut w, mut g) = (START, START, NAN);
    for _ in 0..5 {
        let expected = a.step(&mut v[..], &mut g[..], &mut Cubic).unwrap();
        let clean = Cubic.gradient(&w, &mut g, Pass::Clean).unwrap();
        let Next::Gradient(half) = b.begin(&mut w[..], &g[..], clean).unwrap() else { panic!("no gradient") };
        let loss = Cubic.gradient(b.perturbed(&w[..]), &mut g, Pass::Perturbed).unwrap();
        let found = match b.finish(half, &mut w[..], &mut g[..], loss).unwrap() {
            NextProduct::Done(step) => step,
            NextProduct::Product(half) => {
                let (vector, product) = b.product();
                Cubic.hessian_vector(&w, vector, product).unwrap();
                b.finish_product(half, &mut w[..], &mut g[..]).unwrap()
            }
        };
        assert_eq!(report(&found, &w), report(&expected, &v));
    }
    let clean = Cubic.gradient(&w, &mut g, Pass::Clean).unwrap();
    let before = bits(&w);
    let Next::Gradient(half) = b.begin(&mut w[..], &g[..], clean).unwrap() else { panic!("no gradient") };
    b.cancel(half, &mut w[..]).unwrap();
    assert_eq!(bits(&w), before);
}

/// The half goes to another thread, which knows nothing of the method, and comes back with a gradient.
#[test]
fn a_half_crosses_threads_beside_its_gradient() {
    let mut sam = Sam::new(SliceSpace::new(NAN), Rule::l2(0.3), sgd(0.05));
    let (mut w, mut g) = (START, NAN);
    let (work, asked) = channel::<(Half<f64, formula::DualNorm>, Vector)>();
    let (answer, answered) = channel();
    let worker = thread::spawn(move || {
        for (half, at) in asked {
            let mut g = NAN;
            let loss = gradient(&at, &mut g, 1, Fault::None);
            answer.send((half, g, loss)).unwrap();
        }
    });
    let clean = gradient(&w, &mut g, 0, Fault::None);
    if let Next::Gradient(half) = sam.begin(&mut w[..], &g[..], clean).unwrap() {
        work.send((half, std::array::from_fn(|i| sam.perturbed(&w[..])[i]))).unwrap();
        let (half, mut g, loss) = answered.recv().unwrap();
        assert_eq!(sam.finish(half, &mut w[..], &mut g[..], loss).unwrap().outcome, Outcome::Descended);
    }
    drop(work);
    worker.join().unwrap();
    assert_ne!(bits(&w), bits(&START));
}
