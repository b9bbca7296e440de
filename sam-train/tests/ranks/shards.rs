//! Ranks that keep a part each of a run's state: the bits of those that keep all of it, in every way that a step can go.

use std::rc::Rc;

use sam_core::{Norm, Outcome};
use sam_train::{
    ranks::Ranks,
    training::{
        cpu::CpuLearner,
        learner::{Batch, Learner, WeightAccess},
        overlap::Overlap::{Off, On},
        settings::{Base, DecayIn, Method, NormExponent, Settings, Tensors},
        shard_state::ShardState,
        state::State,
        trainer::{Trainer, TrainingError},
    },
};

use super::{
    steps::{data, outcome, settings},
    threads::{Call, on_ranks, on_threads},
};

const RHO: f64 = 0.1;
const PER_GROUP: Method = Method::MSharpness { rho: RHO, m: 8 };

fn sharded(ranks: &Rc<dyn Ranks>) -> Rc<dyn Ranks> {
    ShardState::On.of(ranks)
}

/// On so many ranks with shards a run ends as on one without: in state and figures, on every rank.
fn check(settings: &Settings, sizes: &[usize]) {
    settings.check().unwrap();
    let data = data(settings);
    let expected = on_ranks(1, |ranks| outcome(settings, &data, ranks)).swap_remove(0);
    let what = format!("{} {:?} {:?} {:?}", settings.model, settings.method, settings.base, settings.sgd);
    for &size in sizes {
        for overlap in [On, Off] {
            let all = on_ranks(size, |ranks| outcome(settings, &data, sharded(&overlap.of(&ranks))));
            for (rank, found) in all.into_iter().enumerate() {
                assert!(found.0 == expected.0, "{what}: state of rank {rank} of {size}, overlap {overlap}");
                assert_eq!(found.1, expected.1, "{what}: figures of rank {rank} of {size}");
            }
        }
    }
}

#[test]
fn networks_of_all_kinds_end_in_the_bits_of_whole_state() {
    // Of one block of a thousand entries, which one rank has, and of several messages.
    for (model, method) in [
        ("mlp-8", Method::sam(RHO)),
        ("lenet", Method::sam(RHO)),
        ("wrn-10-1", Method::sam(RHO)),
        ("wrn-10-1", PER_GROUP),
        ("shake-shake-8-2x4d", PER_GROUP),
    ] {
        let mut settings = settings(model, method, Some(4));
        (settings.average.swa_from, settings.average.ema) = (Some(2), Some(0.9));
        check(&settings, &[1, 2, 4]);
    }
}

#[test]
fn every_method_ends_in_the_bits_of_whole_state() {
    for &method in Method::ALL {
        let method = match method {
            Method::MSharpness { rho, .. } => Method::MSharpness { rho, m: 16 },
            other => other,
        };
        check(&settings("mlp-400-80", method, Some(2)), &[2]);
    }
}

#[test]
fn every_base_norm_and_decay_ends_in_the_bits_of_whole_state() {
    let plain = || settings("mlp-400-80", Method::sam(RHO), Some(4));
    for &base in Base::ALL {
        let mut settings = plain();
        settings.base = base;
        settings.sgd = base.usual(settings.sgd);
        // Below most gradients' lengths.
        settings.sgd.clip_norm = Some(0.05);
        settings.sgd.weight_decay = 0.01;
        settings.sgd.decay_on = Tensors::Weights;
        check(&settings, &[4]);
    }
    for norm in [Norm::L1, Norm::LInf, Norm::from_p(1.5).unwrap()] {
        let method = Method::Sam { rho: RHO, norm: NormExponent(norm) };
        check(&Settings { method, ..plain() }, &[4]);
    }
    let mut in_loss = plain();
    in_loss.sgd.decay_in = DecayIn::Loss;
    check(&in_loss, &[2]);
    // Some steps do not climb.
    let mut late = plain();
    late.ascent.from_epoch = 2;
    check(&late, &[2]);
    // Some tensors are left out of the perturbation: state stays whole.
    let mut weights_only = plain();
    weights_only.ascent.tensors = Tensors::Weights;
    assert!(!ShardState::serves(&weights_only));
    check(&weights_only, &[2]);
}

#[test]
fn state_goes_on_between_ranks_that_keep_parts_and_ranks_that_keep_all() {
    for method in [Method::sam(RHO), Method::MomentumSam { rho: RHO }, PER_GROUP] {
        let mut settings = settings("mlp-400-80", method, Some(4));
        settings.average.ema = Some(0.9);
        let data = data(&settings);
        let expected = on_ranks(1, |ranks| outcome(&settings, &data, ranks)).swap_remove(0).0;
        let steps = |trainer: &mut Trainer<'_>, count: usize| {
            for _ in 0..count {
                trainer.step().unwrap();
                if trainer.at_epoch_end() {
                    trainer.end_epoch(true).unwrap();
                }
            }
        };
        // Checkpoints travel as bytes, which the first rank alone has.
        let path = std::path::Path::new("checkpoint");
        let places = [(2, true), (4, false), (1, true), (4, true)];
        let mut content = Vec::new();
        for (number, (size, shards)) in places.into_iter().enumerate() {
            let all = on_ranks(size, |ranks| {
                let ranks = if shards { sharded(&ranks) } else { ranks };
                let mut trainer = super::steps::trainer(&settings, &data, ranks);
                if number > 0 {
                    trainer.restore_from(path, &content).unwrap();
                }
                if number + 1 < places.len() {
                    // In the middle of an epoch and at its end.
                    steps(&mut trainer, [2, 1, 1][number]);
                } else {
                    while !trainer.finished() {
                        steps(&mut trainer, 1);
                    }
                }
                (trainer.encode(path).unwrap(), bits(&trainer.state().unwrap()))
            });
            let (others, first) = (all[1..].to_vec(), all[0].clone());
            assert!(others.iter().all(|(content, state)| content.is_empty() && *state == first.1));
            content = first.0;
            if number + 1 == places.len() {
                assert!(first.1 == expected, "{method:?}");
            }
        }
    }
}

fn bits(state: &State) -> Vec<u32> {
    state.tensors.iter().flat_map(|tensor| &tensor.values).map(|value| value.to_bits()).collect()
}

#[test]
fn a_step_that_comes_to_nothing_leaves_the_weights_whole() {
    let nan_at = |settings: &Settings, image: usize| {
        let (images, labels) = images(settings, 16);
        let mut spoilt = images.clone();
        spoilt[(image, 3, 3, 0)] = f32::NAN;
        (images, spoilt, labels)
    };
    for method in [Method::Sgd, Method::sam(RHO), Method::MomentumSam { rho: RHO }, PER_GROUP] {
        let settings = settings("mlp-400-80", method, Some(4));
        let data = data(&settings);
        let (images, spoilt, labels) = nan_at(&settings, 9);
        let run = |ranks: Rc<dyn Ranks>| {
            let mut learner = CpuLearner::on_ranks(&settings, data.shape, data.classes, 1, ranks).unwrap();
            let good = Batch { images: images.view(), labels: &labels };
            let bad = Batch { images: spoilt.view(), labels: &labels };
            let _ = learner.step_on(good, 0.1).unwrap();
            let before = learner.parameters().unwrap().into_owned();
            let report = learner.step_on(bad, 0.1).unwrap();
            assert!(matches!(report.outcome, Outcome::NonFinite(_)), "{method:?}");
            assert!(learner.parameters().unwrap() == before, "{method:?}");
            let _ = learner.step_on(good, 0.1).unwrap();
            bits(&learner.export().unwrap())
        };
        let expected = on_ranks(1, run).swap_remove(0);
        for overlap in [On, Off] {
            for found in on_ranks(4, |ranks| run(sharded(&overlap.of(&ranks)))) {
                assert!(found == expected, "{method:?}");
            }
        }
    }
}

/// A batch of digits, not augmented.
fn images(settings: &Settings, count: usize) -> (ndarray::Array4<f32>, Vec<u16>) {
    let data = data(settings);
    let mut maker = sam_train::data::BatchMaker::new(&data, count).unwrap();
    let chosen: Vec<usize> = (0..count).collect();
    let images = maker.train(&chosen, sam_train::data::Augment::None, 0, 0).unwrap().to_owned();
    (images, data.train.labels[..count].to_vec())
}

#[test]
fn a_gradient_that_overflows_is_found_by_all_and_named_as_without_shards() {
    let mut settings = settings("mlp-400-80", Method::sam(RHO), Some(4));
    settings.sgd.lr = 1e30;
    let data = data(&settings);
    let run = |ranks: Rc<dyn Ranks>| {
        let mut trainer = super::steps::trainer(&settings, &data, ranks);
        loop {
            match trainer.step() {
                Ok(_) if trainer.at_epoch_end() => {
                    let _ = trainer.end_epoch(false).unwrap();
                }
                Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    };
    let expected = on_ranks(4, run);
    assert_eq!(on_ranks(4, |ranks| run(sharded(&ranks))), expected);
}

#[test]
fn sums_in_shards_begin_while_the_rest_of_a_gradient_is_computed() {
    let settings = settings("wrn-10-1", PER_GROUP, Some(4));
    let data = data(&settings);
    let calls = on_threads(2, |thread| {
        let ranks: Rc<dyn Ranks> = thread.clone();
        let mut trainer = super::steps::trainer(&settings, &data, sharded(&ranks));
        thread.calls();
        trainer.step().unwrap();
        thread.calls()
    });
    for calls in calls {
        let last = calls.iter().rposition(|call| *call == Call::Proceed).unwrap();
        let begun = |calls: &[Call]| calls.iter().filter(|call| matches!(call, Call::Begin(_))).count();
        // 77,850 weights in five messages, and what is known at the end in one.
        assert_eq!(begun(&calls), 6, "{calls:?}");
        assert!(begun(&calls[..last]) >= 4, "{calls:?}");
    }
}

#[test]
fn ranks_that_do_not_agree_whether_they_keep_parts_are_told_apart() {
    let settings = settings("mlp-8", Method::sam(RHO), Some(2));
    let data = data(&settings);
    let ends = on_ranks(2, |ranks| {
        let shard_state = if ranks.rank() == 1 { ShardState::On } else { ShardState::Off };
        let learner = CpuLearner::on_ranks(&settings, data.shape, data.classes, 1, shard_state.of(&ranks));
        let fingerprint = data.fingerprint().unwrap();
        Trainer::new(&settings, &data, &fingerprint, Box::new(learner.unwrap())).map(drop).unwrap_err()
    });
    for end in ends {
        assert!(matches!(end, TrainingError::Apart { rank: 1, what: "the sharding of state" }), "{end:?}");
    }
}
