//! The same weights by every set of vector instructions that this machine has, and on every machine with fused multiply-adds.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, process::Command};

use ndarray::Array4;
use sam_backend_ndarray::{Network, NetworkError, Parallel, ParallelSpace, Scalar};
use sam_core::{GradientOracle, Pass, Rule, Sam, Sgd};
use sam_model::ImageShape;

/// Networks that together have every kind of kernel, with a hash of their weights after three steps: found with AVX2 and FMA
/// by the build before there were other vectors, and a promise to those who go on with a run.
const NETWORKS: [(&str, &str); 6] = [
    ("mlp-50-30", "fc529452216f42d0"),
    ("lenet", "c5b24d274bb12d37"),
    ("resnet-8", "ca443d29f6725a9b"),
    ("wrn-10-1-projection", "71d27a17dbb8bdc9"),
    ("wrn-10-4", "665b6cc2908e0409"),
    ("efficientnet-b0", "8bf8bfb1edfe3763"),
];
const SAMPLES: usize = 16;

fn network<T: Scalar>(model: &str) -> Result<Network<T>, NetworkError> {
    let image = ImageShape::new(12, 12, 1);
    let mut network = Network::new(&model.parse().unwrap(), image, 10, SAMPLES, 2)?;
    let x = Array4::from_shape_fn((SAMPLES, 12, 12, 1), |(n, y, x, _)| {
        T::of(((n * 31 + y * 7 + x * 3) % 17) as f64 / 8.0 - 1.0)
    });
    let labels: Vec<u16> = (0..SAMPLES).map(|i| (i % 10) as u16).collect();
    network.set_batch(x.view(), &labels).unwrap();
    Ok(network)
}

/// FNV-1a.
fn hash(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Of weights and statistics after three steps.
fn trained(mut network: Network<f32>) -> u64 {
    let mut w = network.initial_parameters(0);
    let mut g = vec![0.0; w.len()];
    let threads = network.threads();
    let space = ParallelSpace::new(w.len(), threads.clone());
    let mut sam = Sam::new(space, Rule::l2(0.05), Parallel::new(Sgd::new(0.1), threads));
    for _ in 0..3 {
        let _ = sam.step(&mut w[..], &mut g[..], &mut network).unwrap();
    }
    w.extend_from_slice(network.statistics());
    hash(&w)
}

fn gradient<T: Scalar>(mut network: Network<T>) -> Vec<f64> {
    let w = network.initial_parameters(0);
    let mut g = vec![T::zero(); w.len()];
    network.gradient(&w, &mut g, Pass::Perturbed).unwrap();
    g.iter().map(|value| value.value()).collect()
}

/// Distance of the first gradient from that in f64, as a share of the latter's norm.
fn error(model: &str) -> f64 {
    let (found, exact) = (gradient(network::<f32>(model).unwrap()), gradient(network::<f64>(model).unwrap()));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(&exact).map(|(a, b)| a - b)) / norm(&mut exact.iter().copied())
}

#[test]
#[ignore = "computes by what SAM_VECTORS says, for the test below"]
fn by_one_set() {
    // The harness has begun a line.
    println!();
    for (model, _) in NETWORKS {
        match network(model) {
            Ok(network) => println!("{model} {:016x} {:e}", trained(network), error(model)),
            Err(NetworkError::Vectors(error)) => return println!("{error}"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// What each set says: lines of the test above, none where the machine does not have it.
fn results(vectors: &str) -> Vec<(String, String, f64)> {
    let arguments = ["--ignored", "--exact", "by_one_set", "--nocapture", "--test-threads=1"];
    let output = Command::new(env::current_exe().unwrap())
        .args(arguments)
        .env("SAM_VECTORS", vectors)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{vectors}: {text}{}", String::from_utf8_lossy(&output.stderr));
    let refused = "SAM_VECTORS: expected what this machine has";
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [model, hash, error] => Some((model.to_owned(), hash.to_owned(), error.parse().ok()?)),
            _ => None,
        })
        .collect();
    assert_eq!(lines.len(), if text.contains(refused) { 0 } else { NETWORKS.len() }, "{vectors}: {text}");
    lines
}

#[test]
fn weights_have_the_same_bits_by_all_vectors_that_fuse() {
    let names = ["plain", "avx2", "avx512", "neon"];
    let found: Vec<_> = names.iter().map(|vectors| (vectors, results(vectors))).collect();
    assert!(found.iter().any(|(_, lines)| !lines.is_empty()));
    for (vectors, lines) in found {
        for ((model, hash, error), (expected_model, expected)) in lines.into_iter().zip(NETWORKS) {
            assert_eq!(model, expected_model);
            assert!(error < 1e-4, "{vectors}, {model}: {error:e} off f64");
            assert_eq!(hash == expected, *vectors != "plain", "{vectors}, {model}: found {hash}");
        }
    }
}

#[test]
fn vectors_that_are_not_there_are_refused() {
    assert_eq!(results("sse9"), []);
}
