//! Parameters in one contiguous slice.

mod algebra;
mod directed;
mod pull_back;
mod repeated;

pub(crate) use algebra::mix;
pub(crate) use directed::displace;

use core::marker::PhantomData;

use crate::formula::{self, Ascent, DualNorm};
use crate::{LengthMismatch, ParamSpace, Real, Rule, Verdict};

/// [`ParamSpace`] over plain slices, with a lent second buffer for the perturbed parameters: a `Vec`, an
/// array, a `&mut [T]`.
///
/// `w` is never modified by the ascent, so restoring is free and exact, and whatever interrupts a step loses
/// nothing. Memory: one word a weight. Traffic of a step: 1 read for the norm, 2 reads and 1 write for the
/// perturbation, 1 read for the check of the second gradient.
///
/// Not for half precision: see [`Real`].
#[derive(Clone, Debug)]
pub struct SliceSpace<T, B> {
    perturbed: B,
    element: PhantomData<T>,
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> SliceSpace<T, B> {
    /// A space whose perturbed parameters go into `buffer`, which must be as long as the parameters. What the
    /// buffer holds before a step does not matter.
    pub const fn new(buffer: B) -> Self {
        Self { perturbed: buffer, element: PhantomData }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }

    fn check_lengths(&self, w: &[T], g: &[T]) -> Result<(), LengthMismatch> {
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("buffer for perturbed parameters", w.len(), self.perturbed.as_ref().len())
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> ParamSpace for SliceSpace<T, B> {
    type Params = [T];
    type Grads = [T];
    type Scalar = T;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[T], g: &[T], rule: &Rule<T>) -> Result<DualNorm, LengthMismatch> {
        self.check_lengths(w, g)?;
        Ok(formula::dual_norm(rule, w, g))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut [T],
        g: &[T],
        rule: &Rule<T>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        self.check_lengths(w, g)?;
        Ascent::new(rule, norm).write(0, w, g, self.perturbed.as_mut());
        Ok(())
    }

    fn perturbed<'a>(&'a self, _w: &'a [T]) -> &'a [T] {
        self.perturbed.as_ref()
    }

    fn restore(&mut self, _w: &mut [T]) -> Result<(), LengthMismatch> {
        Ok(())
    }

    fn check(&mut self, g: &[T]) -> Result<Verdict, LengthMismatch> {
        Ok(if formula::all_finite(g) { Verdict::Finite } else { Verdict::NonFinite })
    }
}
