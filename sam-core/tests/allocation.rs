//! No step of any method allocates.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/method.rs"]
mod method;

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/problem.rs"]
mod problem;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use method::{N, Vector, base, methods};
use problem::{SAMPLES, Waves};
use sam_core::{
    CurvatureRegularized, GradientOracle, Gsam, GsamGradient, MicroBatches, Pass, Penalty, Rule, SamGradient,
};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every request goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
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

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1, 2, 3]))), 1);
}

#[test]
fn no_step_of_any_method_allocates() {
    for mut entry in methods(0.1, 0.05).into_iter().chain([base(0.05)]) {
        let mut w: Vector = std::array::from_fn(|i| 0.4 * i as f64 - 0.9);
        let count = allocations(|| {
            for _ in 0..7 {
                let outcome = entry.method.step(&mut w, &mut |w, g, _| {
                    g.iter_mut().zip(w).for_each(|(g, w)| *g = w.sin() + 0.3);
                    Ok(w[N - 1])
                });
                assert!(outcome.is_ok());
            }
        });
        assert_eq!(count, 0, "{}", entry.name);
    }
}

#[test]
fn no_gradient_made_of_others_allocates() {
    let (zero, rule): (Vector, _) = ([0.0; N], Rule::l2(0.1));
    macro_rules! asks {
        ($oracle:expr) => {{
            let (mut oracle, w, mut g) = ($oracle, problem::START, zero);
            let count = allocations(|| {
                for pass in [Pass::Clean, Pass::Perturbed] {
                    assert!(oracle.gradient(&w[..], &mut g[..], pass).is_ok());
                }
            });
            assert_eq!(count, 0, stringify!($oracle));
        }};
    }
    asks!(CurvatureRegularized::new(Waves, 0.1, 0.01, [zero; 4]));
    asks!(MicroBatches::new(GsamGradient::new(Waves, rule, Gsam::new(0.4, zero), zero), SAMPLES / 2, zero));
    asks!(MicroBatches::new(SamGradient::new(Waves, rule, zero), SAMPLES / 2, zero));
    asks!(Penalty::new(Waves, 0.1));
}
