//! Flat arenas: tensors without gaps, unique names, and initial values that stay what they were.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use sam_model::{Architecture, ArenaLayout, Description, Init, Shape};
use std::collections::BTreeSet;

fn described(name: &str, image: Shape) -> Description {
    name.parse::<Architecture>().unwrap().describe(image, 10).unwrap()
}

fn check(layout: &ArenaLayout, nodes: usize) {
    let mut end = 0;
    for tensor in layout.tensors() {
        assert_eq!(tensor.range.start, end, "{}: no gap, no overlap", tensor.name);
        end = tensor.range.end;
        assert_eq!(tensor.range.len(), tensor.shape.iter().product::<usize>(), "{}", tensor.name);
        assert!(tensor.name.ends_with(&format!(".{}", tensor.role)), "{}", tensor.name);
    }
    assert_eq!(layout.len(), end);
    assert_eq!(layout.is_empty(), end == 0);
    let names: BTreeSet<_> = layout.tensors().iter().map(|tensor| &tensor.name).collect();
    assert_eq!(names.len(), layout.tensors().len());
    let mut next = 0;
    for node in 0..nodes {
        let own = layout.of_node(node);
        assert_eq!(own.start, next);
        next = own.end;
    }
    assert_eq!(next, end, "the nodes' parts are the whole");
    assert_eq!(layout.initial_values(1).count(), end);
}

proptest! {
    #[test]
    fn tensors_tile_the_arena_and_have_names_of_their_own(
        name in prop_oneof![
            "mlp-[1-9]-[1-9]",
            Just("lenet".to_owned()),
            (1usize..4).prop_map(|n| format!("resnet-{}", 6 * n + 2)),
            (1usize..4, 1usize..4).prop_map(|(n, k)| format!("wrn-{}-{k}", 6 * n + 4)),
            (1usize..4, 1usize..4).prop_map(|(n, k)| format!("shake-shake-{}-2x{}d", 6 * n + 2, 2 * k)),
            (1usize..4, 1usize..40).prop_map(|(n, k)| format!("pyramidnet-{}-{k}-shakedrop", 9 * n + 2)),
            Just("resnet-50-w2".to_owned()),
            Just("efficientnet-b0".to_owned()),
        ],
        (height, width, channels) in (4usize..9, 4usize..9, 1usize..4),
    ) {
        let network = described(&name, Shape::new(height, width, channels));
        check(network.parameters(), network.nodes().len());
        check(network.statistics(), network.nodes().len());
    }
}

#[test]
fn parameters_and_statistics_have_their_operations_names() {
    let network = described("resnet-8", Shape::new(8, 8, 3));
    let tensor = |layout: &ArenaLayout, name: &str| {
        layout.tensors().iter().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    assert_eq!(tensor(network.parameters(), "stage2.0.conv1.weight").shape, [3, 3, 16, 32]);
    assert_eq!(tensor(network.parameters(), "stem_norm.scale").init, Init::Constant(1.0));
    assert_eq!(tensor(network.parameters(), "head.weight").shape, [64, 10]);
    assert_eq!(tensor(network.statistics(), "stem_norm.running_mean").range, 0..16);
    assert_eq!(tensor(network.statistics(), "stem_norm.running_variance").init, Init::Constant(1.0));
}

#[test]
fn initial_values_depend_on_the_seed() {
    let network = described("lenet", Shape::new(8, 8, 1));
    let values = |seed| network.parameters().initial_values(seed).collect::<Vec<_>>();
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
}

/// Mean and variance of random values, their bounds, and constants.
#[test]
fn tensors_start_as_they_are_said_to() {
    for name in ["wrn-10-2-projection", "wrn-10-2", "resnet-50-w8", "efficientnet-lite0"] {
        let network = described(name, Shape::new(8, 8, 3));
        let values: Vec<f64> = network.parameters().initial_values(5).collect();
        for tensor in network.parameters().tensors() {
            let values = &values[tensor.range.clone()];
            let (variance, fourth, bound) = match tensor.init {
                Init::Constant(value) => {
                    assert!(values.iter().all(|x| *x == f64::from(value)), "{}", tensor.name);
                    continue;
                }
                Init::He { fan_in } => (2.0 / fan_in as f64, 3.0, f64::INFINITY),
                Init::Normal(variance) => (variance, 3.0, f64::INFINITY),
                // Variance 0.7737 and fourth moment 1.5368 / 0.7737^2 of a standard normal value within two deviations.
                Init::TruncatedNormal(variance) => (variance, 2.37, 2.0 * variance.sqrt() / 0.8796),
                Init::Uniform(bound) => (bound * bound / 3.0, 1.8, bound),
            };
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let found = values.iter().map(|x| x * x).sum::<f64>() / n;
            assert!(mean.abs() < 5.0 * (variance / n).sqrt(), "{name}: {}: mean {mean}", tensor.name);
            let deviation = ((fourth - 1.0) / n).sqrt();
            assert!((found / variance - 1.0).abs() < 5.0 * deviation, "{name}: {}: {found}", tensor.name);
            assert!(values.iter().all(|x| x.abs() <= bound), "{name}: {}", tensor.name);
        }
    }
}

/// 64 bits of FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The values of both backends before they shared one initialisation: a seed means the same network for ever.
#[test]
fn initial_values_keep_their_bits() {
    let small = Shape::new(8, 8, 3);
    for (name, image, seed, first, in_f32, in_f64) in [
        (
            "mlp-9-7",
            Shape::new(4, 4, 1),
            0,
            0x3fcf_ad36_48cf_b287,
            0xf9cb_2abd_2478_ff05,
            0x0d73_beae_ee35_ac69,
        ),
        (
            "lenet",
            Shape::new(8, 8, 1),
            11,
            0xbfd5_e1e7_4764_e674,
            0x7772_d69b_f353_3161,
            0x5470_9f21_68ae_1039,
        ),
        ("resnet-8", small, 3, 0x3fbe_91ef_a9fe_a3bf, 0x6b07_0af1_1689_dc9d, 0x8a11_ae22_ab55_1c8d),
        (
            "wrn-10-2-projection",
            small,
            u64::MAX,
            0x3fbf_6cdc_030b_52a2,
            0x58c8_d155_61ac_bf85,
            0x61e2_e168_bd2f_6a97,
        ),
    ] {
        let network = described(name, image);
        let values: Vec<f64> = network.parameters().initial_values(seed).collect();
        assert_eq!(values[0].to_bits(), first, "{name}");
        assert_eq!(hash(values.iter().flat_map(|x| (*x as f32).to_bits().to_le_bytes())), in_f32, "{name}");
        assert_eq!(hash(values.iter().flat_map(|x| x.to_bits().to_le_bytes())), in_f64, "{name}");
    }
}
