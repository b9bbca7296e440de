//! The space against sam-core's conformance kit and its formulas.

use proptest::prelude::*;
use sam_backend_cuda::{CudaError, CudaSgd, CudaSpace, Device, DeviceVec, Gradient};
use sam_core::{
    Norm, Outcome, ParamSpace, Rule, Sam, Verdict,
    formula::Ascent,
    testkit::{Storage, check_space},
};

use crate::support::{OnDevice, config, device, narrow};

#[test]
fn the_space_conforms() {
    let Some(turn) = device("the_space_conforms") else { return };
    check_space(&mut turn.storage());
}

#[test]
fn the_waiting_space_conforms_and_knows() {
    let Some(turn) = device("the_waiting_space_conforms_and_knows") else { return };
    let make = |device: &Device, len| CudaSpace::new(device, len).unwrap().waiting();
    let mut storage = OnDevice { device: turn.device.clone(), make };
    check_space(&mut storage);
    for (entry, expected) in [(0.0, Verdict::Zero), (1.0, Verdict::Finite), (f64::NAN, Verdict::NonFinite)] {
        let (w, g) = (storage.params(&[1.0; 3]), storage.grads(&[0.0, entry, 0.0]));
        let mut space = storage.space(3);
        let norm = space.dual_norm(&w, &g, &Rule::l2(0.1)).unwrap();
        assert_eq!(space.verdict(&norm), expected);
        let checked = if entry.is_nan() { Verdict::NonFinite } else { Verdict::Finite };
        assert_eq!(space.check(&g).unwrap(), checked);
    }
}

/// Given the norm, the perturbation for p = 2 has the host's bits; without scaling for p = inf too.
#[test]
fn the_ascent_has_the_bits_of_the_host() {
    let Some(turn) = device("the_ascent_has_the_bits_of_the_host") else { return };
    let values = |n: usize| proptest::collection::vec(-2.0f64..2.0, n);
    let cases = (1usize..700).prop_flat_map(|n| (values(n), values(n), 0.01f32..0.9, -100i32..100));
    proptest!(config(24), |((w, g, rho, power) in cases)| {
        let mut storage = turn.storage();
        let scale = 2f64.powi(power);
        let g: Vec<f64> = g.iter().map(|g| g * scale).collect();
        let (w32, g32) = (narrow(&w), narrow(&g));
        for norm in [Norm::L2, Norm::LInf] {
            for adaptive in [None, Some(0.01)] {
                let rule = Rule::new(rho, norm).with_adaptive(adaptive);
                let (mut params, grads) = (storage.params(&w), storage.grads(&g));
                let mut space = storage.space(w.len());
                let found = space.dual_norm(&params, &grads, &rule).unwrap();
                space.ascend(&mut params, &grads, &rule, &found).unwrap();
                let up = space.perturbed(&params).read().unwrap();
                let (unit, factor) = found.unit_and_factor().unwrap();
                let ascent = match (norm, adaptive) {
                    (Norm::L2, None) => Ascent::Along { unit: unit as f32, factor: factor as f32 },
                    (Norm::L2, Some(eta)) => Ascent::AlongScaled { eta: f64::from(eta), unit, factor },
                    _ => Ascent::Sign { radius: rho, eta: adaptive },
                };
                let mut expected = vec![0.0; w.len()];
                ascent.write(0, &w32, &g32, &mut expected);
                for (up, expected) in up.iter().zip(&expected) {
                    prop_assert_eq!(up.to_bits(), expected.to_bits());
                }
            }
        }
    });
}

/// The length of an adaptive step beyond the largest `f32`, times the sign 0.
#[test]
fn a_zero_entry_stays_where_it_is_however_long_the_step() {
    let Some(turn) = device("a_zero_entry_stays_where_it_is_however_long_the_step") else { return };
    let mut storage = turn.storage();
    let rule = Rule::linf(5e25_f32).adaptive(5e25);
    let (mut w, g) = (storage.params(&[69.25, 1.0]), storage.grads(&[0.0, 1.0]));
    let mut space = storage.space(2);
    let norm = space.dual_norm(&w, &g, &rule).unwrap();
    space.ascend(&mut w, &g, &rule, &norm).unwrap();
    assert_eq!(space.perturbed(&w).read().unwrap(), [69.25, f32::INFINITY]);
}

/// The norm against a plain sum of squares in f64: a few units in the last place of a double.
#[test]
fn the_norm_is_exact_to_1e_12() {
    let Some(turn) = device("the_norm_is_exact_to_1e_12") else { return };
    let mut storage = turn.storage();
    for len in [1, 4096, 4097, 20_000] {
        let g: Vec<f64> = (0..len).map(|i| f64::from(((i * 7919) % 1013) as f32 / 1013.0 - 0.4)).collect();
        let (w, grads) = (storage.params(&g), storage.grads(&g));
        let exact = g.iter().map(|g| f64::from(*g as f32).powi(2)).sum::<f64>().sqrt();
        let mut space = storage.space(len);
        let norm = space.dual_norm(&w, &grads, &Rule::l2(0.1)).unwrap().value().unwrap();
        assert!((norm - exact).abs() <= 1e-12 * exact, "{len}: {norm} {exact}");
    }
}

/// What the host does not know: a gradient that is not finite, in either pass, changes nothing, and the next
/// step is an ordinary one.
#[test]
fn nothing_moves_along_a_gradient_that_is_not_finite() {
    let Some(turn) = device("nothing_moves_along_a_gradient_that_is_not_finite") else { return };
    let start: Vec<f32> = (0..300).map(|i| i as f32 / 100.0 - 1.0).collect();
    let device = &turn.device;
    for bad in [f32::NAN, f32::INFINITY] {
        for bad_pass in [0, 1] {
            let mut w = DeviceVec::from_slice(device, &start).unwrap();
            let mut g = Gradient::zeros(device, start.len()).unwrap();
            let base = CudaSgd::new(device, 0.1).unwrap().with_momentum(0.9, start.len()).unwrap();
            let mut sam = Sam::new(CudaSpace::new(device, start.len()).unwrap(), Rule::l2(0.05), base);
            let mut evaluations = 0;
            let mut step = |sam: &mut Sam<CudaSpace, CudaSgd>, w: &mut DeviceVec<f32>, bad_at: usize| {
                evaluations = 0;
                let report = sam.try_step_with(w, &mut g, |w, g, _| {
                    let mut values = w.read()?;
                    if evaluations == bad_at {
                        values[117] = bad;
                    }
                    evaluations += 1;
                    g.values_mut().write(&values)
                });
                assert_eq!(report.unwrap().outcome, Outcome::Deferred);
                g.is_finite().unwrap()
            };
            assert!(!step(&mut sam, &mut w, bad_pass), "pass {bad_pass}: the flag");
            assert_eq!(w.read().unwrap(), start, "pass {bad_pass}");
            let momentum = sam.base.momentum_buffer().unwrap().read().unwrap();
            assert!(momentum.iter().all(|m| *m == 0.0), "pass {bad_pass}: momentum");
            assert!(step(&mut sam, &mut w, usize::MAX), "pass {bad_pass}: the flag afterwards");
            assert_ne!(w.read().unwrap(), start, "pass {bad_pass}: the step after");
        }
    }
}

/// A step that is given up between the passes does not taint a plain one after it.
#[test]
fn a_step_given_up_is_forgotten() {
    let Some(turn) = device("a_step_given_up_is_forgotten") else { return };
    let mut storage = turn.storage();
    let (mut w, bad) = (storage.params(&[1.0, 2.0]), storage.grads(&[f64::NAN, 0.0]));
    let mut sam = Sam::new(storage.space(2), Rule::l2(0.05), ());
    drop(sam.ascend(&mut w, &bad).unwrap());
    assert!(!bad.is_finite().unwrap());
    let mut good = bad;
    good.values_mut().write(&[1.0, 0.0]).unwrap();
    assert_eq!(sam.space.check(&good).unwrap(), Verdict::Unknown);
    assert!(good.is_finite().unwrap());
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(turn) = device("what_does_not_fit_is_refused") else { return };
    let mut storage = turn.storage();
    let (w, g) = (storage.params(&[1.0; 3]), storage.grads(&[1.0; 2]));
    let mut space = storage.space(3);
    let error = space.dual_norm(&w, &g, &Rule::l2(0.1)).unwrap_err();
    assert_eq!(error, CudaError::Length { what: "gradient", expected: 3, found: 2 });
    let other = Device::new(0).unwrap();
    let elsewhere = DeviceVec::from_slice(&other, &[1.0f32; 3]).unwrap();
    let error = space.dual_norm(&elsewhere, &storage.grads(&[1.0; 3]), &Rule::l2(0.1)).unwrap_err();
    assert_eq!(error, CudaError::OtherDevice { what: "buffer of parameters" });
}
