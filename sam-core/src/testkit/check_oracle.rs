//! A gradient against differences of the loss.

use std::vec::Vec;
use std::{format, vec};

use super::{bits, succeed};
use crate::{GradientOracle, Pass, Real};

/// Compares an oracle's gradient at `w` with central differences of its loss, in both passes: up to 100
/// coordinates, evenly spread. Also checks that it overwrites what `grads` held and that asking twice gives
/// the same bits.
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
