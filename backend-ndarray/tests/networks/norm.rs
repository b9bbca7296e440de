//! Norms that are accumulated while the gradient is still being computed.

use std::{fmt::Debug, ops::Range};

use proptest::prelude::*;
use sam_backend_ndarray::{Network, ParallelSpace, Threads};
use sam_core::{
    GradientOracle, ParamSpace, Pass, Ready, Real, Rule, SliceSpace, Verdict,
    formula::{BLOCK, DualNorm},
};
use sam_model::{Description, ImageShape, Op, Tensor};

use super::{
    parallel::{length, rule, values},
    support::{images, noise},
};

/// Writes a gradient part by part, and tells of some of them.
struct PartwiseOracle<'a> {
    gradient: &'a [f64],
    parts: Vec<(Range<usize>, bool)>,
    /// Spoils at the end, against the rules, what it told of.
    spoils: bool,
}

impl GradientOracle<[f64]> for PartwiseOracle<'_> {
    type Loss = ();
    type Error = ();

    fn gradient(&mut self, w: &[f64], g: &mut [f64], pass: Pass) -> Result<(), ()> {
        self.gradient_in_parts(w, g, pass, &mut |_, _| {})
    }

    fn gradient_in_parts(
        &mut self,
        _: &[f64],
        g: &mut [f64],
        _: Pass,
        ready: &mut Ready<'_, [f64]>,
    ) -> Result<(), ()> {
        g.fill(f64::NAN);
        for (part, tell) in &self.parts {
            g[part.clone()].copy_from_slice(&self.gradient[part.clone()]);
            if *tell {
                ready(g, part.clone());
            }
        }
        if self.spoils {
            g.fill(f64::NAN);
        }
        Ok(())
    }
}

/// Cuts `len` entries into parts: in the order of a backward pass mostly, otherwise in any; some are not told of.
fn parts(len: usize, cuts: &[prop::sample::Index], seed: u64) -> Vec<(Range<usize>, bool)> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(len + 1)).chain([0, len]).collect();
    cuts.sort_unstable();
    let mut parts: Vec<Range<usize>> = cuts.windows(2).rev().map(|ends| ends[0]..ends[1]).collect();
    let mut random = noise(seed);
    let mut draw = || random.next().unwrap_or_default();
    let (shuffled, silent) = (draw() > 0.5, draw() > 0.5);
    if shuffled {
        parts.sort_by_cached_key(|_| (draw() * 1e9) as i64);
    }
    parts.into_iter().map(|part| (part, !(silent && draw() > 0.5))).collect()
}

/// The gradient, and the norm that was accumulated with it.
fn clean_gradient<T: Real, O: GradientOracle<[T], Error: Debug>>(
    space: &mut ParallelSpace<T>,
    w: &[T],
    rule: &Rule<T>,
    oracle: &mut O,
) -> (Vec<T>, DualNorm) {
    let mut g = vec![T::ZERO; w.len()];
    let (_, norm) = space.clean_gradient(w, &mut g, rule, oracle).unwrap();
    (g, norm)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the gradient comes, its norm has the bits of one round over a slice.
    #[test]
    fn parts_do_not_change_the_norm(
        len in prop_oneof![length(), 100_000..300_000_usize],
        rule in rule(),
        count in 1..=3_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        seed in any::<u64>(),
        size in prop::sample::select(vec![0.0, 1e-200, 1.0, 1e200]),
    ) {
        let w = values(len, seed, 1.0);
        let gradient = values(len, seed.rotate_left(32), size);
        let mut space = ParallelSpace::new(len, Threads::new(count).unwrap());
        let expected = SliceSpace::new(vec![0.0; len]).dual_norm(&w, &gradient, &rule).unwrap();
        // The second has sums of the first left behind.
        for seed in [seed, !seed] {
            let mut oracle = PartwiseOracle { gradient: &gradient, parts: parts(len, &cuts, seed), spoils: false };
            prop_assert_eq!(clean_gradient(&mut space, &w, &rule, &mut oracle).1, expected);
        }
    }
}

/// It is not left to the end: what was told of may vanish afterwards.
#[test]
fn what_was_told_of_is_summed_up_then() {
    let len = 300 * BLOCK + 7;
    let gradient = values(len, 1, 1.0);
    let rule = Rule::l2(0.1);
    let expected = SliceSpace::new(vec![0.0; len]).dual_norm(&gradient, &gradient, &rule).unwrap();
    let norm = |parts: &[(usize, usize)]| {
        let parts = parts.iter().map(|&(start, end)| (start..end, true)).collect();
        let mut oracle = PartwiseOracle { gradient: &gradient, parts, spoils: true };
        let mut space = ParallelSpace::new(len, Threads::new(2).unwrap());
        clean_gradient(&mut space, &gradient, &rule, &mut oracle).1
    };
    // From the back, from the front, and with ends inside of blocks.
    assert_eq!(norm(&[(0, len)]), expected);
    assert_eq!(norm(&[(200 * BLOCK, len), (100 * BLOCK, 200 * BLOCK), (0, 100 * BLOCK)]), expected);
    assert_eq!(norm(&[(0, 100 * BLOCK), (100 * BLOCK, 200 * BLOCK), (200 * BLOCK, len)]), expected);
    assert_eq!(norm(&[(150 * BLOCK + 9, len), (0, 150 * BLOCK + 9)]), expected);
    // Parts that are too small to wake anybody for wait for the end, and there find what has become of them.
    assert_eq!(norm(&[(0, 10 * BLOCK)]).verdict(), Verdict::NonFinite);
}

/// Networks tell of all layers, on the threads that the storage uses too.
#[test]
fn networks_tell_of_every_layer() {
    let image = ImageShape::new(12, 12, 1);
    for name in ["mlp-300-200", "lenet", "resnet-8", "wrn-10-2-projection"] {
        let mut network = Network::<f32>::new(&name.parse().unwrap(), image, 10, 9, 2).unwrap();
        let w = network.initial_parameters(1);
        let mut g = vec![0.0; w.len()];
        let mut told = vec![false; w.len()];
        network.set_batch(images(9, image, 1).view(), &[3; 9]).unwrap();
        network.gradient_in_parts(&w, &mut g, Pass::Clean, &mut |_, part| told[part].fill(true)).unwrap();
        assert!(told.iter().all(|told| *told), "{name}");

        let mut space = ParallelSpace::new(w.len(), network.threads());
        let rule = Rule::l2(0.1);
        let (g, norm) = clean_gradient(&mut space, &w, &rule, &mut network);
        assert_eq!(norm, SliceSpace::new(vec![0.0; w.len()]).dual_norm(&w, &g, &rule).unwrap(), "{name}");
    }
}

/// A logit of minus infinity for the right class: its probability is 0, and the softmax's gradient finite.
#[test]
fn a_loss_that_is_not_finite_has_no_finite_gradient() {
    let image = ImageShape::new(1, 2, 1);
    let description = Description::new(image, 3, |g| {
        let x = g.push("flatten", Op::Flatten, &[Tensor::INPUT])?;
        g.push("head", Op::Classify { classes: 3 }, &[x])
    })
    .unwrap();
    let mut network = Network::<f32>::build(&description, 1, 1).unwrap();
    let mut w = vec![0.0; network.parameter_count()];
    let mut g = vec![0.0; w.len()];
    network.set_batch(ndarray::Array4::from_elem([1, 1, 2, 1], 1.0).view(), &[0]).unwrap();
    for (weight, finite) in [(f32::MIN / 4.0, true), (f32::MIN, false)] {
        // Of both inputs to the right class.
        (w[0], w[3]) = (weight, weight);
        let loss = network.gradient(&w, &mut g, Pass::Clean).unwrap();
        assert_eq!(loss.is_finite(), finite);
        assert!(g.iter().all(|g| g.is_finite() == finite), "{g:?}");
    }
}
