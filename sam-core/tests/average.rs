//! Averages of weights against their definitions in f64.

use proptest::{collection::vec, prelude::*};
use sam_core::{Average, LengthMismatch, State, Values, ValuesMut, average::Weighting};

const N: usize = 3;

/// What each of `count` steps counts, from the definition: 1 for each, or less by `decay` a step.
fn weights(weighting: Weighting<f64>, count: usize) -> Vec<f64> {
    let mut weights: Vec<f64> = Vec::new();
    for n in 1..=count {
        let share = match weighting {
            Weighting::Exponential { decay } => (1.0 - decay).max(1.0 / n as f64),
            // The first step has nothing before it to keep.
            Weighting::Warmed { from, .. } if n == 1 || (n as u64) < from => 1.0,
            Weighting::Warmed { decay, from } => {
                let steps = (n as u64 - from) as f64;
                1.0 - decay.min((1.0 + steps) / (10.0 + steps))
            }
            _ => 1.0 / n as f64,
        };
        weights.iter_mut().for_each(|weight| *weight *= 1.0 - share);
        weights.push(share);
    }
    weights
}

fn weighting() -> impl Strategy<Value = Weighting<f64>> {
    prop_oneof![
        Just(Weighting::Uniform),
        (0.0..1.0f64).prop_map(|decay| Weighting::Exponential { decay }),
        (0.0..1.0f64, 0..40u64).prop_map(|(decay, from)| Weighting::Warmed { decay, from }),
    ]
}

fn average(weighting: Weighting<f64>, steps: &[[f64; N]]) -> Average<f64, [f64; N]> {
    let mut average = Average::uniform([f64::NAN; N]);
    average.weighting = weighting;
    steps.iter().for_each(|w| average.add(w).expect("an average as long as the weights"));
    average
}

proptest! {
    #[test]
    fn is_the_weighted_mean(weighting in weighting(), steps in vec(prop::array::uniform3(-10.0..10.0f64), 1..60)) {
        let average = average(weighting, &steps);
        let weights = weights(weighting, steps.len());
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (i, found) in average.mean().iter().enumerate() {
            let expected: f64 = weights.iter().zip(&steps).map(|(weight, w)| weight * w[i]).sum();
            prop_assert!((found - expected).abs() < 1e-12 * 10.0, "{found} instead of {expected}");
        }
        prop_assert_eq!(average.count(), steps.len() as u64);
    }

    #[test]
    fn of_constant_weights_is_those_weights(weighting in weighting(), w in prop::array::uniform3(-1e30..1e30f64), n in 1..50usize) {
        let average = average(weighting, &vec![w; n]);
        prop_assert_eq!(average.mean(), w);
    }

    #[test]
    fn goes_on_from_saved_state(weighting in weighting(), steps in vec(prop::array::uniform3(-10.0..10.0f64), 2..20), at in 1..19usize) {
        let (before, after) = steps.split_at(at.min(steps.len() - 1));
        let first = average(weighting, before);
        let (mut mean, mut count) = (Vec::new(), 0);
        first.save(&mut |_, piece| {
            match piece {
                Values::Reals(reals) => mean = reals.to_vec(),
                Values::Counts(counts) => count = counts[0],
            }
        });
        let mut second = average(weighting, &[]);
        second.load(&mut |_, piece| {
            match piece {
                ValuesMut::Reals(reals) => reals.copy_from_slice(&mean),
                ValuesMut::Counts(counts) => counts[0] = count,
            }
        });
        after.iter().for_each(|w| second.add(w).unwrap());
        let whole = average(weighting, &steps);
        prop_assert_eq!(second.mean(), whole.mean());
    }
}

#[test]
fn another_length_is_refused_and_changes_nothing() {
    let mut average = average(Weighting::Uniform, &[[1.0, 2.0, 3.0]]);
    let error = average.add(&[1.0; 2]).unwrap_err();
    assert_eq!(error, LengthMismatch::new("average's buffer", 2, 3));
    assert_eq!((average.mean(), average.count()), (&[1.0, 2.0, 3.0][..], 1));
}
