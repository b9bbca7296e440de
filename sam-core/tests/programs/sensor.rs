//! The program of a microcontroller on this machine: it has no heap, learns, and does what a plain loop in f64 does.

#[allow(dead_code, reason = "the board's program uses the rest")]
#[path = "sensor_model.rs"]
mod model;

use model::{Model, SEEN, WEIGHTS};
use sam_core::Outcome;

const RHO: f32 = 0.05;
const LR: f32 = 0.02;

fn reading(i: usize) -> f32 {
    (0.4 * i as f32).sin() + 0.3
}

#[test]
fn a_model_without_a_heap_learns_and_follows_a_plain_loop() {
    let mut model = Model::new(RHO, LR);
    let (mut w, mut momentum) = ([0.0f64; WEIGHTS], [0.0; WEIGHTS]);
    let mut errors = Vec::new();
    for i in 0..600 {
        let report = model.learn(reading(i)).unwrap();
        if i < SEEN {
            assert_eq!(report, None);
            continue;
        }
        let (error, outcome) = report.expect("enough readings");
        assert_eq!(outcome, Outcome::Descended);
        errors.push(error);

        let x: [f64; WEIGHTS] =
            std::array::from_fn(|k| if k < SEEN { reading(i - SEEN + k).into() } else { 1.0 });
        let miss = |w: &[f64]| x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() - f64::from(reading(i));
        let clean = miss(&w);
        let norm = x[..SEEN].iter().map(|x| (clean * x).powi(2)).sum::<f64>().sqrt();
        let up: [f64; WEIGHTS] =
            std::array::from_fn(
                |k| {
                    if k < SEEN { w[k] + f64::from(RHO) * clean * x[k] / norm } else { w[k] }
                },
            );
        let second = x.map(|x| miss(&up) * x);
        let length = second.iter().map(|g| g * g).sum::<f64>().sqrt();
        for k in 0..WEIGHTS {
            momentum[k] = 0.5 * momentum[k] + second[k] / length.max(1.0);
            w[k] -= f64::from(LR) * momentum[k];
        }
        // Single against double precision.
        for (a, b) in model.weights.iter().zip(w) {
            assert!((f64::from(*a) - b).abs() < 2e-3, "reading {i}: {a} instead of {b}");
        }
    }
    let mean = |errors: &[f32]| errors.iter().sum::<f32>() / errors.len() as f32;
    let (first, last) = (mean(&errors[..10]), mean(&errors[errors.len() - 50..]));
    assert!(last < 0.05 * first, "{first} to {last}");
    assert!(size_of::<Model>() < 512, "{} bytes", size_of::<Model>());
}
