//! Methods over a storage that perturbs in place: the same bits as over slices, and parameters that always
//! come back.

#[path = "support/in_place.rs"]
mod in_place;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/method.rs"]
mod method;

use std::panic::{AssertUnwindSafe, catch_unwind};

use in_place::InPlace;
use method::{N, Vector, methods, methods_in, sgd, space};
use sam_core::*;

const START: Vector = [0.9, -1.3, -0.0, 2.1, -0.2, 0.7];

fn gradient(w: &[f64], g: &mut [f64]) -> f64 {
    g.iter_mut().zip(w).for_each(|(g, w)| *g = (1.3 * w).sin() + w * 0.5 + 0.2);
    w.iter().sum()
}

fn bits(w: &[f64]) -> Vec<u64> {
    w.iter().map(|w| w.to_bits()).collect()
}

#[test]
fn in_place_is_the_same_as_aside() {
    for (mut aside, mut here) in methods(0.3, 0.05).into_iter().zip(methods_in(InPlace::<N>::new, 0.3, 0.05))
    {
        let (mut v, mut w) = (START, START);
        for _ in 0..7 {
            let a = aside.method.step(&mut v, &mut |w, g, _| Ok(gradient(w, g)));
            let b = here.method.step(&mut w, &mut |w, g, _| Ok(gradient(w, g)));
            assert_eq!(a, b, "{}", here.name);
            assert_eq!(bits(&v), bits(&w), "{}", here.name);
        }
        assert_eq!(aside.method.save(), here.method.save());
    }
}

/// Every way for a gradient to go wrong, in every call of every step of a cycle.
#[test]
fn parameters_and_state_come_back_whatever_happens() {
    let went_wrong = |kind: usize, place: usize, g: &mut [f64]| {
        match kind {
            0 => g[place] = f64::NAN,
            1 => g[place] = f64::INFINITY,
            2 => return Err("no data"),
            _ => panic!("in the oracle"),
        }
        Ok(0.0)
    };
    let mut interrupted = 0;
    for kind in 0..4 {
        for before in 0..4 {
            for call in 0..4 {
                for mut entry in methods_in(InPlace::<N>::new, 0.3, 0.05) {
                    let mut w = START;
                    for _ in 0..before {
                        assert!(entry.method.step(&mut w, &mut |w, g, _| Ok(gradient(w, g))).is_ok());
                    }
                    let (kept, state, mut calls) = (w, entry.method.save(), 0);
                    let result = catch_unwind(AssertUnwindSafe(|| {
                        entry.method.step(&mut w, &mut |w, g, _| {
                            calls += 1;
                            let loss = gradient(w, g);
                            if calls == call + 1 { went_wrong(kind, before, g) } else { Ok(loss) }
                        })
                    }));
                    if calls <= call {
                        continue;
                    }
                    interrupted += 1;
                    match kind {
                        0 | 1 => assert!(matches!(result, Ok(Ok(Outcome::NonFinite(_)))), "{}", entry.name),
                        2 => assert!(matches!(result, Ok(Err(_))), "{}", entry.name),
                        _ => assert!(result.is_err(), "{}", entry.name),
                    }
                    assert_eq!(bits(&w), bits(&kept), "{}: parameters", entry.name);
                    assert_eq!(entry.method.save(), state, "{}: state", entry.name);
                }
            }
        }
    }
    assert!(interrupted > 400, "only {interrupted} interruptions");
}

#[test]
fn the_guard_restores_on_drop_and_on_panic() {
    let (mut w, g) = (START, [0.5; N]);
    let mut sam = Sam::new(InPlace::<N>::new(), Rule::l2(0.3), sgd(0.05));
    {
        let up = sam.ascend(&mut w[..], &g[..]).unwrap();
        assert_ne!(bits(up.params()), bits(&START));
    }
    assert_eq!(bits(&w), bits(&START));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _up = sam.ascend(&mut w[..], &g[..]).unwrap();
        panic!("between the gradients");
    }));
    assert!(caught.is_err());
    assert_eq!(bits(&w), bits(&START));
    // Forgetting the guard is the one way to stay up.
    std::mem::forget(sam.ascend(&mut w[..], &g[..]).unwrap());
    assert_ne!(bits(&w), bits(&START));
}

#[test]
fn a_failing_base_optimizer_leaves_the_parameters_where_they_were() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct NotToday;
    impl std::fmt::Display for NotToday {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("not today")
        }
    }
    impl std::error::Error for NotToday {}
    struct Refuses;
    impl Descent<[f64]> for Refuses {
        type Error = NotToday;
        fn descend(&mut self, _: &mut [f64], _: &mut [f64]) -> Result<(), NotToday> {
            Err(NotToday)
        }
    }
    let (mut w, mut g) = (START, [0.0; N]);
    let mut sam = Sam::new(InPlace::<N>::new(), Rule::l2(0.3), Refuses);
    let error = sam.step_with(&mut w[..], &mut g[..], |w, g, _| gradient(w, g)).unwrap_err();
    assert_eq!(error, StepError::Descent(NotToday));
    assert_eq!(error.to_string(), "base optimizer: not today");
    assert_eq!(bits(&w), bits(&START));
}

#[test]
fn a_silent_storage_is_trusted_with_the_outcome() {
    let (mut v, mut w, mut g) = (START, START, [0.0; N]);
    let mut silent = InPlace::<N>::new();
    silent.silent = true;
    let mut sam = Sam::new(silent, Rule::l2(0.3), sgd(0.05));
    let mut open = Sam::new(space(), Rule::l2(0.3), sgd(0.05));
    for _ in 0..3 {
        let step = sam.step_with(&mut w[..], &mut g[..], |w, g, _| gradient(w, g)).unwrap();
        assert_eq!(step.outcome, Outcome::Deferred);
        let _ = open.step_with(&mut v[..], &mut g[..], |w, g, _| gradient(w, g)).unwrap();
        assert_eq!(bits(&v), bits(&w));
    }
}
