//! What SAM and SGD do outside the gradients, on one thread and on two: `cargo bench -p sam-backend-ndarray --bench sweeps`.
//!
//! Throughput counts the words that a sweep must read and write.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use sam_backend_ndarray::{Parallel, ParallelSpace, Threads};
use sam_core::{Descent, ParamSpace, Rule, Sgd, WeightDecay};

/// Networks by their weights: in a core's own cache at most, in the shared one, and in neither.
const NETWORKS: [(&str, usize); 3] =
    [("mlp", 235_146), ("lenet", 421_642), ("wrn-28-10-projection", 36_479_194)];

fn sweeps(c: &mut Criterion) {
    for (name, weights) in NETWORKS {
        let mut group = c.benchmark_group(name);
        for threads in [1, 2] {
            on(&mut group, weights, &Threads::new(threads).unwrap());
        }
    }
}

fn on(group: &mut BenchmarkGroup<'_, WallTime>, weights: usize, threads: &Threads) {
    let mut w: Vec<f32> = (0..weights).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
    let mut g: Vec<f32> = (0..weights).map(|i| (i % 23) as f32 / 2300.0 - 0.005).collect();
    let mut space = ParallelSpace::new(weights, threads.clone());
    let base = Sgd::new(1e-9).with_momentum(0.9, vec![0.0; weights]);
    let mut base = Parallel::new(base.with_decay(WeightDecay::Coupled(5e-4)), threads.clone());
    let rule = Rule::l2(0.05);
    let norm = space.dual_norm(&w, &g, &rule).unwrap();
    let bytes = |words: usize| Throughput::Bytes((words * weights * size_of::<f32>()) as u64);
    let count = threads.count();
    group.throughput(bytes(1));
    group.bench_function(format!("norm/{count}"), |b| {
        b.iter(|| black_box(space.dual_norm(&w, &g, &rule).unwrap()));
    });
    group.bench_function(format!("check/{count}"), |b| b.iter(|| black_box(space.check(&g).unwrap())));
    group.throughput(bytes(3));
    group.bench_function(format!("ascent/{count}"), |b| {
        b.iter(|| space.ascend(&mut w, &g, &rule, &norm).unwrap());
    });
    group.throughput(bytes(5));
    group.bench_function(format!("update/{count}"), |b| b.iter(|| base.descend(&mut w, &mut g).unwrap()));
}

criterion_group!(benches, sweeps);
criterion_main!(benches);
