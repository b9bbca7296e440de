//! The sensor model of `tests/programs`, which has no heap, learning for ever.
#![no_std]
#![no_main]

use core::hint::black_box;

// Its panic handler.
use sizes as _;

#[allow(dead_code, reason = "the test on a machine with std uses the rest")]
#[path = "../../../../tests/programs/sensor_model.rs"]
mod model;

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let mut model = black_box(model::Model::new(black_box(0.05), black_box(0.02)));
    loop {
        let _ = black_box(model.learn(black_box(0.5)).is_ok());
    }
}
