//! SAM with p = 2 around SGD, on `f64`.
#![no_std]
#![no_main]

use sam_core::{Rule, Sam, Sgd, SliceSpace};

sizes::program! { f64, |lent| Sam::new(SliceSpace::new(lent()), Rule::l2(0.05), Sgd::new(0.1)) }
