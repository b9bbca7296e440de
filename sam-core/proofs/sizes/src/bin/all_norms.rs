//! SAM and ASAM with a norm that is chosen when the program runs, around SGD, on `f32`.
#![no_std]
#![no_main]

use sam_core::{Norm, Rule, Sam, Sgd, SliceSpace};

sizes::program! { f32, |lent| {
    let (p, eta) = black_box((2.0, None));
    let rule = Rule::new(0.05, Norm::from_p(p).unwrap_or(Norm::L2)).with_adaptive(eta);
    Sam::new(SliceSpace::new(lent()), rule, Sgd::new(0.1))
} }
