//! A gradient against differences of the loss.

use core::ops::Range;
use std::vec::Vec;
use std::{format, vec};

use super::{bits, succeed};
use crate::{GradientOracle, Pass, Real};

/// Compares an oracle's gradient at `w` with central differences of its loss, in both passes: up to 100
/// coordinates, evenly spread. Also checks that it overwrites what `grads` held, that asking twice gives the
/// same bits, and that asking for parts does too, each entry told of once at most and when it is final.
///
/// `step` is the move of a coordinate; the cube root of the type's precision, times the size of the weights,
/// is about best. `tolerance` is relative to the gradient's largest entry.
///
/// # Panics
/// If a coordinate differs by more.
pub fn check_oracle<T: Real, O: GradientOracle<[T], Loss = T>>(
    oracle: &mut O,
    w: &[T],
    step: T,
    tolerance: f64,
) {
    for pass in [Pass::Clean, Pass::Perturbed] {
        let mut g = vec![T::narrow(f64::NAN); w.len()];
        let mut again = vec![T::narrow(1e3); w.len()];
        succeed(oracle.gradient(w, &mut g, pass), "the oracle");
        succeed(oracle.gradient(w, &mut again, pass), "the oracle");
        let wide = |g: &[T]| g.iter().map(|g| g.widen()).collect::<Vec<_>>();
        let (g, again) = (wide(&g), wide(&again));
        assert_eq!(
            bits(&g),
            bits(&again),
            "{pass} pass: two evaluations differ; is the gradient added instead of written?"
        );
        let (parts, told) = told(oracle, w, pass);
        assert_eq!(
            bits(&g),
            bits(&wide(&parts)),
            "{pass} pass: the gradient differs when parts are asked for"
        );
        for (i, early) in told.iter().enumerate().filter_map(|(i, told)| Some((i, (*told)?))) {
            assert_eq!(
                early.widen().to_bits(),
                g[i].to_bits(),
                "{pass} pass: entry {i} was told of, then changed"
            );
        }

        let largest = g.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        let stride = w.len().div_ceil(100).max(1);
        for i in (0..w.len()).step_by(stride) {
            let mut loss = |by: T| {
                let mut moved = w.to_vec();
                moved[i] += by;
                let mut unused = vec![T::ZERO; w.len()];
                let loss = succeed(oracle.gradient(&moved, &mut unused, pass), "the oracle");
                (loss.widen(), moved[i].widen())
            };
            let ((above, to), (below, from)) = (loss(step), loss(-step));
            let expected = (above - below) / (to - from);
            let place = format!("{pass} pass, coordinate {i}");
            assert!(
                (g[i] - expected).abs() <= tolerance * largest,
                "{place}: gradient {:e}, difference of the loss {expected:e}, largest entry {largest:e}",
                g[i]
            );
        }
    }
}

/// The gradient, and what its entries were when the oracle told of them.
fn told<T: Real, O: GradientOracle<[T]>>(oracle: &mut O, w: &[T], pass: Pass) -> (Vec<T>, Vec<Option<T>>) {
    let mut g = vec![T::narrow(-1e3); w.len()];
    let mut told = vec![None; w.len()];
    let mut ready = |g: &[T], part: Range<usize>| {
        assert!(part.end <= w.len(), "{pass} pass: told of entries {part:?} of {}", w.len());
        for i in part {
            assert!(told[i].replace(g[i]).is_none(), "{pass} pass: told twice of entry {i}");
        }
    };
    succeed(oracle.gradient_in_parts(w, &mut g, pass, &mut ready), "the oracle");
    (g, told)
}
