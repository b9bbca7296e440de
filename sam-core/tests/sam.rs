//! The step: agreement with plain loops, typed outcomes, and parameters that always come back.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sam_core::{
    BufferedError, CountingOracle, FiniteDifference, FnOracle, GradientOracle, HessianVector, LengthMismatch,
    MicroBatches, MiniBatch, Outcome, Pass, Rule, Sam, SamGradient, Sgd, SliceSpace, StepError,
};

const N: usize = 5;

/// `sum w^4/4 + sin(w)`: gradient and loss in plain f64.
fn quartic(w: &[f64], g: &mut [f64]) -> f64 {
    let mut loss = 0.0;
    for (g, w) in g.iter_mut().zip(w) {
        *g = w * w * w + w.cos();
        loss += w * w * w * w / 4.0 + w.sin();
    }
    loss
}

fn bits(w: &[f64]) -> Vec<u64> {
    w.iter().map(|w| w.to_bits()).collect()
}

fn sam(rho: f64) -> Sam<SliceSpace<f64, [f64; N]>, Sgd<f64, [f64; N]>> {
    Sam::new(SliceSpace::new([f64::NAN; N]), Rule::l2(rho), Sgd::new(0.01).with_momentum(0.9, [f64::NAN; N]))
}

#[test]
fn five_steps_agree_with_plain_loops() {
    let mut w = [1.0, -2.0, 0.5, 0.0, -0.3];
    let (mut expected, mut momentum) = (w, [0.0; N]);
    let mut sam = sam(0.1);
    let mut g = [0.0; N];
    for _ in 0..5 {
        let step = sam.step_with(&mut w[..], &mut g[..], |w, g, _| quartic(w, g)).unwrap();

        let mut grad = [0.0; N];
        let clean = quartic(&expected, &mut grad);
        let norm = grad.iter().map(|g| g * g).sum::<f64>().sqrt();
        let up: Vec<f64> = expected.iter().zip(&grad).map(|(w, g)| w + 0.1 * g / norm).collect();
        let perturbed = quartic(&up, &mut grad);
        for i in 0..N {
            momentum[i] = 0.9 * momentum[i] + grad[i];
            expected[i] -= 0.01 * momentum[i];
            assert!((w[i] - expected[i]).abs() < 1e-14);
        }
        assert!((step.clean - clean).abs() < 1e-13);
        assert!((step.perturbed.unwrap() - perturbed).abs() < 1e-13);
        assert!((step.norm.value() - norm).abs() < 1e-14 * norm);
        assert_eq!(step.outcome, Outcome::Descended);
    }
}

#[test]
fn a_step_asks_for_one_gradient_in_each_pass() {
    let (mut w, mut g) = ([1.0; N], [0.0; N]);
    let mut oracle = CountingOracle::new(FnOracle(|w: &[f64], g: &mut [f64], _| Ok::<_, ()>(quartic(w, g))));
    let _ = sam(0.1).step(&mut w[..], &mut g[..], &mut oracle).unwrap();
    assert_eq!((oracle.clean, oracle.perturbed), (1, 1));
}

#[test]
fn a_failing_pass_is_named_and_changes_nothing() {
    for failing in [Pass::Clean, Pass::Perturbed] {
        let (mut w, mut g) = ([0.1, -0.3, 7e-3, -0.0, 2.0], [0.0; N]);
        let mut sam = sam(0.1);
        sam.base.momentum_buffer_mut().fill(0.7);
        let before = bits(&w);
        let error = sam
            .try_step_with(&mut w[..], &mut g[..], |w, g, pass| {
                if pass == failing { Err("no data") } else { Ok(quartic(w, g)) }
            })
            .unwrap_err();
        assert_eq!(error, StepError::Oracle("no data", failing));
        assert_eq!(error.to_string(), format!("gradient oracle, {failing} pass: no data"));
        assert_eq!(bits(&w), before);
        assert_eq!(sam.base.momentum_buffer(), [0.7; N]);
    }
}

#[test]
fn a_non_finite_entry_changes_neither_parameters_nor_state() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for bad_pass in [Pass::Clean, Pass::Perturbed] {
            for place in 0..N {
                let (mut w, mut g) = ([0.1, -0.3, 7e-3, -0.0, 2.0], [0.0; N]);
                let mut sam = sam(0.1);
                sam.base.momentum_buffer_mut().fill(0.7);
                let before = bits(&w);
                let step = sam
                    .step_with(&mut w[..], &mut g[..], |w, g, pass| {
                        let loss = quartic(w, g);
                        if pass == bad_pass {
                            g[place] = bad;
                        }
                        loss
                    })
                    .unwrap();
                assert_eq!(step.outcome, Outcome::NonFinite(bad_pass));
                assert_eq!(step.perturbed.is_none(), bad_pass == Pass::Clean);
                assert_eq!(bits(&w), before);
                assert_eq!(sam.base.momentum_buffer(), [0.7; N]);
            }
        }
    }
}

#[test]
fn a_zero_gradient_steps_like_the_base_optimizer() {
    let (mut w, mut g) = ([0.1, -0.3, 7e-3, -0.0, 2.0], [0.0; N]);
    let mut sam = sam(0.1);
    sam.base.momentum_buffer_mut().fill(0.5);
    let before = w;
    let step = sam
        .step_with(&mut w[..], &mut g[..], |w, g, _| {
            assert_eq!(bits(w), bits(&before));
            g.fill(0.0);
            0.0
        })
        .unwrap();
    assert_eq!(step.outcome, Outcome::ZeroGradient);
    for (w, before) in w.iter().zip(before) {
        assert_eq!(*w, before - 0.01 * (0.9 * 0.5));
    }
}

#[test]
fn the_guard_restores_on_drop_and_on_panic() {
    let (mut w, g) = ([0.1, -0.3, 7e-3, -0.0, 2.0], [1.0, -2.0, 0.5, 0.1, 3.0]);
    let before = bits(&w);
    let mut sam = sam(0.1);
    {
        let up = sam.ascend(&mut w[..], &g[..]).unwrap();
        assert!(up.params().iter().zip(&before).all(|(w, before)| w.to_bits() != *before));
    }
    assert_eq!(bits(&w), before);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _up = sam.ascend(&mut w[..], &g[..]).unwrap();
        panic!("in the oracle");
    }));
    assert!(caught.is_err());
    assert_eq!(bits(&w), before);
    let norm = sam.ascend(&mut w[..], &g[..]).unwrap().restore().unwrap();
    assert!((norm.value() - 14.26f64.sqrt()).abs() < 1e-14);
    assert_eq!(bits(&w), before);
}

#[test]
fn a_buffer_of_the_wrong_length_is_an_error_that_says_so() {
    let (mut w, mut g) = ([1.0; N], [0.0; N]);
    let mut short = Sam::new(SliceSpace::new([0.0; 3]), Rule::l2(0.1), Sgd::new(0.1));
    let error = short.step_with(&mut w[..], &mut g[..], |w, g, _| quartic(w, g)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter storage: the buffer for perturbed parameters has 3 entries, the parameters have 5: \
         lend a buffer as long as the parameters"
    );
    assert_eq!(w, [1.0; N]);
}

#[test]
fn lent_buffers_of_oracles_are_checked_too() {
    struct Two;
    impl MiniBatch<f64> for Two {
        type Error = &'static str;
        fn samples(&self) -> usize {
            2
        }
        fn gradient_of(
            &mut self,
            _: Range<usize>,
            w: &[f64],
            g: &mut [f64],
            _: Pass,
        ) -> Result<f64, &'static str> {
            Ok(quartic(w, g))
        }
    }
    let (w, mut g) = ([1.0; N], [0.0; N]);
    let expected = |buffer| BufferedError::Buffer(LengthMismatch::new(buffer, N, 3));
    let error = MicroBatches::new(Two, 1, [0.0; 3]).gradient(&w, &mut g, Pass::Clean);
    assert_eq!(error, Err(expected("buffer for the sum of gradients")));
    let error = SamGradient::new(Two, Rule::l2(0.1), [0.0; 3]).gradient(&w, &mut g, Pass::Clean);
    assert_eq!(error, Err(expected("buffer for perturbed parameters")));
    let inner = FnOracle(|w: &[f64], g: &mut [f64], _| Ok::<_, &str>(quartic(w, g)));
    let error = FiniteDifference::double(inner, [[0.0; 3]; 2]).hessian_vector(&w, &w, &mut g);
    assert_eq!(error, Err(expected("buffer for a finite difference")));
}
