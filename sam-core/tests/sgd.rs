//! SGD against loops written from `torch.optim.SGD`'s documentation, and the identities at the ends of its
//! range.

use proptest::prelude::*;
use sam_core::{Descent, Rule, Sam, Sgd, SliceSpace, WeightDecay};

#[derive(Clone, Copy, Debug)]
struct Config {
    lr: f64,
    momentum: f64,
    nesterov: bool,
    decay: WeightDecay<f64>,
}

fn configs() -> impl Strategy<Value = Config> {
    let decay = prop_oneof![
        Just(WeightDecay::Coupled(0.0)),
        (1e-4..0.1).prop_map(WeightDecay::Coupled),
        (1e-4..0.1).prop_map(WeightDecay::Decoupled),
    ];
    (1e-3..1.0, prop_oneof![Just(0.0), 0.1..0.99], any::<bool>(), decay)
        .prop_map(|(lr, momentum, nesterov, decay)| Config { lr, momentum, nesterov, decay })
}

fn sgd(c: Config, n: usize) -> Sgd<f64, Vec<f64>> {
    let sgd = Sgd::new(c.lr).with_momentum(c.momentum, vec![f64::NAN; n]).with_decay(c.decay);
    if c.nesterov { sgd.with_nesterov() } else { sgd }
}

/// One weight through all steps, as PyTorch documents it.
fn reference(c: Config, mut w: f64, gradients: &[f64]) -> f64 {
    let mut buffer = None;
    for g in gradients {
        let mut g = *g;
        match c.decay {
            WeightDecay::Coupled(decay) => g += decay * w,
            WeightDecay::Decoupled(decay) => w -= c.lr * decay * w,
            other => panic!("no reference for {other:?}"),
        }
        if c.momentum != 0.0 {
            let b = buffer.map_or(g, |b: f64| c.momentum * b + g);
            buffer = Some(b);
            g = if c.nesterov { g + c.momentum * b } else { b };
        }
        w -= c.lr * g;
    }
    w
}

proptest! {
    #[test]
    fn steps_agree_with_plain_loops(
        c in configs(), start in prop::collection::vec(-2.0..2.0f64, 1..30), gradients in prop::collection::vec(-1.0..1.0f64, 1..8),
    ) {
        let mut w = start.clone();
        let mut sgd = sgd(c, w.len());
        for (step, g) in gradients.iter().enumerate() {
            let mut g: Vec<f64> = (0..w.len()).map(|i| g * (i + step + 1) as f64).collect();
            sgd.descend(&mut w, &mut g).unwrap();
        }
        for (i, (w, start)) in w.iter().zip(&start).enumerate() {
            let own: Vec<f64> = gradients.iter().enumerate().map(|(step, g)| g * (i + step + 1) as f64).collect();
            let expected = reference(c, *start, &own);
            prop_assert!((w - expected).abs() <= 1e-13 * (1.0 + expected.abs()), "{w} {expected}");
        }
    }

    #[test]
    fn without_a_learning_rate_no_bit_moves(
        c in configs(), w in prop::collection::vec(prop_oneof![Just(0.0), Just(-0.0), -2.0..2.0f64], 1..20),
    ) {
        let mut moved = w.clone();
        let mut sgd = sgd(Config { lr: 0.0, ..c }, w.len());
        for sign in [1.0, -1.0] {
            let mut g: Vec<f64> = (0..w.len()).map(|i| sign * (i as f64 - 3.0)).collect();
            sgd.descend(&mut moved, &mut g).unwrap();
        }
        for (a, b) in moved.iter().zip(&w) {
            prop_assert_eq!(a.to_bits(), b.to_bits());
        }
        if c.momentum != 0.0 && matches!(c.decay, WeightDecay::Coupled(0.0)) {
            let expected: Vec<f64> = (0..w.len()).map(|i| (c.momentum - 1.0) * (i as f64 - 3.0)).collect();
            for (m, e) in sgd.momentum_buffer().iter().zip(expected) {
                prop_assert!((m - e).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn without_a_radius_sam_is_the_base_optimizer_bit_for_bit(
        c in configs(), start in prop::collection::vec(prop_oneof![Just(-0.0), -2.0..2.0f64], 1..20), adaptive in any::<bool>(),
    ) {
        let gradient = |w: &[f64], g: &mut [f64]| {
            // 1/w tells -0 from 0.
            for (g, w) in g.iter_mut().zip(w) {
                *g = w.sin() - (1.0 / w).atan();
            }
        };
        let (mut with, mut without, mut g) = (start.clone(), start.clone(), vec![0.0; start.len()]);
        let rule = Rule::l2(0.0).with_adaptive(adaptive.then_some(0.01));
        let mut sam = Sam::new(SliceSpace::new(start.clone()), rule, sgd(c, start.len()));
        let mut base = sgd(c, start.len());
        for _ in 0..4 {
            let _ = sam.step_with(&mut with, &mut g, |w, g, _| { gradient(w, g);  }).unwrap();
            gradient(&without, &mut g);
            base.descend(&mut without, &mut g).unwrap();
        }
        for (a, b) in with.iter().zip(&without) {
            prop_assert_eq!(a.to_bits(), b.to_bits());
        }
    }

    #[test]
    fn a_restored_momentum_goes_on_as_if_never_stopped(c in configs(), start in prop::collection::vec(-2.0..2.0f64, 1..20), stop in 0..6usize) {
        let step = |sgd: &mut Sgd<f64, Vec<f64>>, w: &mut [f64]| {
            let mut g: Vec<f64> = w.iter().map(|w| w.cos()).collect();
            sgd.descend(w, &mut g).unwrap();
        };
        let (mut w, mut whole) = (start.clone(), sgd(c, start.len()));
        (0..6).for_each(|_| step(&mut whole, &mut w));

        let (mut v, mut before) = (start.clone(), sgd(c, start.len()));
        (0..stop).for_each(|_| step(&mut before, &mut v));
        let saved = before.momentum_buffer().to_vec();
        let mut after = sgd(c, start.len());
        after.momentum_buffer_mut().copy_from_slice(&saved);
        (stop..6).for_each(|_| step(&mut after, &mut v));
        prop_assert_eq!(w, v);
    }
}

#[test]
fn lengths_are_checked_before_anything_moves() {
    let mut w = [1.0, 2.0];
    let error = Sgd::new(0.1).descend(&mut w, &mut [1.0]).unwrap_err();
    assert_eq!((error.buffer, error.expected, error.found), ("gradient", 2, 1));
    let error = Sgd::new(0.1).with_momentum(0.9, [0.0; 3]).descend(&mut w, &mut [1.0, 1.0]).unwrap_err();
    assert_eq!((error.buffer, error.expected, error.found), ("momentum buffer", 2, 3));
    assert_eq!(w, [1.0, 2.0]);
}
