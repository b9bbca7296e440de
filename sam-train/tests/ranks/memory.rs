//! What ranks hold in memory, by a count of the bytes that each thread has.
#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    rc::Rc,
};

use sam_train::{
    ranks::Ranks,
    training::{
        overlap::Overlap,
        settings::{Base, Method, Settings},
        shard_state::ShardState,
    },
};

use super::{
    steps::{data, settings, trainer},
    threads::on_threads,
};

/// Counts what a thread has asked for and not given back.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends counts no more.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every request goes to the system's allocator as it is; the count allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the block came from `alloc` above, which is the system's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Vectors as long as the weights that a rank holds between two steps, what does not grow with the weights apart.
fn vectors(settings: &Settings, ranks: usize, shard_state: ShardState) -> f64 {
    let of = |model: &str| {
        let settings = Settings { model: model.parse().unwrap(), ..settings.clone() };
        let data = data(&settings);
        let held = on_threads(ranks, |thread| {
            let ranks: Rc<dyn Ranks> = thread.clone();
            let before = HELD.get();
            let mut trainer = trainer(&settings, &data, shard_state.of(&Overlap::Off.of(&ranks)));
            for _ in 0..2 {
                trainer.step().unwrap();
            }
            // What ranks have brought last is a message's.
            ranks.gather(&[]);
            (trainer.learner().parameter_count(), HELD.get() - before)
        });
        let (weights, most) = held.into_iter().max_by_key(|&(_, held)| held).unwrap();
        (weights as f64, most as f64)
    };
    // The first layer has 64 inputs: networks of one batch and nearly as many activations.
    let ((few, little), (many, much)) = (of("mlp-600-600"), of("mlp-600-1000"));
    (much - little) / (many - few) / 4.0
}

#[test]
fn the_state_of_a_rank_falls_with_their_number_where_they_keep_shards() {
    let sam = Method::sam(0.1);
    // What they are spared: of the sum of gradients, the perturbed weights and the base optimizer's buffers all but a part, but for
    // as large a part of the weights.
    for (method, base, ranks, expected) in [
        (sam, Base::SGD, 4, 3.0 - 4.0 / 4.0),
        (sam, Base::SGD, 2, 3.0 - 4.0 / 2.0),
        (sam, Base::ADAMW, 4, 4.0 - 5.0 / 4.0),
        (Method::Sgd, Base::SGD, 4, 2.0 - 3.0 / 4.0),
        // A group's perturbed weights are its own.
        (Method::MSharpness { rho: 0.1, m: 8 }, Base::SGD, 4, 2.0 - 3.0 / 4.0),
        // One rank has all of it.
        (sam, Base::SGD, 1, 0.0),
    ] {
        let mut settings = settings("mlp-8", method, Some(4));
        settings.base = base;
        settings.sgd = base.usual(settings.sgd);
        settings.check().unwrap();
        let [whole, parts] = [ShardState::Off, ShardState::On].map(|state| vectors(&settings, ranks, state));
        // Shards differ by some blocks of 1024.
        assert!(
            (whole - parts - expected).abs() < 0.1,
            "{method:?} {base:?} on {ranks}: expected {expected} less, found {whole} and {parts}"
        );
    }
}
