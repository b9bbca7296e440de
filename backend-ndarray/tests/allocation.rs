//! After its first steps a network allocates nothing: neither the passes nor SAM around them.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::Array4;
use sam_backend_ndarray::{Network, Parallel, ParallelSpace};
use sam_core::{Rule, Sam, Sgd, WeightDecay};
use sam_model::ImageShape;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts the requests of all threads: the network's workers are others than the test's.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every request goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `alloc` above, which is the system's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Without the test harness, whose own thread allocates when a test takes long: all that happens is counted.
fn main() {
    let before = COUNT.load(Relaxed);
    drop(std::hint::black_box(vec![1, 2, 3]));
    assert_eq!(COUNT.load(Relaxed) - before, 1, "the counter counts");

    let image = ImageShape::new(12, 12, 1);
    let x = Array4::from_shape_fn((16, 12, 12, 1), |(n, y, x, _)| {
        ((n * 31 + y * 7 + x * 3) % 17) as f32 / 8.0 - 1.0
    });
    let labels: Vec<u16> = (0..16).map(|i| i % 10).collect();
    for threads in [1, 2] {
        for model in ["mlp-50-30", "lenet", "resnet-8", "wrn-10-1-projection"] {
            let mut network = Network::new(&model.parse().unwrap(), image, 10, 16, threads).unwrap();
            let mut w = network.initial_parameters(0);
            let mut g = vec![0.0; w.len()];
            let base = Sgd::new(0.01).with_momentum(0.9, vec![0.0; w.len()]);
            let base = base.with_decay(WeightDecay::Coupled(5e-4));
            let mut sam = Sam::new(
                ParallelSpace::new(w.len(), network.threads()),
                Rule::l2(0.05),
                Parallel::new(base, network.threads()),
            );
            let mut step = || {
                let before = COUNT.load(Relaxed);
                network.set_batch(x.view(), &labels).unwrap();
                let _ = sam.step(&mut w[..], &mut g[..], &mut network).unwrap();
                COUNT.load(Relaxed) - before
            };
            step();
            step();
            let counts: Vec<usize> = (0..100).map(|_| step()).collect();
            assert_eq!(counts, [0; 100], "{model}, {threads} threads");
        }
    }
    println!("test a_training_step_allocates_nothing_after_the_first ... ok");
}
