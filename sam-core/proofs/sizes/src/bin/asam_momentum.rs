//! ASAM around SGD with momentum and weight decay, on `f32`.
#![no_std]
#![no_main]

use sam_core::{Rule, Sam, Sgd, SliceSpace, WeightDecay};

sizes::program! { f32, |lent| {
    let base = Sgd::new(0.1).with_momentum(0.9, lent()).with_decay(WeightDecay::Coupled(1e-4));
    Sam::new(SliceSpace::new(lent()), Rule::l2(0.5).adaptive(0.01), base)
} }
