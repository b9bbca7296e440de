//! Gradient clipping against sam-core's, and without waiting.

use std::cell::Cell;

use proptest::prelude::*;
use sam_backend_cuda::{
    CudaAdam, CudaClipped, CudaError, CudaNetwork, CudaSgd, CudaSpace, Device, DeviceStep, DeviceVec,
    Gradient, StepGraph,
};
use sam_core::{Clipped, Descent, ParamSpace, Plain, Rule, Sam, Sgd, WeightDecay, formula::Ascent};
use sam_model::Shape;

use crate::{
    support::{bits, config, device, gradient},
    twins::noise,
};

/// A gradient of any length, and a limit.
fn problem() -> impl Strategy<Value = (Vec<f32>, f32)> {
    let entry = prop_oneof![8 => -1.0f32..1.0, 1 => Just(0.0f32), 1 => Just(-0.0f32)];
    let gradient = (1usize..300).prop_flat_map(move |n| proptest::collection::vec(entry.clone(), n));
    (gradient, -37i32..38, -3i32..3).prop_map(|(g, decade, above)| {
        let scale = 10f32.powi(decade);
        let norm = g.iter().map(|g| f64::from(g * scale).powi(2)).sum::<f64>().sqrt();
        // Limits on both sides of the norm, far and near.
        let limit = (norm * (1.0 + f64::from(above) / 4.0)).clamp(1e-38, 1e38) as f32;
        (g.iter().map(|g| g * scale).collect(), limit)
    })
}

/// Descent from zero with rate 1 shows the gradient that arrives. One that is not clipped has the host's bits, a clipped
/// one those of the host's formula at the device's norm, which is exact where the host's is not.
#[test]
fn a_clipped_gradient_is_sam_cores() {
    let Some(turn) = device("a_clipped_gradient_is_sam_cores") else { return };
    let device = &turn.device;
    let sides = [Cell::new(0), Cell::new(0)];
    proptest!(config(96), |((g, max) in problem())| {
        let n = g.len();
        let mut host = vec![0.0f32; n];
        Clipped::new(Sgd::new(1.0), max).descend(&mut host[..], &mut g.clone()[..]).unwrap();
        let mut w = DeviceVec::from_slice(device, &vec![0.0; n]).unwrap();
        let mut grads = gradient(device, &g);
        let measured = CudaSpace::new(device, n).unwrap().dual_norm(&w, &grads, &Rule::l2(max)).unwrap();
        let mut base = CudaClipped::new(device, CudaSgd::new(device, 1.0).unwrap(), max, n).unwrap();
        base.descend(&mut w, &mut grads).unwrap();
        let found = w.read().unwrap();
        prop_assert!(grads.is_finite().unwrap());

        let exact = g.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let (unit, factor) = measured.unit_and_factor().unwrap();
        let along = Ascent::Along { unit: unit as f32, factor: factor as f32 };
        let clips = measured.value().unwrap() > f64::from(max);
        let side = &sides[usize::from(clips)];
        side.set(side.get() + 1);
        for (i, (found, g)) in found.iter().zip(&g).enumerate() {
            let arrives = if clips { along.eps(i, *g, *g) } else { *g };
            prop_assert_eq!(found.to_bits(), (0.0 - arrives).to_bits());
            let share = if exact > f64::from(max) { f64::from(max) / exact } else { 1.0 };
            let expected = -f64::from(*g) * share;
            // Two units in the last place, of a normal number.
            let slack = 2.0 * 2f64.powi(-23) * expected.abs() + 2.0 * 2f64.powi(-149);
            prop_assert!((f64::from(*found) - expected).abs() <= slack, "{found}, expected {expected}");
            // The host's norm is a sum of floats.
            let slack = 6e-7 * f64::from(host[i].abs()) + 3.0 * 2f64.powi(-149);
            prop_assert!((f64::from(*found) - f64::from(host[i])).abs() <= slack, "{found}, the host's {}", host[i]);
        }
    });
    assert!(sides.iter().all(|count| count.get() > 10), "limits on both sides of the norm: {sides:?}");
}

/// What nobody has checked comes out as on the host, also what is not finite; what was found not to be finite does not
/// arrive.
#[test]
fn zeros_and_what_is_not_finite_are_as_on_the_host() {
    let Some(turn) = device("zeros_and_what_is_not_finite_are_as_on_the_host") else { return };
    let (device, start) = (&turn.device, [1.0f32, -2.0, 0.5]);
    let decay = WeightDecay::Coupled(0.1);
    let base = || CudaSgd::new(device, 0.5).unwrap().with_momentum(0.9, 3).unwrap().with_decay(decay);
    for (g, max) in [
        ([0.0, -0.0, 0.0], 1.0),
        ([3.0, 4.0, 0.0], 5.0),
        ([3.0, 4.0, 0.0], 0.0),
        ([3.0, 4.0, 0.0], f32::INFINITY),
        ([3e38, 3e38, -3e38], 1.0),
        ([3e38, 3e38, -3e38], f32::MAX),
        ([1.0, f32::NAN, 0.0], 1.0),
        ([1.0, f32::INFINITY, 0.0], 1.0),
    ] {
        let host = Sgd::new(0.5).with_momentum(0.9, vec![0.0; 3]).with_decay(decay);
        let mut host = Clipped::new(host, max);
        let (mut expected, mut scratch) = (start, g);
        host.descend(&mut expected[..], &mut scratch[..]).unwrap();
        let mut w = DeviceVec::from_slice(device, &start).unwrap();
        let mut found = CudaClipped::new(device, base(), max, 3).unwrap();
        found.descend(&mut w, &mut gradient(device, &g)).unwrap();
        for (found, expected) in w.read().unwrap().iter().zip(&expected) {
            let alike =
                (found - expected).abs() <= 1e-6 * expected.abs() || found.is_nan() && expected.is_nan();
            assert!(alike, "{g:?}, at most {max}: {found}, {expected}");
        }
    }
    let mut steps =
        Plain::new(CudaSpace::new(device, 3).unwrap(), CudaClipped::new(device, base(), 1.0, 3).unwrap());
    let mut w = DeviceVec::from_slice(device, &start).unwrap();
    let mut g = Gradient::zeros(device, 3).unwrap();
    for (entry, moves) in [(f32::NAN, false), (f32::INFINITY, false), (2.0, true)] {
        let _ =
            steps.try_step_with(&mut w, &mut g, |_, g, _| g.values_mut().write(&[0.0, entry, 1.0])).unwrap();
        assert_eq!(g.is_finite().unwrap(), moves);
        assert_eq!(w.read().unwrap() != start, moves, "{entry}");
        let momentum = steps.base.base.momentum_buffer().unwrap().read().unwrap();
        assert_eq!(momentum != [0.0; 3], moves, "{entry}");
    }
}

#[test]
fn a_gradient_of_another_length_is_refused() {
    let Some(turn) = device("a_gradient_of_another_length_is_refused") else { return };
    let device = &turn.device;
    let mut clipped = CudaClipped::new(device, CudaSgd::new(device, 1.0).unwrap(), 1.0, 3).unwrap();
    let mut w = DeviceVec::from_slice(device, &[0.0f32; 2]).unwrap();
    let error = clipped.descend(&mut w, &mut Gradient::zeros(device, 2).unwrap()).unwrap_err();
    assert_eq!(error, CudaError::Length { what: "gradient", expected: 3, found: 2 });
}

fn sam<D>(device: &Device, n: usize, base: D) -> Box<Sam<CudaSpace, D>> {
    Box::new(Sam::new(CudaSpace::new(device, n).unwrap(), Rule::l2(0.05), base))
}

/// A clipped step waits for nothing; recorded and replayed it has the bits of the launched one, at any rate.
#[test]
fn a_clipped_step_is_recorded_and_waits_for_nothing() {
    let Some(turn) = device("a_clipped_step_is_recorded_and_waits_for_nothing") else { return };
    let (device, image) = (&turn.device, Shape::new(5, 5, 1));
    let network = || CudaNetwork::new(device, &"mlp-6".parse().unwrap(), image, 10, 4).unwrap();
    let start = network().initial_parameters(1);
    let n = start.len();
    let params = || DeviceVec::from_slice(device, &start).unwrap();
    let weights = |method: &dyn Fn() -> Box<dyn DeviceStep>| {
        let mut launched = StepGraph::new(method(), network(), params()).unwrap().without_recording();
        let mut recorded = StepGraph::new(method(), network(), params()).unwrap();
        for step in 0..3 {
            let images: Vec<f32> = noise(step).take(4 * image.len()).collect();
            for steps in [&mut launched, &mut recorded] {
                steps.set_batch(&images, &[0, 1, 2, 3]).unwrap();
                steps.set_rate(0.05 / (step + 1) as f32);
                let before = device.synchronisations();
                let _ = steps.step().unwrap();
                assert_eq!(device.synchronisations(), before, "the step waited for the device");
            }
            let found = recorded.params().read().unwrap();
            assert_eq!(bits(&found), bits(&launched.params().read().unwrap()), "step {step}");
        }
        assert!(recorded.launches().unwrap().is_some_and(|launches| launches > 10));
        recorded.params().read().unwrap()
    };
    let sgd = || CudaSgd::new(device, 0.1).unwrap().with_momentum(0.9, n).unwrap();
    let clipped = |max| CudaClipped::new(device, sgd(), max, n).unwrap();
    // The gradients of the first steps are longer than 0.25.
    let short = weights(&|| sam(device, n, clipped(0.25)));
    let long = weights(&|| sam(device, n, clipped(1e6)));
    let free = weights(&|| sam(device, n, sgd()));
    assert_eq!(bits(&long), bits(&free), "a limit that is never reached");
    assert_ne!(short, free);
    let adam = || CudaAdam::adamw(device, 0.01, 1e-3, n).unwrap();
    assert_ne!(weights(&|| sam(device, n, CudaClipped::new(device, adam(), 0.25, n).unwrap())), start);
}
