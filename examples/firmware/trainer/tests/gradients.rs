//! Gradients against a plain network in `f64`, and the rules that orders, buffers and steps keep.

use proptest::prelude::*;
use sam_core::{GradientOracle, Outcome, Pass, Rule, StepError};
use trainer::{
    Batch, BatchOrder, Buffers, CLASSES, LastLayer, Method, Network, PIXELS, Recipe, Scope, Sensor, Set,
    Sight, Trainer, Whole, XorShift,
};

/// Mean cross-entropy of a batch, written without regard to speed.
fn loss(hidden: usize, w: &[f64], images: &[[u8; PIXELS]], labels: &[u8], shift: usize) -> f64 {
    let (w1, rest) = w.split_at(hidden * PIXELS);
    let (b1, rest) = rest.split_at(hidden);
    let (w2, b2) = rest.split_at(CLASSES * hidden);
    let mut sum = 0.0;
    for (image, label) in images.iter().zip(labels) {
        let x = |i: usize| if i % 8 < shift { 0.0 } else { f64::from(image[i - shift]) / 8.0 };
        let h: Vec<f64> = (0..hidden)
            .map(|j| ((0..PIXELS).map(|i| w1[j * PIXELS + i] * x(i)).sum::<f64>() + b1[j]).max(0.0))
            .collect();
        let z: Vec<f64> = (0..CLASSES)
            .map(|c| (0..hidden).map(|j| w2[c * hidden + j] * h[j]).sum::<f64>() + b2[c])
            .collect();
        sum += z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[usize::from(*label)];
    }
    sum / images.len() as f64
}

fn images() -> impl Strategy<Value = Vec<([u8; PIXELS], u8)>> {
    let image = prop::collection::vec(0..=16u8, PIXELS).prop_map(|v| std::array::from_fn(|i| v[i]));
    prop::collection::vec((image, 0..10u8), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn gradients_are_the_losss_slope(
        samples in images(), hidden in 1..7usize, seed: u32, scale in 0.1..0.5f32, shift in 0..3usize,
    ) {
        let network = Network { hidden };
        let mut random = XorShift::new(seed);
        let w: Vec<f32> = (0..network.weights()).map(|_| scale * random.symmetric()).collect();
        let (pictures, labels): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let set = Set { images: &pictures, labels: &labels };
        let sensor = if shift == 0 { Sensor::Straight } else { Sensor::Shifted(shift) };
        let order = BatchOrder::new(set.len(), &mut random);
        let batch = Batch { set, sensor, order, places: 0..set.len() };
        let mut buffer = vec![f32::NAN; Sight::words(hidden)];
        let mut g = vec![f32::NAN; network.weights()];
        let sight = Sight::new(&mut buffer, hidden).unwrap();
        let found = Whole { network, batch: batch.clone(), sight }.gradient(&w, &mut g, Pass::Clean).unwrap();

        let wide: Vec<f64> = w.iter().map(|w| f64::from(*w)).collect();
        let expected = loss(hidden, &wide, &pictures, &labels, shift);
        prop_assert!((f64::from(found) - expected).abs() < 1e-5 * (1.0 + expected), "{found} {expected}");
        for i in 0..w.len() {
            let at = |step: f64| {
                let mut moved = wide.clone();
                moved[i] += step;
                loss(hidden, &moved, &pictures, &labels, shift)
            };
            let (left, middle, right) = (at(-1e-6), at(0.0), at(1e-6));
            let (one, two) = ((middle - left) / 1e-6, (right - middle) / 1e-6);
            // On the edge of a ReLU there are two slopes.
            let (low, high) = (one.min(two), one.max(two));
            let slack = 2e-5 * (1.0 + high.abs());
            prop_assert!((low - slack..=high + slack).contains(&f64::from(g[i])), "{i}: {} {low} {high}", g[i]);
        }

        let (first, last) = w.split_at(network.first_layer());
        let mut g_last = vec![f32::NAN; network.last_layer()];
        let sight = Sight::new(&mut buffer, hidden).unwrap();
        let again = LastLayer { network, first, batch, sight }.gradient(last, &mut g_last, Pass::Clean).unwrap();
        prop_assert_eq!(again.to_bits(), found.to_bits());
        prop_assert_eq!(&g_last[..], &g[network.first_layer()..]);
    }

    #[test]
    fn an_order_has_every_number_once(n in 1..3000usize, seed: u32) {
        let order = BatchOrder::new(n, &mut XorShift::new(seed));
        let mut seen = vec![0; n];
        (0..n).for_each(|i| seen[order.at(i)] += 1);
        prop_assert!(seen.iter().all(|count| *count == 1));
    }

    #[test]
    fn sam_without_a_radius_is_sgd(samples in images(), seed: u32) {
        let (pictures, labels): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let set = Set { images: &pictures, labels: &labels };
        let run = |method| {
            let mut trainer = small(method, seed, 3);
            let mut losses = vec![];
            while let Some((loss, outcome)) = trainer.step(&set).unwrap() {
                assert_eq!(outcome, Outcome::Descended);
                losses.push(loss.to_bits());
            }
            assert_eq!(losses.len(), 3 * set.len());
            (losses, trainer.weights)
        };
        prop_assert_eq!(run(Method::Sgd), run(Method::Sam(Rule::l2(0.0))));
    }
}

fn small(method: Method, seed: u32, hidden: usize) -> Trainer<Vec<f32>> {
    let network = Network { hidden };
    let recipe = Recipe {
        network,
        scope: Scope::All,
        sensor: Sensor::Straight,
        method,
        epochs: 3,
        batch: 1,
        lr: 0.01,
        momentum: 0.5,
        seed,
    };
    let zeros = || vec![0.0; network.weights()];
    let mut weights = zeros();
    network.initialise(&mut weights, XorShift::new(seed));
    let sight = vec![0.0; Sight::words(hidden)];
    Trainer::new(recipe, Buffers { weights, gradient: zeros(), perturbed: zeros(), momentum: zeros(), sight })
}

#[test]
fn buffers_of_the_wrong_length_are_refused_and_nothing_changes() {
    let set = Set { images: &[[3; PIXELS]], labels: &[4] };
    let mut trainer = small(Method::Sam(Rule::l2(0.1)), 1, 3);
    trainer.recipe.network.hidden = 4;
    let before = trainer.weights.clone();
    let Err(StepError::Space(error)) = trainer.step(&set) else { panic!("expected an error of the space") };
    assert_eq!((error.buffer, error.expected, error.found), ("sight", Sight::words(4), Sight::words(3)));
    assert_eq!((&trainer.weights, trainer.done()), (&before, 0));
    let nothing = Set { images: &[], labels: &[] };
    assert_eq!(small(Method::Sgd, 1, 3).step(&nothing), Ok(None));
}
