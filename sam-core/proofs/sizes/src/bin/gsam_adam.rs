//! GSAM around `AdamW`, on `f32`.
#![no_std]
#![no_main]

use sam_core::{Adam, AlongGradient, Gsam, Rule, SliceSpace, Variant};

sizes::program! { f32, |lent| {
    let (space, gsam) = (SliceSpace::new(lent()), Gsam::new(0.4, lent()));
    Variant::new(space, Rule::l2(0.05), AlongGradient, gsam, Adam::adamw(0.01, 0.01, lent(), lent()))
} }
