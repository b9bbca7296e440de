//! Sums over ranks that begin while a gradient is computed: when they do, and that ranks agree about it.

use std::rc::Rc;

use sam_train::{
    ranks::Ranks,
    training::{
        cpu::CpuLearner,
        overlap::Overlap,
        settings::{DecayIn, Method, Settings},
        trainer::{Trainer, TrainingError},
    },
};

use super::{
    steps::{data, settings, trainer},
    threads::{Call, on_ranks, on_threads},
};

const PER_GROUP: Method = Method::MSharpness { rho: 0.1, m: 8 };

/// The calls of the second of two ranks in a step.
fn calls(settings: &Settings) -> Vec<Call> {
    let data = data(settings);
    let mut all = on_threads(2, |thread| {
        let ranks: Rc<dyn Ranks> = thread.clone();
        let mut trainer = trainer(settings, &data, ranks);
        thread.calls();
        trainer.step().unwrap();
        thread.calls()
    });
    all.swap_remove(1)
}

/// Entries that a rank of two sums up in a step.
fn summed(method: Method, overlap: Overlap) -> usize {
    let settings = settings("wrn-10-1", method, Some(4));
    let data = data(&settings);
    let mut all = on_threads(2, |thread| {
        let mut trainer = trainer(&settings, &data, overlap.of(&(thread.clone() as Rc<dyn Ranks>)));
        thread.summed();
        trainer.step().unwrap();
        thread.summed()
    });
    all.swap_remove(1)
}

#[test]
fn an_eps_hat_of_each_group_sends_half_as_much_for_each_gradient() {
    for overlap in [Overlap::On, Overlap::Off] {
        let [sgd, per_group, whole] =
            [Method::Sgd, PER_GROUP, Method::sam(0.1)].map(|method| summed(method, overlap));
        assert!(sgd > 70_000, "{sgd}: all weights, losses and running statistics");
        // Two gradients in the message of one, and two in two.
        assert_eq!(per_group, sgd);
        assert!((2 * sgd - sgd / 100..=2 * sgd).contains(&whole), "{whole}, SGD {sgd}");
    }
}

/// Messages that were begun while more of the gradient was told of later, and all of them.
fn early_and_all(calls: &[Call]) -> (usize, usize) {
    let last = calls.iter().rposition(|call| *call == Call::Proceed).unwrap_or(0);
    let begun = |calls: &[Call]| calls.iter().filter(|call| matches!(call, Call::Begin(_))).count();
    (begun(&calls[..last]), begun(calls))
}

#[test]
fn sums_begin_while_the_rest_of_a_gradient_is_computed() {
    // Some 75,000 weights, five messages: one sum a step of groups that climb by themselves, two of a batch that climbs as one.
    for (method, sums) in [(PER_GROUP, 1), (Method::sam(0.1), 2)] {
        for groups in [2, 4] {
            let method = if let Method::MSharpness { rho, .. } = method {
                Method::MSharpness { rho, m: 32 / groups }
            } else {
                method
            };
            let calls = calls(&settings("wrn-10-1", method, Some(groups)));
            let (early, all) = early_and_all(&calls);
            assert_eq!(all, 5 * sums, "{method:?} {calls:?}");
            assert!(early >= all - 2, "{method:?}: {early} {calls:?}");
            let ended = calls.iter().filter(|call| **call == Call::End).count();
            assert_eq!(ended, all);
        }
    }
}

#[test]
fn no_more_than_four_messages_are_on_their_way() {
    let calls = calls(&settings("wrn-10-1", PER_GROUP, Some(4)));
    let mut under_way = 0_usize;
    for call in calls {
        match call {
            Call::Begin(_) => under_way += 1,
            Call::Proceed => {}
            Call::End => under_way -= 1,
        }
        assert!(under_way <= 4);
    }
}

#[test]
fn what_is_added_to_a_gradient_at_its_end_is_in_what_is_sent() {
    let mut settings = settings("wrn-10-1", Method::sam(0.1), Some(4));
    (settings.sgd.weight_decay, settings.sgd.decay_in) = (0.1, DecayIn::Loss);
    let (early, all) = early_and_all(&calls(&settings));
    assert_eq!((early, all), (0, 10));
}

#[test]
fn a_sum_that_does_not_overlap_is_begun_at_its_end() {
    let settings = settings("wrn-10-1", PER_GROUP, Some(4));
    let data = data(&settings);
    let calls = on_threads(2, |thread| {
        let ranks: Rc<dyn Ranks> = thread.clone();
        trainer(&settings, &data, Overlap::Off.of(&ranks)).step().unwrap();
        thread.calls()
    });
    assert_eq!(calls, [[], []]);
}

#[test]
fn ranks_that_do_not_agree_whether_sums_overlap_are_told_apart() {
    let settings = settings("mlp-8", Method::sam(0.1), Some(2));
    let data = data(&settings);
    let ends = on_ranks(2, |ranks| {
        let overlap = if ranks.rank() == 1 { Overlap::Off } else { Overlap::On };
        let ranks = overlap.of(&ranks);
        let learner = CpuLearner::on_ranks(&settings, data.shape, data.classes, 1, ranks);
        let fingerprint = data.fingerprint().unwrap();
        Trainer::new(&settings, &data, &fingerprint, Box::new(learner.unwrap())).map(drop).unwrap_err()
    });
    for end in ends {
        assert!(matches!(end, TrainingError::Apart { rank: 1, what: "the overlap of sums" }), "{end:?}");
    }
}
