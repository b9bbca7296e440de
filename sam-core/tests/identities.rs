//! What must hold for every method: counts, ends of the range, failures, resuming; and which methods are
//! others' ends.

#[path = "support/method.rs"]
mod method;

use std::cell::Cell;

use method::{Entry, Method, N, Vector, base, methods, sgd, space};
use proptest::prelude::*;
use sam_core::*;

fn bits(w: &[f64]) -> Vec<u64> {
    w.iter().map(|w| w.to_bits()).collect()
}

/// Not symmetric, tells -0 from 0, and never zero.
fn gradient(w: &[f64], g: &mut [f64]) -> f64 {
    for (i, (g, w)) in g.iter_mut().zip(w).enumerate() {
        *g = (1.3 * w).sin() + w * 0.5 - (1.0 / w).atan() * 0.1 + 0.2 * (i as f64 + 1.0);
    }
    w.iter().sum()
}

fn weights() -> impl Strategy<Value = Vector> {
    prop::array::uniform6(prop_oneof![1 => Just(-0.0), 1 => Just(0.0), 8 => -2.0..2.0f64])
}

fn steps(method: &mut dyn Method, w: &mut Vector, n: usize) {
    for _ in 0..n {
        assert_eq!(method.step(w, &mut |w, g, _| Ok(gradient(w, g))).map(Outcome::steps), Ok(true));
    }
}

/// Both end in the same bits.
fn assert_same(mut a: Entry, mut b: Entry, start: Vector, n: usize) {
    let (mut v, mut w) = (start, start);
    steps(a.method.as_mut(), &mut v, n);
    steps(b.method.as_mut(), &mut w, n);
    assert_eq!(bits(&v), bits(&w), "{} and {}", a.name, b.name);
}

#[test]
fn steps_take_as_many_gradients_as_they_say() {
    for mut entry in methods(0.1, 0.05) {
        let mut w: Vector = std::array::from_fn(|i| 0.3 * i as f64 - 0.8);
        for i in 0..7 {
            let counts = Cell::new((0, 0));
            let outcome = entry.method.step(&mut w, &mut |w, g, pass| {
                let (clean, perturbed) = counts.get();
                counts.set(match pass {
                    Pass::Clean => (clean + 1, perturbed),
                    _ => (clean, perturbed + 1),
                });
                Ok(gradient(w, g))
            });
            assert!(outcome.is_ok_and(Outcome::steps));
            assert_eq!(counts.get(), (entry.gradients)(i), "{} in step {i}", entry.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn without_a_radius_it_is_the_base_optimizer_bit_for_bit(start in weights()) {
        for entry in methods(0.0, 0.05) {
            if entry.is_base_without_radius {
                assert_same(entry, base(0.05), start, 5);
            }
        }
    }

    #[test]
    fn without_a_learning_rate_no_bit_of_the_parameters_moves(start in weights()) {
        for mut entry in methods(0.1, 0.0) {
            let mut w = start;
            steps(entry.method.as_mut(), &mut w, 5);
            prop_assert_eq!(bits(&w), bits(&start), "{}", entry.name);
        }
    }

    #[test]
    fn a_step_that_fails_changes_nothing_in_any_pass_of_any_step(
        start in weights(), before in 0..4usize, call in 0..5usize, place in 0..N, kind in 0..4usize,
    ) {
        for mut entry in methods(0.1, 0.05) {
            let mut w = start;
            steps(entry.method.as_mut(), &mut w, before);
            let (bits_before, state) = (bits(&w), entry.method.save());
            let (mut seen, mut hit) = (0, false);
            let outcome = entry.method.step(&mut w, &mut |w, g, _| {
                let loss = gradient(w, g);
                if seen == call {
                    hit = true;
                    match kind {
                        0 => g[place] = f64::NAN,
                        1 => g[place] = f64::INFINITY,
                        2 => g[place] = f64::NEG_INFINITY,
                        _ => return Err("no data"),
                    }
                }
                seen += 1;
                Ok(loss)
            });
            if !hit {
                prop_assert_eq!(outcome.map(Outcome::steps), Ok(true), "{}", entry.name);
                continue;
            }
            match outcome {
                Ok(outcome) => prop_assert!(kind < 3 && matches!(outcome, Outcome::NonFinite(_)), "{}", entry.name),
                Err(error) => prop_assert!(kind == 3 && error.contains("no data"), "{}: {error}", entry.name),
            }
            prop_assert_eq!(bits(&w), bits_before, "{}", entry.name);
            prop_assert_eq!(entry.method.save(), state, "{}", entry.name);
        }
    }

    #[test]
    fn resuming_from_saved_state_is_bit_exact(start in weights(), stop in 0..8usize) {
        for ((mut whole, mut first), mut second) in
            methods(0.1, 0.05).into_iter().zip(methods(0.1, 0.05)).zip(methods(0.1, 0.05))
        {
            let (mut v, mut w) = (start, start);
            steps(whole.method.as_mut(), &mut v, 8);
            steps(first.method.as_mut(), &mut w, stop);
            second.method.load(&first.method.save());
            steps(second.method.as_mut(), &mut w, 8 - stop);
            prop_assert_eq!(bits(&v), bits(&w), "{}", whole.name);
            prop_assert_eq!(whole.method.save(), second.method.save(), "{}", whole.name);
        }
    }

    #[test]
    fn the_ends_of_other_methods_are_sam(start in weights(), rho in 0.01..1.0f64) {
        let rule = Rule::l2(rho);
        let nan = [f64::NAN; N];
        let mut expected = start;
        let mut sam = Sam::new(space(), rule, sgd(0.05));
        let mut g = nan;
        for _ in 0..5 {
            let _ = sam.step_with(&mut expected[..], &mut g[..], |w, g, _| gradient(w, g)).unwrap();
        }
        macro_rules! same {
            ($name:literal, $method:expr) => {
                let (mut method, mut w, mut g) = ($method, start, nan);
                for _ in 0..5 {
                    let _ = method.step_with(&mut w[..], &mut g[..], |w, g, _| gradient(w, g)).unwrap();
                }
                prop_assert_eq!(bits(&w), bits(&expected), $name);
            };
        }
        macro_rules! variant {
            ($name:literal, $ascent:expr, $combination:expr) => {
                same!($name, Variant::new(space(), rule, $ascent, $combination, sgd(0.05)));
            };
        }
        variant!("plain parts", AlongGradient, PerturbedOnly);
        variant!("GSAM, alpha = 0", AlongGradient, Gsam::new(0.0, nan));
        variant!("WSAM, gamma = 1/2", AlongGradient, Wsam::new(0.5, nan));
        variant!("Friendly SAM, sigma = 0", Friendly::new(0.0, 0.9, nan, nan), PerturbedOnly);
        variant!("stochastic, beta = 1", Stochastic::new(1.0, 5), PerturbedOnly);
        same!("LookSAM, k = 1", LookSam::new(space(), rule, Reuse::new(1, 0.7, nan, nan), sgd(0.05)));
        same!("1 inner step", MultiStepSam::new(space(), rule, 1, rho, sgd(0.05), nan));
        same!("1 segment", Sam::new(SegmentedSpace::new(Scope::Global, [Segment::new(N)], nan), rule, sgd(0.05)));
        same!("1 segment with its own norm", Sam::new(SegmentedSpace::new(Scope::Segment, [Segment::new(N)], nan), rule, sgd(0.05)));
        same!("n segments", Sam::new(SegmentedSpace::new(Scope::Global, [Segment::new(1), Segment::new(3), Segment::new(2)], nan), rule, sgd(0.05)));
    }

    #[test]
    fn one_group_is_sam(start in weights(), m in 4..9usize) {
        struct Whole;
        impl MiniBatch<f64> for Whole {
            type Error = ();
            fn samples(&self) -> usize {
                4
            }
            fn gradient_of(&mut self, _: std::ops::Range<usize>, w: &[f64], g: &mut [f64], _: Pass) -> Result<f64, ()> {
                Ok(gradient(w, g))
            }
        }
        let (mut v, mut w, mut g) = (start, start, [f64::NAN; N]);
        let groups = SamGradient::new(Whole, Rule::l2(0.1), [f64::NAN; N]);
        let mut oracle = MicroBatches::new(groups, m, [f64::NAN; N]);
        let mut plain = Plain::new(space(), sgd(0.05));
        let mut sam = Sam::new(space(), Rule::l2(0.1), sgd(0.05));
        for _ in 0..5 {
            let _ = plain.step(&mut v[..], &mut g[..], &mut oracle).unwrap();
            let _ = sam.step_with(&mut w[..], &mut g[..], |w, g, _| gradient(w, g)).unwrap();
        }
        prop_assert_eq!(bits(&v), bits(&w));
    }

    #[test]
    fn asam_does_not_see_the_scale_of_a_tensor(start in prop::array::uniform6(0.1..2.0f64), k in -8..8i32, cut in 0..N) {
        // A network whose loss stays when one tensor grows and the next layer makes up for it: L(w / scale).
        let scale: Vector = std::array::from_fn(|i| if i < cut { 2f64.powi(k) } else { 1.0 });
        let mut g = [0.0; N];
        let rule = Rule::l2(0.5).adaptive(0.0);
        let mut plain = Sam::new(space(), rule, sgd(0.0));
        let (mut w, mut seen) = (start, [[0.0; N]; 2]);
        let _ = plain.step_with(&mut w[..], &mut g[..], |w, g, pass| {
            if pass == Pass::Perturbed {
                seen[0].copy_from_slice(w);
            }
            gradient(w, g)
        }).unwrap();
        let mut scaled = Sam::new(space(), rule, sgd(0.0));
        let mut w: Vector = std::array::from_fn(|i| start[i] * scale[i]);
        let _ = scaled.step_with(&mut w[..], &mut g[..], |w, g, pass| {
            let inner: Vector = std::array::from_fn(|i| w[i] / scale[i]);
            if pass == Pass::Perturbed {
                seen[1] = inner;
            }
            let loss = gradient(&inner, g);
            g.iter_mut().zip(scale).for_each(|(g, s)| *g /= s);
            loss
        }).unwrap();
        for (a, b) in seen[0].iter().zip(seen[1]) {
            prop_assert!((a - b).abs() <= 1e-15 * a.abs(), "{a} {b}");
        }
    }
}

/// Finite gradients with a loss that is not, in every call of every step of a cycle.
#[test]
fn a_loss_that_is_not_finite_changes_nothing_in_any_pass_of_any_step() {
    let start: Vector = [0.9, -1.3, -0.0, 2.1, -0.2, 0.7];
    let mut interrupted = 0;
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (before, call) in (0..4).flat_map(|before| (0..5).map(move |call| (before, call))) {
            for mut entry in methods(0.1, 0.05) {
                let mut w = start;
                steps(entry.method.as_mut(), &mut w, before);
                let (kept, state, mut calls, mut hit) = (bits(&w), entry.method.save(), 0, None);
                let outcome = entry.method.step(&mut w, &mut |w, g, pass| {
                    calls += 1;
                    let loss = gradient(w, g);
                    if calls == call + 1 {
                        hit = Some(pass);
                        return Ok(bad);
                    }
                    Ok(loss)
                });
                let Some(pass) = hit else { continue };
                interrupted += 1;
                let what = format!("{}, step {before}, call {call}, loss {bad}", entry.name);
                assert_eq!(outcome, Ok(Outcome::NonFinite(pass)), "{what}");
                assert_eq!(bits(&w), kept, "{what}: parameters");
                assert_eq!(entry.method.save(), state, "{what}: state");
            }
        }
    }
    assert!(interrupted > 300, "only {interrupted} interruptions");
}

#[test]
fn a_loss_of_a_group_that_is_not_finite_ends_the_step() {
    /// Tells of a bad loss at one call.
    struct Batches {
        calls: usize,
        bad: (usize, f64),
    }
    impl MiniBatch<f64> for Batches {
        type Error = LengthMismatch;
        fn samples(&self) -> usize {
            6
        }
        fn gradient_of(
            &mut self,
            _: std::ops::Range<usize>,
            w: &[f64],
            g: &mut [f64],
            _: Pass,
        ) -> Result<f64, LengthMismatch> {
            self.calls += 1;
            let loss = gradient(w, g);
            Ok(if self.calls == self.bad.0 { self.bad.1 } else { loss })
        }
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for call in 1..=6 {
            let inner = Batches { calls: 0, bad: (call, bad) };
            let groups = SamGradient::new(inner, Rule::l2(0.1), [f64::NAN; N]);
            let mut oracle = MicroBatches::new(groups, 2, [f64::NAN; N]);
            let mut plain = Plain::new(space(), sgd(0.05));
            let (mut w, mut g) = ([0.7; N], [f64::NAN; N]);
            let step = plain.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
            assert_eq!(step.outcome, Outcome::NonFinite(Pass::Clean), "call {call}, loss {bad}");
            assert_eq!(bits(&w), bits(&[0.7; N]));
        }
    }
}

#[test]
fn a_zero_second_gradient_moves_nothing_by_itself() {
    let start: Vector = [0.5, -0.0, 0.0, -1.5, 1e-310, 2.0];
    for zero in [0.0, -0.0] {
        let (mut w, mut g) = (start, [0.0; N]);
        let mut sam = Sam::new(space(), Rule::l2(0.1), Sgd::new(0.1));
        let step = sam.step_with(&mut w[..], &mut g[..], |w, g, pass| {
            let loss = gradient(w, g);
            if pass == Pass::Perturbed {
                g.fill(zero);
            }
            loss
        });
        assert_eq!(step.map(|step| step.outcome), Ok(Outcome::Descended));
        assert_eq!(bits(&w), bits(&start));
    }
}
