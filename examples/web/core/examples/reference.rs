//! Prints what the page's own check prints: `../check.mjs` compares the two.

use sam_web_core::race::{IMAGES, Race, Settings, TRAIN};
use sam_web_core::surface::Surface;
use sam_web_core::walk::{self, Walk};
use trainer::digits::{TEST, TRAIN as LEARNED};

fn main() {
    let surface = Surface::INITIAL;
    for method in 0..8 {
        for p in [1.0, 1.5, 2.0, f64::INFINITY] {
            let settings = walk::Settings { method, lr: 0.1, momentum: 0.5, rho: 0.4, p };
            let Some(mut walk) = Walk::new(settings, [-2.6, 1.9], 7) else {
                panic!("no method {method}, p {p}")
            };
            for _ in 0..60 {
                let _ = walk.step(&surface, 0.05);
            }
            let at = walk.at.map(f64::to_bits);
            println!("walk {method} {p}: {:016x} {:016x}", at[0], at[1]);
        }
    }
    let mut race = Box::new(Race::EMPTY);
    race.images[..TRAIN].copy_from_slice(LEARNED.images);
    race.images[TRAIN..IMAGES].copy_from_slice(TEST.images);
    race.labels[..TRAIN].copy_from_slice(LEARNED.labels);
    race.labels[TRAIN..IMAGES].copy_from_slice(TEST.labels);
    let settings =
        Settings { seed: 1, epochs: 10, label_noise: 0.4, lr: 0.1, rho: 0.2, p: 2.0, adaptive: false };
    assert!(race.start(settings));
    for run in [0, 1] {
        while let Ok(Some(_)) = race.step(run) {}
        println!("race {run}: {} right, weights {:08x}", race.correct(run), race.digest(run));
    }
}
