//! The race on the digits, as the page runs it.

use sam_web_core::race::{IMAGES, Race, Settings, TRAIN};
use trainer::digits::{TEST, TRAIN as LEARNED};

fn race() -> Box<Race> {
    let mut race = Box::new(Race::EMPTY);
    race.images[..TRAIN].copy_from_slice(LEARNED.images);
    race.images[TRAIN..IMAGES].copy_from_slice(TEST.images);
    race.labels[..TRAIN].copy_from_slice(LEARNED.labels);
    race.labels[TRAIN..IMAGES].copy_from_slice(TEST.labels);
    race
}

const SETTINGS: Settings =
    Settings { seed: 1, epochs: 3, label_noise: 0.0, lr: 0.1, rho: 0.2, p: 2.0, adaptive: false };

#[test]
fn both_learn_and_repeat_bit_for_bit() {
    let mut race = race();
    let mut end = || {
        assert!(race.start(SETTINGS));
        assert_eq!(race.steps(), 3 * 37);
        assert_eq!(race.digest(0), race.digest(1), "both start from the same weights");
        [0, 1].map(|run| {
            let mut steps = 0;
            while let Some(loss) = race.step(run).unwrap() {
                assert!(loss.is_finite());
                steps += 1;
            }
            assert_eq!(steps, 3 * 37);
            assert!(race.correct(run) * 100 > 597 * 85, "{run}: {}", race.correct(run));
            race.digest(run)
        })
    };
    let first = end();
    assert_ne!(first[0], first[1]);
    assert_eq!(end(), first);
}

#[test]
fn without_a_radius_sam_is_sgd() {
    let mut race = race();
    assert!(race.start(Settings { rho: 0.0, ..SETTINGS }));
    for run in [0, 1] {
        while race.step(run).unwrap().is_some() {}
    }
    assert_eq!(race.digest(0), race.digest(1));
}

#[test]
fn nothing_happens_before_the_start_or_with_a_norm_that_is_none() {
    let mut race = race();
    assert_eq!((race.step(0).unwrap(), race.steps(), race.correct(1)), (None, 0, 0));
    assert!(!race.start(Settings { p: 0.9, ..SETTINGS }));
}
