//! Criterion's view of the memory passes: `cargo bench -p sam-core --bench traffic`.

#[path = "support/passes.rs"]
mod passes;

use criterion::{BatchSize, Criterion, Throughput};
use passes::{PASSES, WEIGHTS, passes};

fn main() {
    let mut p = passes();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("25M f32");
    for (name, words, pass) in PASSES {
        group.throughput(Throughput::Bytes(words * 4 * WEIGHTS as u64));
        group.bench_function(name, |b| b.iter_batched(|| (), |()| pass(&mut p), BatchSize::PerIteration));
    }
    group.finish();
    criterion.final_summary();
}
