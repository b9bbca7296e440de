//! Random numbers of layers: counted, so that who draws them and when makes no difference; and distributed as they should be.

use sam_model::random::{Coefficient, Key, drop_connect, kept, shake_drop, shake_shake};
use std::collections::BTreeSet;

const KEY: Key = Key([3, 8, 41]);

#[test]
fn numbers_are_those_of_chacha8_in_the_order_of_samples() {
    // The stream of the key once, from the start: what a kernel that knows nothing but ChaCha's blocks has.
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };
    let mut stream = ChaCha8Rng::from_seed(KEY.of_node(5));
    // 19 numbers take two blocks of 16 words.
    for sample in 0..4 {
        let words: Vec<u32> = (0..32).map(|_| stream.next_u32()).collect();
        let found: Vec<f32> = KEY.uniform(5, sample, 19).collect();
        let expected: Vec<f32> = words[..19].iter().map(|word| (word >> 8) as f32 / 16_777_216.0).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn every_node_sample_and_step_has_numbers_of_its_own() {
    let mut seen = BTreeSet::new();
    for (node, sample, step) in (0..4).flat_map(|n| (0..4).flat_map(move |s| (0..4).map(move |t| (n, s, t))))
    {
        let numbers = Key([3, 8, step]).uniform(node, sample, 2);
        assert!(seen.insert(numbers.map(f32::to_bits).collect::<Vec<_>>()), "{node} {sample} {step}");
    }
}

#[test]
fn only_the_backward_coefficient_is_fresh() {
    for sample in 0..200 {
        let [own, fresh] = [false, true].map(|fresh| shake_shake(KEY, 1, sample, fresh));
        assert_eq!((own.forward, own.backward), (fresh.forward, own.forward));
        assert!(fresh.forward != fresh.backward);
        let [own, fresh] = [false, true].map(|fresh| shake_drop(KEY, 1, sample, 0.5, fresh));
        assert_eq!((own.forward, own.backward), (fresh.forward, own.forward));
        assert_eq!(fresh.backward == fresh.forward, fresh.forward == 1.0);
    }
}

/// Means and ranges over many samples, within five standard deviations.
#[test]
fn coefficients_are_distributed_as_published() {
    let n = 20_000;
    let mean = |of: &dyn Fn(Coefficient) -> f64, all: &[Coefficient]| {
        all.iter().map(|c| of(*c)).sum::<f64>() / all.len() as f64
    };
    let near = |found: f64, expected: f64, deviation: f64, count: usize| {
        assert!((found - expected).abs() < 5.0 * deviation / (count as f64).sqrt(), "{found} for {expected}");
    };
    let uniform = (1.0f64 / 12.0).sqrt();
    let shaken: Vec<_> = (0..n).map(|sample| shake_shake(KEY, 2, sample, true)).collect();
    near(mean(&|c| c.forward.into(), &shaken), 0.5, uniform, n);
    near(mean(&|c| c.backward.into(), &shaken), 0.5, uniform, n);
    near(mean(&|c| f64::from(c.forward) * f64::from(c.backward), &shaken), 0.25, 0.22, n);

    let all: Vec<_> = (0..n).map(|sample| shake_drop(KEY, 2, sample, 0.75, true)).collect();
    let dropped: Vec<_> = all.into_iter().filter(|c| c.forward != 1.0).collect();
    near(dropped.len() as f64 / n as f64, 0.25, 0.4331, n);
    near(mean(&|c| c.forward.into(), &dropped), 0.0, 2.0 * uniform, dropped.len());
    near(mean(&|c| c.backward.into(), &dropped), 0.5, uniform, dropped.len());
    assert!(
        dropped.iter().any(|c| c.forward < -0.9) && dropped.iter().all(|c| (0.0..1.0).contains(&c.backward))
    );

    let connected: Vec<_> = (0..n).map(|sample| drop_connect(KEY, 2, sample, 0.2)).collect();
    near(mean(&|c| c.forward.into(), &connected), 1.0, 0.5, n);
    assert!(connected.iter().all(|c| (c.forward == 0.0 || c.forward == 1.25) && c.backward == c.forward));
    assert_eq!((kept(0.0, 0.0), kept(0.49, 0.5), kept(0.5, 0.5)), (1.0, 0.0, 2.0));
}
