//! Numbers that are not finite on one of several ranks.

use std::rc::Rc;

use ndarray::Axis;
use sam_train::{
    data::{Augment, BatchMaker, Dataset},
    ranks::{Alone, Ranks},
    training::{
        cpu::CpuLearner,
        learner::{Batch, Learner},
        settings::{Method, Settings},
        state::State,
    },
};

use super::{
    steps::{data, settings},
    threads::on_ranks,
};

const IMAGES: usize = 16;

/// A step, one on a batch whose last image makes sums overflow, and a step: which of them moved the weights, and the state at the end.
fn outcome(settings: &Settings, data: &Dataset, ranks: Rc<dyn Ranks>) -> ([bool; 3], State) {
    let mut learner = CpuLearner::on_ranks(settings, data.shape, data.classes, 1, ranks).unwrap();
    let mut maker = BatchMaker::new(data, IMAGES).unwrap();
    let chosen: Vec<usize> = (0..IMAGES).collect();
    let images = maker.train(&chosen, Augment::None, 0, 0).unwrap().to_owned();
    let mut broken = images.clone();
    // It is in the last group, which the last rank has.
    broken.index_axis_mut(Axis(0), IMAGES - 1).fill(f32::MAX);
    let labels = &data.train.labels[..IMAGES];
    let moved = [&images, &broken, &images].map(|images| {
        let before = learner.export().unwrap();
        let report = learner.step_on(Batch { images: images.view(), labels }, 0.05).unwrap();
        let moved = report.outcome.moved();
        assert_eq!(learner.export().unwrap() != before, moved, "{:?}: {report:?}", settings.method);
        moved
    });
    (moved, learner.export().unwrap())
}

/// The trap: the rank that has the image must not be the only one that leaves the step out.
#[test]
fn an_image_that_overflows_on_one_rank_leaves_the_step_out_on_all() {
    for &method in Method::ALL {
        let method = match method {
            Method::MSharpness { rho, .. } => Method::MSharpness { rho, m: 8 },
            other => other,
        };
        let settings = settings("mlp-8", method, Some(4));
        let data = data(&settings);
        let expected = outcome(&settings, &data, Alone::shared());
        assert_eq!(expected.0, [true, false, true], "{method:?}");
        for size in [2, 4] {
            for found in on_ranks(size, |ranks| outcome(&settings, &data, ranks)) {
                assert!(found == expected, "{method:?} on {size} ranks: {:?}", found.0);
            }
        }
    }
}
