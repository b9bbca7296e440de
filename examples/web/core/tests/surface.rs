//! The surface against finite differences, and what the methods do on it.

use proptest::prelude::*;
use sam_core::Outcome;
use sam_web_core::surface::{Surface, Well};
use sam_web_core::walk::{Settings, Walk};

fn well() -> impl Strategy<Value = Well> {
    ([-3.0..3.0, -3.0..3.0], 0.0..1.5, 0.1..2.0).prop_map(|(at, depth, width)| Well { at, depth, width })
}

proptest! {
    #[test]
    fn the_gradient_is_the_slope(wells in [well(), well()], r in [-4.0..4.0, -3.0..3.0]) {
        let surface = Surface { wells };
        let gradient = surface.gradient(r);
        for i in 0..2 {
            let at = |step: f64| {
                let mut moved = r;
                moved[i] += step;
                surface.loss(moved)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            prop_assert!((gradient[i] - slope).abs() < 1e-6, "{i}: {} {slope}", gradient[i]);
        }
    }

    #[test]
    fn the_first_sam_step_climbs_the_radius(r in [-4.0..4.0, -3.0..3.0], rho in 0.01..1.5, lr in 0.0..0.5) {
        let surface = Surface::INITIAL;
        let settings = Settings { method: 1, lr, momentum: 0.0, rho, p: 2.0 };
        let mut walk = Walk::new(settings, r, 1).unwrap();
        prop_assert_eq!(walk.step(&surface, 0.0), Outcome::Descended);
        let g = surface.gradient(r);
        let size = g[0].hypot(g[1]);
        for i in 0..2 {
            prop_assert!((walk.perturbed[i] - (r[i] + rho * g[i] / size)).abs() < 1e-12);
            let expected = r[i] - lr * surface.gradient(walk.perturbed)[i];
            prop_assert!((walk.at[i] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn without_a_radius_the_perturbed_methods_are_sgd(
        r in [-4.0..4.0, -3.0..3.0], method in prop::sample::select(vec![1u32, 2, 5, 7]), noise in 0.0..0.5,
    ) {
        let end = |method| {
            let settings = Settings { method, lr: 0.1, momentum: 0.5, rho: 0.0, p: 2.0 };
            let mut walk = Walk::new(settings, r, 3).unwrap();
            (0..50).for_each(|_| assert!(walk.step(&Surface::INITIAL, noise).steps()));
            walk.at.map(f64::to_bits)
        };
        prop_assert_eq!(end(method), end(0));
    }
}

#[test]
fn sam_stays_out_of_the_sharp_well_more_often_than_sgd() {
    let surface = Surface::INITIAL;
    let [sharp, _] = surface.wells;
    // Of starts all over the map, how many end in the sharp well.
    let trapped = |method, rho| {
        let starts = (0..80).map(|i| [f64::from(i % 10) * 0.8 - 3.6, f64::from(i / 10) * 0.8 - 2.8]);
        let ends = starts.zip(1..).map(|(start, seed)| {
            let settings = Settings { method, lr: 0.1, momentum: 0.3, rho, p: 2.0 };
            let mut walk = Walk::new(settings, start, seed).unwrap();
            (0..150).for_each(|_| assert!(walk.step(&surface, 0.7).steps()));
            walk.at
        });
        ends.filter(|r| (r[0] - sharp.at[0]).hypot(r[1] - sharp.at[1]) < 1.5 * sharp.width).count()
    };
    let (sgd, sam) = (trapped(0, 0.0), trapped(1, 0.6));
    assert!(sgd >= 10 && sam * 3 < sgd, "{sgd} against {sam}");
}

#[test]
fn what_does_not_exist_is_refused() {
    let settings = Settings { method: 1, lr: 0.1, momentum: 0.0, rho: 0.1, p: 2.0 };
    assert!(Walk::new(Settings { method: 8, ..settings }, [0.0; 2], 1).is_none());
    assert!(Walk::new(Settings { p: 0.5, ..settings }, [0.0; 2], 1).is_none());
}
