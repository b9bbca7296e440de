//! Arithmetic on gradients, segments, and the methods that need them, against sam-core's on slices.

use proptest::prelude::*;
use sam_backend_cuda::{
    CudaError, CudaSegmentedSpace, CudaSgd, CudaSpace, Device, DeviceVec, Gradient, GradientBuffer,
};
use sam_core::{
    AlongGradient, Friendly, GradientAlgebra, Gsam, LookSam, Norm, Outcome, ParamSpace, PerturbedOnly, Reuse,
    Rule, Scope, Segment, SegmentedSpace, Sgd, SliceSpace, Variant, Wsam, testkit::check_space,
};

use crate::{
    support::{OnDevice, bits, config, device, gradient},
    twins::noise,
};

fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let entry = prop_oneof![6 => -3.0f32..3.0, 1 => Just(0.0f32), 1 => -1e30f32..1e30, 1 => -1e-30f32..1e-30];
    (1usize..300).prop_flat_map(move |n| {
        let vector = proptest::collection::vec(entry.clone(), n);
        (vector.clone(), vector)
    })
}

#[test]
fn mixing_has_the_bits_of_the_host() {
    let Some(turn) = device("mixing_has_the_bits_of_the_host") else { return };
    let factor = || prop_oneof![Just(1.0f32), Just(0.0f32), -2.0f32..2.0];
    proptest!(config(32), |((x, y) in pair(), a in factor(), b in factor())| {
        let mut expected = y.clone();
        SliceSpace::new(vec![0.0f32; x.len()]).mix(a, &x, b, &mut expected).unwrap();
        let mut space = CudaSpace::new(&turn.device, x.len()).unwrap();
        let mut found = gradient(&turn.device, &y);
        space.mix(a, &gradient(&turn.device, &x), b, &mut found).unwrap();
        prop_assert_eq!(bits(&found.values().read().unwrap()), bits(&expected));
        let mut copy = gradient(&turn.device, &x);
        space.copy(&found, &mut copy).unwrap();
        prop_assert_eq!(bits(&copy.values().read().unwrap()), bits(&expected));
    });
}

/// Against plain sums in f64: of floats whose squares a double holds.
#[test]
fn quotients_of_products_are_exact_to_a_rounding() {
    let Some(turn) = device("quotients_of_products_are_exact_to_a_rounding") else { return };
    let check = |a: &[f32], b: &[f32]| {
        let mut space = CudaSpace::new(&turn.device, a.len()).unwrap();
        let (on_a, on_b) = (gradient(&turn.device, a), gradient(&turn.device, b));
        let wide = |x: &[f32], y: &[f32]| {
            x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).collect::<Vec<_>>()
        };
        let (ab, bb, aa) = (wide(a, b), wide(b, b), wide(a, a));
        let sum = |terms: &[f64]| terms.iter().sum::<f64>();
        let projection = f64::from(space.projection(&on_a, &on_b).unwrap());
        let ratio = f64::from(space.ratio(&on_a, &on_b).unwrap());
        if sum(&bb) == 0.0 {
            assert_eq!((projection, ratio), (0.0, 0.0));
            return;
        }
        // One rounding to f32, and where terms cancel the sums' own.
        let terms = ab.iter().map(|x| x.abs()).sum::<f64>() / sum(&bb);
        let expected = sum(&ab) / sum(&bb);
        let slack = 6e-8 * expected.abs() + 1e-12 * terms + 2e-45;
        assert!(
            (projection - expected).abs() <= slack || !(expected as f32).is_finite(),
            "{projection} {expected}"
        );
        let expected = (sum(&aa) / sum(&bb)).sqrt();
        assert!((ratio - expected).abs() <= 7e-8 * expected + 2e-45 || !(expected as f32).is_finite());
    };
    proptest!(config(32), |((a, b) in pair())| check(&a, &b));
    let long: Vec<f32> = noise(1).take(10_000).collect();
    let other: Vec<f32> = noise(2).take(10_000).collect();
    check(&long, &other);
    check(&long, &vec![0.0; 10_000]);
    let mut space = CudaSpace::new(&turn.device, 3).unwrap();
    let on = |values: &[f32; 3]| gradient(&turn.device, values);
    for bad in [f32::NAN, f32::INFINITY] {
        assert!(space.projection(&on(&[1.0, bad, 0.0]), &on(&[1.0; 3])).unwrap().is_nan());
        assert!(space.projection(&on(&[1.0; 3]), &on(&[1.0, bad, 0.0])).unwrap().is_nan());
    }
    let error = space.mix(1.0, &on(&[0.0; 3]), 1.0, &mut gradient(&turn.device, &[0.0; 2])).unwrap_err();
    assert_eq!(error, CudaError::Length { what: "gradient buffer", expected: 3, found: 2 });
}

/// In segments that are alike the space is the one without.
#[test]
fn segments_alike_conform() {
    let Some(turn) = device("segments_alike_conform") else { return };
    for scope in [Scope::Global, Scope::Segment] {
        let make = |device: &Device, len: usize| {
            let parts = match scope {
                Scope::Global => vec![len / 3, len - len / 3],
                _ => vec![len],
            };
            let segments: Vec<_> = parts.into_iter().map(Segment::new).collect();
            CudaSegmentedSpace::new(device, scope, &segments).unwrap()
        };
        check_space(&mut OnDevice { device: turn.device.clone(), make });
    }
}

/// Radii, adaptivity and what is left out differ; norm and perturbation are sam-core's.
#[test]
fn segments_are_sam_cores() {
    let Some(turn) = device("segments_are_sam_cores") else { return };
    let table = [
        Segment::new(300),
        Segment::fixed(7),
        Segment::new(5000).with_radius(0.5),
        Segment::new(0),
        Segment::new(33).with_radius(2.0).not_adaptive(),
    ];
    let n = table.iter().map(|segment| segment.len).sum();
    let w: Vec<f32> = noise(3).take(n).collect();
    let g: Vec<f32> = noise(4).take(n).collect();
    for scope in [Scope::Global, Scope::Segment] {
        for p in [1.0, 1.5, 2.0, f64::INFINITY] {
            for adaptive in [None, Some(0.125)] {
                let rule = Rule::new(0.25, Norm::from_p(p).unwrap()).with_adaptive(adaptive);
                let what = format!("{scope:?}, p = {p}, eta = {adaptive:?}");
                let mut host = SegmentedSpace::new(scope, table, vec![0.0f32; n]);
                let mut host_w = w.clone();
                let expected = host.dual_norm(&w, &g, &rule).unwrap();
                host.ascend(&mut host_w, &g, &rule, &expected).unwrap();

                let mut space = CudaSegmentedSpace::new(&turn.device, scope, &table).unwrap();
                let mut params = DeviceVec::from_slice(&turn.device, &w).unwrap();
                let grads = gradient(&turn.device, &g);
                let norm = space.dual_norm(&params, &grads, &rule).unwrap();
                space.ascend(&mut params, &grads, &rule, &norm).unwrap();
                let (found, expected) = (norm.value().unwrap(), expected.value());
                assert!((found - expected).abs() <= 1e-6 * expected, "{what}: {found}, expected {expected}");
                let up = space.perturbed(&params).read().unwrap();
                for (i, (found, expected)) in up.iter().zip(host.perturbed(&w)).enumerate() {
                    assert!((found - expected).abs() <= 5e-7 * expected.abs().max(0.25), "{what}: {i}");
                }
                assert_eq!(bits(&up[300..307]), bits(&w[300..307]), "{what}: left out");
                assert_ne!(up, w, "{what}");
                let mut bad = g.clone();
                bad[303] = f32::NAN;
                let bad = gradient(&turn.device, &bad);
                let norm = space.dual_norm(&params, &bad, &rule).unwrap();
                space.ascend(&mut params, &bad, &rule, &norm).unwrap();
                assert!(!bad.is_finite().unwrap(), "{what}: what is left out must be finite too");
                assert_eq!(bits(&space.perturbed(&params).read().unwrap()), bits(&w), "{what}");
            }
        }
    }
}

/// The gradient of a bowl with a ripple, whose axes differ.
fn slope(w: &[f32]) -> Vec<f32> {
    w.iter().enumerate().map(|(i, w)| (0.5 + (i % 7) as f32 / 4.0) * w + 0.3 * (3.0 * w).sin()).collect()
}

/// Twelve steps of a method on slices and of the same on the device. `$space` and `$buffer` make storage.
macro_rules! assert_alike {
    ($turn:ident, $what:literal, |$space:ident, $buffer:ident, $base:ident| $method:expr) => {{
        let (device, n) = (&$turn.device, 300);
        let start: Vec<f32> = noise(5).take(n).collect();
        let mut host = {
            let $space = SliceSpace::new(vec![0.0f32; n]);
            let $buffer = || vec![0.0f32; n];
            let $base = Sgd::new(0.05f32).with_momentum(0.9, vec![0.0; n]);
            $method
        };
        let mut found = {
            let $space = CudaSpace::new(device, n).unwrap().waiting();
            let $buffer = || GradientBuffer::zeros(device, n).unwrap();
            let $base = CudaSgd::new(device, 0.05).unwrap().with_momentum(0.9, n).unwrap();
            $method
        };
        let (mut host_w, mut host_g) = (start.clone(), vec![0.0; n]);
        let mut w = DeviceVec::from_slice(device, &start).unwrap();
        let mut g = Gradient::zeros(device, n).unwrap();
        for step in 0..12 {
            let bad = step == 7;
            let spoil = |mut g: Vec<f32>| {
                if bad {
                    g[17] = f32::NAN;
                }
                g
            };
            let expected = host
                .step_with(&mut host_w[..], &mut host_g[..], |w, g, _| {
                    g.copy_from_slice(&spoil(slope(w)));

                })
                .unwrap();
            let report = found
                .try_step_with(&mut w, &mut g, |w, g, _| g.values_mut().write(&spoil(slope(&w.read()?))))
                .unwrap();
            assert_eq!(report.outcome, expected.outcome, "{}, step {step}", $what);
            assert_eq!(bad, matches!(report.outcome, Outcome::NonFinite(_)));
            for (found, expected) in w.read().unwrap().iter().zip(&host_w) {
                assert!(
                    // LookSAM makes the difference of two gradients as long as a gradient, and its rounding with it.
                    (found - expected).abs() <= 1e-5 * expected.abs().max(1.0),
                    "{}, step {step}: {found}, expected {expected}",
                    $what
                );
            }
        }
        assert_ne!(host_w, start);
    }};
}

#[test]
fn methods_that_combine_gradients_are_sam_cores() {
    let Some(turn) = device("methods_that_combine_gradients_are_sam_cores") else { return };
    let rule = Rule::l2(0.2);
    assert_alike!(turn, "GSAM", |space, buffer, base| Variant::new(
        space,
        rule,
        AlongGradient,
        Gsam::new(0.4, buffer()),
        base
    ));
    assert_alike!(turn, "WSAM", |space, buffer, base| Variant::new(
        space,
        rule,
        AlongGradient,
        Wsam::new(0.8, buffer()),
        base
    ));
    assert_alike!(turn, "Friendly SAM", |space, buffer, base| Variant::new(
        space,
        rule,
        Friendly::new(0.9, 0.8, buffer(), buffer()),
        PerturbedOnly,
        base
    ));
    assert_alike!(turn, "LookSAM", |space, buffer, base| LookSam::new(
        space,
        rule,
        Reuse::new(3, 0.7, buffer(), buffer()),
        base
    ));
}
