//! The memory passes of a step over 25 M `f32` weights, beside a plain copy of the same vector.
//!
//! `cargo bench -p sam-core --bench traffic`. A word is one `f32` a weight, read or written: the copy moves 2, the norm
//! 1, the perturbation 3, the check 1, the SGD update with momentum 5. The last lines compare medians of passes that
//! were run in turn, so that a busy machine slows all of them alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput};
use sam_core::{Descent, LengthMismatch, ParamSpace, Rule, Sgd, SliceSpace};

const WEIGHTS: usize = 25_000_000;
const ROUNDS: usize = 15;

struct Passes {
    w: Vec<f32>,
    g: Vec<f32>,
    copy: Vec<f32>,
    rule: Rule<f32>,
    space: SliceSpace<f32, Vec<f32>>,
    sgd: Sgd<f32, Vec<f32>>,
}

type Run = fn(&mut Passes) -> Result<(), LengthMismatch>;
type Pass = (&'static str, u64, Run);

const PASSES: [Pass; 5] = [
    ("copy", 2, |p| {
        p.copy.copy_from_slice(black_box(&p.w));
        Ok(())
    }),
    ("norm", 1, |p| black_box(p.space.dual_norm(&p.w, &p.g, &p.rule)).map(drop)),
    ("perturb", 3, |p| {
        let norm = sam_core::kernel::dual_norm(&p.rule, &p.w[..1], &p.g[..1]);
        p.space.ascend(&mut p.w, &p.g, &p.rule, black_box(&norm))
    }),
    ("check", 1, |p| black_box(p.space.check(&p.g)).map(drop)),
    ("update", 5, |p| p.sgd.descend(&mut p.w, &mut p.g)),
];

fn passes() -> Passes {
    let vector = |scale: f32| (0..WEIGHTS).map(|i| scale * ((i % 1013) as f32 - 506.0)).collect::<Vec<_>>();
    Passes {
        w: vector(1e-4),
        g: vector(1e-6),
        copy: vec![1.0; WEIGHTS],
        rule: Rule::l2(0.05),
        space: SliceSpace::new(vec![1.0; WEIGHTS]),
        sgd: Sgd::new(1e-3).with_momentum(0.9, vec![1.0; WEIGHTS]),
    }
}

fn time(pass: Run, on: &mut Passes) -> Duration {
    let start = Instant::now();
    assert_eq!(pass(on), Ok(()));
    start.elapsed()
}

fn compare(p: &mut Passes) {
    let mut times = PASSES.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, _, pass), times) in PASSES.iter().zip(&mut times) {
            times.push(time(*pass, p).as_secs_f64());
        }
    }
    let medians = times.map(|mut t| {
        t.sort_by(f64::total_cmp);
        t[ROUNDS / 2]
    });
    let [copy, norm, perturb, check, update] = medians;
    println!("medians of {ROUNDS} rounds in turn, {WEIGHTS} weights:");
    for ((name, words, _), t) in PASSES.iter().zip(medians) {
        let share = *words as f64 / t / (2.0 / copy);
        println!("  {name:8} {:7.2} ms  {share:.2} of the copy's bandwidth", t * 1e3);
    }
    println!("  norm + perturb + update: {:.2} copies", (norm + perturb + update) / copy);
    println!("  with the check:          {:.2} copies", (norm + perturb + check + update) / copy);
}

fn main() {
    let mut p = passes();
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("25M f32");
    for (name, words, pass) in PASSES {
        group.throughput(Throughput::Bytes(words * 4 * WEIGHTS as u64));
        group.bench_function(name, |b| b.iter_batched(|| (), |()| pass(&mut p), BatchSize::PerIteration));
    }
    group.finish();
    compare(&mut p);
    criterion.final_summary();
}
