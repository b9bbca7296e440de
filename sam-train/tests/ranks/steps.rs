//! Steps on several ranks: their bits, and what they are beside steps on a whole batch.

use std::rc::Rc;

use sam_train::{
    data::{Augment, CutoutAt, DataSource, Dataset},
    ranks::{Alone, Ranks},
    training::{
        cpu::CpuLearner,
        learner::{Batch, Learner, WeightAccess},
        metrics::EpochMetrics,
        overlap::Overlap::{Off, On},
        settings::{LastBatch, Method, Settings},
        trainer::Trainer,
    },
};

use super::threads::on_ranks;

const RHO: f64 = 0.1;

/// Two epochs on a few digits, the last of three steps with a smaller batch.
pub fn settings(model: &str, method: Method, groups: Option<usize>) -> Settings {
    let mut settings = Settings::new(model.parse().unwrap(), DataSource::Digits, method);
    settings.data.limit = Some(78);
    settings.data.augment = Augment::Cutout;
    // A place that all ranks have in common.
    settings.data.augment_details.cutout_at = CutoutAt::Batch;
    (settings.epochs, settings.batch, settings.last_batch) = (2, 32.into(), LastBatch::Keep);
    settings.groups = groups;
    settings.check().unwrap();
    settings
}

pub fn data(settings: &Settings) -> Dataset {
    settings.data.load(None).unwrap().dataset
}

pub fn trainer<'a>(settings: &'a Settings, data: &'a Dataset, ranks: Rc<dyn Ranks>) -> Trainer<'a> {
    let learner = CpuLearner::on_ranks(settings, data.shape, data.classes, 1, ranks).unwrap();
    Trainer::new(settings, data, &data.fingerprint().unwrap(), Box::new(learner)).unwrap()
}

/// The state and the figures after all epochs.
pub fn outcome(settings: &Settings, data: &Dataset, ranks: Rc<dyn Ranks>) -> (Vec<u32>, Vec<String>) {
    let mut trainer = trainer(settings, data, ranks);
    while !trainer.finished() {
        trainer.step().unwrap();
        if trainer.at_epoch_end() {
            trainer.end_epoch(true).unwrap();
        }
    }
    let state = trainer.state().unwrap();
    let bits = state.tensors.iter().flat_map(|tensor| &tensor.values).map(|value| value.to_bits()).collect();
    let timeless = |epoch: &EpochMetrics| EpochMetrics { images_per_s: None, seconds: None, ..*epoch };
    let figures = trainer.history().iter().map(|epoch| format!("{:?}", timeless(epoch)));
    (bits, figures.collect())
}

fn weights_after(settings: &Settings, steps: usize) -> Vec<f32> {
    let data = data(settings);
    let mut trainer = trainer(settings, &data, Alone::shared());
    for _ in 0..steps {
        trainer.step().unwrap();
    }
    let state = trainer.state().unwrap();
    state
        .tensors
        .iter()
        .filter(|tensor| tensor.group() == "weights")
        .flat_map(|tensor| tensor.values.clone())
        .collect()
}

#[test]
fn networks_of_all_kinds_end_in_the_same_bits_on_1_2_and_4_ranks() {
    let per_group = Method::MSharpness { rho: RHO, m: 8 };
    let sam = Method::sam(RHO);
    for (model, method) in [
        ("mlp-16", per_group),
        ("lenet", sam),
        ("wrn-10-1", per_group),
        ("wrn-10-1", sam),
        ("shake-shake-8-2x4d", per_group),
        ("pyramidnet-11-4-shakedrop", sam),
    ] {
        let mut settings = settings(model, method, Some(4));
        settings.average.swa_from = Some(2);
        let data = data(&settings);
        let expected = outcome(&settings, &data, Alone::shared());
        for (size, overlap) in [(1, On), (2, On), (2, Off), (4, On), (4, Off)] {
            let all = on_ranks(size, |ranks| outcome(&settings, &data, overlap.of(&ranks)));
            for (rank, found) in all.into_iter().enumerate() {
                assert!(found == expected, "{model} {method:?}: rank {rank} of {size}, overlap {overlap}");
            }
        }
    }
}

#[test]
fn every_method_ends_in_the_same_bits_on_1_and_2_ranks() {
    for &method in Method::ALL {
        let method = match method {
            Method::MSharpness { rho, .. } => Method::MSharpness { rho, m: 16 },
            other => other,
        };
        // Some 60,000 weights, in four messages.
        let settings = settings("mlp-400-80", method, Some(2));
        let data = data(&settings);
        let expected = outcome(&settings, &data, Alone::shared());
        for overlap in [On, Off] {
            for found in on_ranks(2, |ranks| outcome(&settings, &data, overlap.of(&ranks))) {
                assert!(found == expected, "{method:?}, overlap {overlap}");
            }
        }
    }
}

#[test]
fn groups_that_no_power_of_two_counts_end_in_the_same_bits_too() {
    let settings = settings("lenet", Method::sam(RHO), Some(5));
    let data = data(&settings);
    let expected = outcome(&settings, &data, Alone::shared());
    for found in on_ranks(4, |ranks| outcome(&settings, &data, ranks)) {
        assert!(found == expected);
    }
}

/// How far apart, beside the length of `a`.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let apart = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    apart / norm(&mut a.iter().map(|value| f64::from(*value)))
}

#[test]
fn two_groups_are_m_sharpness_bit_for_bit_and_more_but_for_rounding() {
    for model in ["mlp-16", "lenet"] {
        for (m, groups) in [(32, 1), (16, 2), (8, 4), (4, 8)] {
            let method = Method::MSharpness { rho: RHO, m };
            // The first two batches are whole.
            let expected = weights_after(&settings(model, method, None), 2);
            let found = weights_after(&settings(model, method, Some(groups)), 2);
            // A tree of two is what is added one after the other.
            if groups <= 2 {
                assert_eq!(found, expected, "{model}, m = {m}");
            }
            let apart = distance(&expected, &found);
            assert!(apart < 1e-6, "{model}, m = {m}: {apart}");
        }
        let whole = weights_after(&settings(model, Method::sam(RHO), Some(4)), 2);
        let groups = weights_after(&settings(model, Method::MSharpness { rho: RHO, m: 8 }, Some(4)), 2);
        assert!(distance(&whole, &groups) > 1e-4, "two methods, not one");
    }
}

#[test]
fn a_perturbation_of_the_whole_batch_is_that_of_one_process_but_for_rounding() {
    for model in ["mlp-16", "lenet"] {
        for method in [Method::Sgd, Method::sam(RHO), Method::Gsam { rho: RHO, alpha: 0.3 }] {
            let expected = weights_after(&settings(model, method, None), 3);
            // The third batch has 14 images: groups of 3 and 4.
            let found = weights_after(&settings(model, method, Some(4)), 3);
            let apart = distance(&expected, &found);
            assert!(apart < 1e-6, "{model} {method:?}: {apart}");
        }
    }
}

#[test]
fn running_statistics_are_the_mean_of_the_groups_weighted_by_their_images() {
    let sgd = |groups| settings("wrn-10-1", Method::Sgd, groups);
    let data = data(&sgd(None));
    let learner = |groups| CpuLearner::new(&sgd(groups), data.shape, data.classes, 1).unwrap();
    let mut maker = sam_train::data::BatchMaker::new(&data, 32).unwrap();
    let chosen: Vec<usize> = (0..15).collect();
    let images = maker.train(&chosen, Augment::None, 0, 0).unwrap().to_owned();
    let labels = &data.train.labels[..15];
    let statistics = |groups, range: std::ops::Range<usize>| -> Vec<f32> {
        let mut learner = learner(groups);
        let images = images.slice(ndarray::s![range.clone(), .., .., ..]);
        learner.step_on(Batch { images, labels: &labels[range] }, 0.1).unwrap();
        learner.statistics().unwrap().into_owned()
    };
    let (first, second) = (statistics(None, 0..7), statistics(None, 7..15));
    let found = statistics(Some(2), 0..15);
    assert!(!found.is_empty());
    for ((found, first), second) in found.iter().zip(first).zip(second) {
        let expected = (7.0 * f64::from(first) + 8.0 * f64::from(second)) / 15.0;
        assert!(
            (f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1e-3),
            "{found} {expected}"
        );
    }
}
