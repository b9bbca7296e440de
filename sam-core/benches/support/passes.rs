//! The memory passes of a step over 25 M `f32` weights, and a plain copy of the same vector.
//!
//! A word is one `f32` a weight, read or written: the copy moves 2, the norm 1, the perturbation 3, the check
//! 1, the SGD update with momentum 5.

use std::hint::black_box;

use sam_core::{Descent, LengthMismatch, ParamSpace, Rule, Sgd, SliceSpace};

pub const WEIGHTS: usize = 25_000_000;

pub struct Passes {
    w: Vec<f32>,
    g: Vec<f32>,
    copy: Vec<f32>,
    rule: Rule<f32>,
    space: SliceSpace<f32, Vec<f32>>,
    sgd: Sgd<f32, Vec<f32>>,
}

pub type Run = fn(&mut Passes) -> Result<(), LengthMismatch>;
pub type Pass = (&'static str, u64, Run);

pub const PASSES: [Pass; 5] = [
    ("copy", 2, |p| {
        p.copy.copy_from_slice(black_box(&p.w));
        Ok(())
    }),
    ("norm", 1, |p| black_box(p.space.dual_norm(&p.w, &p.g, &p.rule)).map(drop)),
    ("perturb", 3, |p| {
        let norm = sam_core::formula::dual_norm(&p.rule, &p.w[..1], &p.g[..1]);
        p.space.ascend(&mut p.w, &p.g, &p.rule, black_box(&norm))
    }),
    ("check", 1, |p| black_box(p.space.check(&p.g)).map(drop)),
    ("update", 5, |p| p.sgd.descend(&mut p.w, &mut p.g)),
];

pub fn passes() -> Passes {
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
