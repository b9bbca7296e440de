//! CR-SAM, whose step sees a third gradient, against a plain loop after its authors' code.

#[path = "support/problem.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod problem;

use problem::{N, START, Vector, Waves, assert_close, eps, mix};
use sam_core::{
    AlongGradient, BufferedError, CountingOracle, CurvatureRegularized, FnOracle, GradientOracle, Gsam,
    LengthMismatch, Outcome, Pass, Rule, Sam, Sgd, SliceSpace, StepError, Variant,
};

const ZERO: Vector = [0.0; N];
const RHO: f64 = 0.2;
const GAMMA: f64 = 0.3;
const BETA: f64 = 0.07;

fn sam() -> Sam<SliceSpace<f64, Vector>, Sgd<f64, Vector>> {
    Sam::new(SliceSpace::new(ZERO), Rule::l2(RHO), Sgd::new(0.05).with_momentum(0.9, ZERO))
}

/// What the step descends along.
fn regularized(w: Vector) -> Vector {
    let clean = Waves::grad(&w);
    let eps = eps(RHO, clean);
    let (worst, best) = (Waves::grad(&mix(1.0, w, 1.0, eps)), Waves::grad(&mix(1.0, w, -1.0, eps)));
    std::array::from_fn(|i| {
        worst[i] + GAMMA * (worst[i] + best[i] - 2.0 * clean[i]) + BETA * (worst[i] - best[i])
    })
}

#[test]
fn cr_sam_is_its_authors_loop_with_three_gradients_a_step() {
    let mut oracle = CurvatureRegularized::new(CountingOracle::new(Waves), GAMMA, BETA, [ZERO; 4]);
    oracle.check_settings().unwrap();
    let (mut sam, mut w, mut g) = (sam(), START, ZERO);
    let (mut own, mut momentum) = (START, ZERO);
    for _ in 0..15 {
        let step = sam.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
        assert_eq!(step.outcome, Outcome::Descended);
        assert_close(&[step.clean], &[Waves::loss(0..problem::SAMPLES, &own)], 1e-12);
        momentum = mix(0.9, momentum, 1.0, regularized(own));
        own = mix(1.0, own, -0.05, momentum);
        assert_close(&w, &own, 1e-12);
    }
    assert_eq!((oracle.inner.clean, oracle.inner.perturbed), (15, 30));
}

#[test]
fn without_weights_it_is_sam_bit_for_bit_and_asks_for_no_third_gradient() {
    let counting = CountingOracle::new(Waves);
    let mut oracle = CurvatureRegularized::new(counting, 0.0, 0.0, [[0.0; 0]; 4]);
    let (mut a, mut w, mut g) = (sam(), START, ZERO);
    let (mut b, mut v) = (sam(), START);
    for _ in 0..5 {
        let _ = a.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
        let _ = b.step(&mut v[..], &mut g[..], &mut Waves).unwrap();
    }
    assert_eq!(w.map(f64::to_bits), v.map(f64::to_bits));
    assert_eq!(oracle.inner.total(), 10);
}

/// It goes with every other use of the two gradients.
#[test]
fn gsam_takes_the_regularized_gradient_for_the_perturbed_one() {
    let gsam = Gsam::new(0.4, ZERO);
    let mut method = Variant::new(SliceSpace::new(ZERO), Rule::l2(RHO), AlongGradient, gsam, Sgd::new(0.05));
    let mut oracle = CurvatureRegularized::new(Waves, GAMMA, BETA, [ZERO; 4]);
    let (mut w, mut g) = (START, ZERO);
    let _ = method.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
    let (clean, robust) = (Waves::grad(&START), regularized(START));
    let along = problem::dot(&clean, &robust) / problem::dot(&robust, &robust);
    let expected = mix(1.0 + 0.4 * along, robust, -0.4, clean);
    assert_close(&w, &mix(1.0, START, -0.05, expected), 1e-13);
}

/// Where each of the three gradients fails, or its loss or gradient is not finite, the weights keep their bits.
#[test]
fn whatever_becomes_of_the_third_gradient_the_weights_come_back() {
    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        Error,
        Loss,
        Gradient,
    }
    for (call, pass) in [Pass::Clean, Pass::Perturbed, Pass::Perturbed].into_iter().enumerate() {
        for fault in [Fault::Error, Fault::Loss, Fault::Gradient] {
            let mut calls = 0;
            let inner = FnOracle(|w: &[f64], g: &mut [f64], pass| {
                calls += 1;
                let loss = Waves.gradient(w, g, pass)?;
                match fault {
                    _ if calls != call + 1 => Ok(loss),
                    Fault::Error => Err("broken"),
                    Fault::Loss => Ok(f64::INFINITY),
                    Fault::Gradient => {
                        g[2] = f64::NAN;
                        Ok(loss)
                    }
                }
            });
            let mut oracle = CurvatureRegularized::new(inner, GAMMA, BETA, [ZERO; 4]);
            let (mut sam, mut w, mut g) = (sam(), START, ZERO);
            match sam.step(&mut w[..], &mut g[..], &mut oracle) {
                Ok(step) => assert_eq!(step.outcome, Outcome::NonFinite(pass)),
                Err(error) => assert_eq!(error, StepError::Oracle(BufferedError::Inner("broken"), pass)),
            }
            assert_eq!(w.map(f64::to_bits), START.map(f64::to_bits));
            assert!(sam.base.momentum_buffer().iter().all(|m| *m == 0.0));
        }
    }
}

#[test]
fn a_buffer_of_another_length_and_a_weight_out_of_range_are_named() {
    let mut oracle = CurvatureRegularized::new(Waves, GAMMA, BETA, [[0.0; 3]; 4]);
    let error = sam().step(&mut { START }[..], &mut { ZERO }[..], &mut oracle).unwrap_err();
    let mismatch = LengthMismatch::new("buffer for curvature", N, 3);
    assert_eq!(error, StepError::Oracle(BufferedError::Buffer(mismatch), Pass::Clean));
    oracle.gamma = f64::NAN;
    assert_eq!(oracle.check_settings().unwrap_err().setting, "gamma");
    assert_eq!(CurvatureRegularized::<f64, (), Vector>::words(N), 4 * N);
}
