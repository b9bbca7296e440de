//! What a second thread gains: `cargo bench -p sam-backend-ndarray --bench threads [busy] [rayon] [NETWORK...]`, `busy` for a machine
//! on which somebody else has one processor, `rayon` to time two threads of rayon in the place of two networks at once.
//!
//! A gradient of 128 images on two threads is timed between two on one, and compared with their mean: the speed of a
//! shared machine drifts less from one gradient to the next than from run to run. Beside it, in turn, the limit that the
//! machine sets: two networks of one thread each at the same time.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use ndarray::Array4;
use sam_backend_ndarray::{Activations, Network, Pool, Threads};
use sam_core::{GradientOracle, Pass};
use sam_model::{Architecture, ImageShape};

const BATCH: usize = 128;
const CLASSES: usize = 10;
/// For each network.
const TIME: Duration = Duration::from_secs(30);
/// Comparisons, however long they take.
const LEAST: usize = 12;

/// A pool of rayon's, whose caller works too.
struct Rayon(rayon::ThreadPool);

impl Pool for Rayon {
    fn members(&self) -> usize {
        self.0.current_num_threads() + 1
    }

    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        self.0.in_place_scope(|scope| {
            (1..self.members()).for_each(|member| scope.spawn(move |_| work(member)));
            work(0);
        });
    }
}

struct Bench {
    network: Network<f32>,
    params: Vec<f32>,
    grads: Vec<f32>,
}

impl Bench {
    fn new(name: &str, threads: Threads) -> Self {
        let architecture: Architecture = name.parse().unwrap();
        let description = architecture.describe(ImageShape::new(28, 28, 1), CLASSES).unwrap();
        let mut network = Network::build_on(threads, &description, BATCH, Activations::Kept).unwrap();
        let images = Array4::from_shape_fn((BATCH, 28, 28, 1), |(n, y, x, _)| {
            ((n * 7 + y * 5 + x * 3) % 13) as f32 / 13.0 - 0.5
        });
        let labels: Vec<u16> = (0..BATCH).map(|i| (i % CLASSES) as u16).collect();
        network.set_batch(images.view(), &labels).unwrap();
        let params = network.initial_parameters(0);
        let mut bench = Self { grads: vec![0.0; params.len()], params, network };
        // The first one allocates.
        bench.seconds();
        bench
    }

    /// Of a gradient.
    fn seconds(&mut self) -> f64 {
        let start = Instant::now();
        self.network.gradient(&self.params, &mut self.grads, Pass::Perturbed).unwrap();
        start.elapsed().as_secs_f64()
    }
}

fn own(threads: usize) -> Threads {
    Threads::new(threads).unwrap()
}

/// Speeds of two threads, and of two networks at once or of two threads of rayon, as multiples of one thread's.
fn multiples(name: &str, rayon: bool) -> [Vec<f64>; 2] {
    let [mut one, mut other, mut two] = [1, 1, 2].map(|threads| Bench::new(name, own(threads)));
    if rayon {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        other = Bench::new(name, Threads::lent(Arc::new(Rayon(pool))));
    }
    let [mut threads, mut beside] = [Vec::new(), Vec::new()];
    let (begin, start) = (Instant::now(), Barrier::new(2));
    let mut before = one.seconds();
    while begin.elapsed() < TIME || threads.len() < LEAST {
        let shared = two.seconds();
        let after = one.seconds();
        let alone = (before + after) / 2.0;
        threads.push(alone / shared);
        beside.push(if rayon {
            alone / other.seconds()
        } else {
            let together = thread::scope(|scope| {
                let other = scope.spawn(|| {
                    start.wait();
                    other.seconds()
                });
                start.wait();
                [one.seconds(), other.join().unwrap()]
            });
            together.iter().map(|seconds| alone / seconds).sum()
        });
        before = one.seconds();
    }
    [threads, beside]
}

/// First quartile, median and third quartile.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let [busy, rayon] = ["busy", "rayon"].map(|word| named.iter().any(|name| name == word));
    if busy {
        // As a process of its own would, to the end.
        thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    let named: Vec<String> = named.into_iter().filter(|name| name != "busy" && name != "rayon").collect();
    let beside = if rayon { "two threads of rayon" } else { "two networks at once" };
    let names = if named.is_empty() { vec!["lenet".into(), "wrn-16-1-projection".into()] } else { named };
    for name in names {
        let [threads, others] = multiples(&name, rayon);
        let count = threads.len();
        for (what, values) in [("two threads", threads), (beside, others)] {
            let [low, median, high] = quartiles(values);
            println!(
                "{name}{}, {what}: {median:.2} times one thread's speed ({low:.2} to {high:.2}, {count} times)",
                if busy { " beside a busy neighbour" } else { "" }
            );
        }
    }
}
