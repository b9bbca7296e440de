//! Adam, AdamW, RMSProp, Lion and clipping against loops over single weights, and what all base optimizers
//! share.

use proptest::prelude::*;
use sam_core::{Adam, Clipped, Descent, Lion, RmsProp, Sgd, State, Values, ValuesMut, WeightDecay};

const N: usize = 7;

fn gradient(w: f64, step: usize, i: usize) -> f64 {
    (w * 1.3 + step as f64).sin() - 0.2 * i as f64
}

/// Runs `steps` steps from `start` and returns the weights.
fn run(base: &mut impl Descent<[f64]>, start: [f64; N], steps: std::ops::Range<usize>) -> [f64; N] {
    let mut w = start;
    for step in steps {
        let mut g = std::array::from_fn::<_, N, _>(|i| gradient(w[i], step, i));
        assert!(base.descend(&mut w, &mut g).is_ok());
    }
    w
}

fn start() -> [f64; N] {
    std::array::from_fn(|i| 1.5 * (i as f64 * 2.1).cos())
}

/// One weight at a time through all steps with `update(w, g, memory, t)`.
fn reference(steps: usize, update: impl Fn(&mut f64, f64, &mut [f64; 2], i32)) -> [f64; N] {
    std::array::from_fn(|i| {
        let (mut w, mut memory) = (start()[i], [0.0; 2]);
        for step in 0..steps {
            let g = gradient(w, step, i);
            update(&mut w, g, &mut memory, step as i32 + 1);
        }
        w
    })
}

fn close(a: [f64; N], b: [f64; N]) {
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-13 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn adam_and_adamw() {
    for (coupled, decoupled) in [(0.0, 0.0), (0.03, 0.0), (0.0, 0.03)] {
        let mut adam = Adam::new(0.01, [f64::NAN; N], [f64::NAN; N]);
        adam.decay =
            if decoupled > 0.0 { WeightDecay::Decoupled(decoupled) } else { WeightDecay::Coupled(coupled) };
        close(
            run(&mut adam, start(), 0..6),
            reference(6, |w, g, [m, v], t| {
                let g = g + coupled * *w;
                *w -= 0.01 * decoupled * *w;
                *m += (g - *m) * 0.1;
                *v = 0.999 * *v + 0.001 * g * g;
                let (m_hat, v_hat) = (*m / (1.0 - 0.9f64.powi(t)), *v / (1.0 - 0.999f64.powi(t)));
                *w -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
            }),
        );
    }
}

#[test]
fn rmsprop() {
    let mut rms = RmsProp::new(0.01, [f64::NAN; N], [f64::NAN; N]);
    rms.decay = 0.02;
    close(
        run(&mut rms, start(), 0..6),
        reference(6, |w, g, [v, m], _| {
            let g = g + 0.02 * *w;
            *v = 0.9 * *v + 0.1 * g * g;
            *m = 0.9 * *m + g / (v.sqrt() + 1e-8);
            *w -= 0.01 * *m;
        }),
    );
}

#[test]
fn rmsprop_as_tensorflow_has_it_begins_at_one_and_adds_inside_of_the_root() {
    let mut rms = RmsProp::tensorflow(0.01, [f64::NAN; N], [f64::NAN; N]);
    rms.decay = 0.02;
    close(
        run(&mut rms, start(), 0..6),
        reference(6, |w, g, [v, m], t| {
            let g = g + 0.02 * *w;
            *v = 0.9 * if t == 1 { 1.0 } else { *v } + 0.1 * g * g;
            *m = 0.9 * *m + g / (*v + 1e-3).sqrt();
            *w -= 0.01 * *m;
        }),
    );
}

#[test]
fn lion() {
    close(
        run(&mut Lion::new(0.01, 0.05, [f64::NAN; N]), start(), 0..6),
        reference(6, |w, g, [m, _], _| {
            let c = 0.9 * *m + 0.1 * g;
            let sign = if c > 0.0 {
                1.0
            } else if c < 0.0 {
                -1.0
            } else {
                0.0
            };
            *w -= 0.01 * (sign + 0.05 * *w);
            *m = 0.99 * *m + 0.01 * g;
        }),
    );
}

/// Names and values of everything a state has, as bits.
fn pieces(state: &dyn State<f64>) -> Vec<(String, Vec<u64>)> {
    let mut all = Vec::new();
    state.save(&mut |name, values| {
        let bits = match values {
            Values::Reals(reals) => reals.iter().map(|r| r.to_bits()).collect(),
            Values::Counts(counts) => counts.to_vec(),
        };
        all.push((name.to_owned(), bits));
    });
    all
}

fn restore(state: &mut dyn State<f64>, saved: &[(String, Vec<u64>)]) {
    let mut saved = saved.iter();
    state.load(&mut |name, values| {
        let (expected, bits) = saved.next().expect("a piece for each name");
        assert_eq!(name, *expected);
        match values {
            ValuesMut::Reals(reals) => reals.iter_mut().zip(bits).for_each(|(r, b)| *r = f64::from_bits(*b)),
            ValuesMut::Counts(counts) => counts.copy_from_slice(bits),
        }
    });
    assert!(saved.next().is_none());
}

fn all(with: &mut impl Check) {
    with.check(|| Sgd::new(0.05).with_momentum(0.9, [0.0; N]));
    with.check(|| Adam::adamw(0.05, 0.1, [0.0; N], [0.0; N]));
    with.check(|| Adam::new(0.05, [0.0; N], [0.0; N]).with_decay(WeightDecay::Coupled(0.1)));
    with.check(|| RmsProp::new(0.05, [0.0; N], [0.0; N]));
    with.check(|| Lion::new(0.05, 0.1, [0.0; N]));
    with.check(|| Clipped::new(Adam::new(0.05, [0.0; N], [0.0; N]), 0.3));
}

/// A closure over every base optimizer.
trait Check {
    fn check<D: Descent<[f64]> + State<f64>>(&mut self, make: impl Fn() -> D);
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    struct Resume;
    impl Check for Resume {
        fn check<D: Descent<[f64]> + State<f64>>(&mut self, make: impl Fn() -> D) {
            let mut whole = make();
            let end = run(&mut whole, start(), 0..7);
            for stop in 0..7 {
                let mut before = make();
                let w = run(&mut before, start(), 0..stop);
                let mut after = make();
                restore(&mut after, &pieces(&before));
                assert_eq!(run(&mut after, w, stop..7), end);
                assert_eq!(pieces(&after), pieces(&whole));
            }
        }
    }
    all(&mut Resume);
}

#[test]
fn a_wrong_length_is_refused_before_anything_moves() {
    struct Refuse;
    impl Check for Refuse {
        fn check<D: Descent<[f64]> + State<f64>>(&mut self, make: impl Fn() -> D) {
            let (mut base, mut w) = (make(), [1.0; N + 1]);
            let before = pieces(&base);
            assert!(base.descend(&mut w, &mut [1.0; N + 1]).is_err());
            assert!(base.descend(&mut w, &mut [1.0; N]).is_err());
            assert_eq!((w, pieces(&base)), ([1.0; N + 1], before));
        }
    }
    all(&mut Refuse);
}

#[test]
fn without_a_learning_rate_no_bit_moves() {
    let w = [1.0, -0.0, 0.0, -3e-310, 0.1, 1e300, -2.0];
    let still = |mut base: &mut dyn Descent<[f64], Error = sam_core::LengthMismatch>| {
        assert_eq!(run(&mut base, w, 0..3).map(f64::to_bits), w.map(f64::to_bits));
    };
    still(&mut Adam::new(0.0, [0.0; N], [0.0; N]));
    still(&mut Adam::adamw(0.0, 0.1, [0.0; N], [0.0; N]));
    still(&mut RmsProp::new(0.0, [0.0; N], [0.0; N]));
    still(&mut Lion::new(0.0, 0.1, [0.0; N]));
    still(&mut Clipped::new(Sgd::new(0.0), 0.1));
}

proptest! {
    #[test]
    fn clipping_keeps_direction_and_bounds_length(g in prop::collection::vec(-1.0..1.0f64, 1..20), decade in -200.0..200.0f64, max in 1e-3..1e3f64) {
        let g: Vec<f64> = g.iter().map(|g| g * 10f64.powf(decade)).collect();
        let norm = g.iter().map(|g| (g / 10f64.powf(decade)).powi(2)).sum::<f64>().sqrt();
        let mut seen = vec![0.0; g.len()];
        // Plain descent from zero with rate 1 shows the gradient that arrives.
        let mut clipped = Clipped::new(Sgd::new(1.0), max);
        clipped.descend(&mut seen, &mut g.clone()).unwrap();
        let factor = if norm * 10f64.powf(decade) > max { max / norm } else { 10f64.powf(decade) };
        for (seen, g) in seen.iter().zip(&g) {
            let expected = -(g / 10f64.powf(decade)) * factor;
            prop_assert!((seen - expected).abs() <= 1e-12 * expected.abs(), "{seen} {expected}");
        }
        // An infinite limit is none.
        let (mut free, mut plain) = (vec![0.0; g.len()], vec![0.0; g.len()]);
        Clipped::new(Sgd::new(1.0), f64::INFINITY).descend(&mut free, &mut g.clone()).unwrap();
        Sgd::new(1.0).descend(&mut plain, &mut g.clone()).unwrap();
        prop_assert_eq!(free, plain);
    }
}

#[test]
fn the_states_of_several_optimizers_have_different_names() {
    let fresh = || [0, 1].map(|_| Adam::new(0.1, [0.0; 2], [0.0; 2]));
    let (mut several, mut again) = (fresh(), fresh());
    for (i, adam) in several.iter_mut().enumerate() {
        for _ in 0..=i {
            adam.descend(&mut [1.0, 2.0], &mut [0.5 + i as f64, -0.5]).unwrap();
        }
    }
    let saved = pieces(&&mut several[..]);
    let names: Vec<&str> = saved.iter().map(|(name, _)| name.as_str()).collect();
    let pieces_of_adam = ["adam.steps", "adam.mean", "adam.square"];
    let expected = [0, 1].map(|i| pieces_of_adam.map(|name| format!("{i}.{name}")));
    assert_eq!(names, expected.as_flattened());
    assert_eq!((&saved[0].1, &saved[3].1), (&vec![1], &vec![2]));
    restore(&mut &mut again[..], &saved);
    assert_eq!(pieces(&&mut again[..]), saved);
}
