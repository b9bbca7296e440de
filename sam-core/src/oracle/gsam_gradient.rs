//! GSAM within groups of a mini-batch.

use core::borrow::BorrowMut;
use core::ops::Range;

use super::mini_batch::{clean_gradient, whole_batch};
use crate::formula::{Ascent, all_finite, dual_norm};
use crate::{BufferedError, Combination, GradientOracle, Gsam, MiniBatch, Pass, Real, Rule, Sgd, SliceSpace};

/// Makes every gradient a GSAM gradient, as [`SamGradient`](crate::SamGradient) makes it a SAM gradient: over
/// [`MicroBatches`](crate::MicroBatches) of `m` samples it is GSAM with m-sharpness, the mean of the GSAM gradients of groups. With
/// [`GsamGradient::by_magnitude`] and [`Gsam::around_clean`] it is what `big_vision` computes on each device for its share
/// of the mini-batch, before it takes the mean.
///
/// ```
/// use std::ops::Range;
/// use sam_core::{GsamGradient, Gsam, MicroBatches, MiniBatch, Pass, Plain, Rule, Sgd, SliceSpace};
///
/// struct Mean([f64; 4]);
/// impl MiniBatch<f64> for Mean {
///     type Error = ();
///     fn samples(&self) -> usize { 4 }
///     fn gradient_of(&mut self, part: Range<usize>, w: &[f64], g: &mut [f64], _: Pass) -> Result<f64, ()> {
///         let part = &self.0[part];
///         g[0] = part.iter().map(|x| w[0] - x).sum::<f64>() / part.len() as f64;
///         Ok(0.0)
///     }
/// }
///
/// let gsam = GsamGradient::new(Mean([1.0, 3.0, -1.0, -3.0]), Rule::l2(0.5), Gsam::new(0.4, [0.0]), [0.0]);
/// let mut groups = MicroBatches::new(gsam, 2, [0.0]);
/// let mut plain = Plain::new(SliceSpace::new([0.0]), Sgd::new(0.1));
/// let (mut w, mut g) = ([1.0], [0.0]);
/// plain.step(&mut w[..], &mut g[..], &mut groups).unwrap();
/// // One group climbs from 1 to 0.5, the other to 1.5; gradients of one weight have no part that is orthogonal.
/// assert!((g[0] - ((0.5 - 2.0) + (1.5 + 2.0)) / 2.0).abs() < 1e-15);
/// ```
///
/// Cost: 2 gradients for each, two words a weight. The loss is the one at the perturbed parameters. A loss or gradient that is
/// not finite is passed on as it is, for whoever checks the sum.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GsamGradient<T, B, K, M> {
    /// The mini-batch.
    pub inner: B,
    /// Radius and norm.
    pub rule: Rule<T>,
    /// What becomes of the two gradients.
    pub gsam: Gsam<T, K>,
    by_magnitude: bool,
    perturbed: M,
}

impl<T, B, K, M> GsamGradient<T, B, K, M> {
    /// `perturbed` is a buffer as long as the parameters; what it holds does not matter.
    pub const fn new(inner: B, rule: Rule<T>, gsam: Gsam<T, K>, perturbed: M) -> Self {
        Self { inner, rule, gsam, by_magnitude: false, perturbed }
    }

    /// Moves each weight in proportion to its size, as [`ByMagnitude`](crate::ByMagnitude) does; only the rule's radius is used.
    #[must_use]
    pub fn by_magnitude(self) -> Self {
        Self { by_magnitude: true, ..self }
    }
}

impl<T, B, K, M> MiniBatch<T> for GsamGradient<T, B, K, M>
where
    T: Real,
    B: MiniBatch<T>,
    K: BorrowMut<[T]>,
    M: AsMut<[T]>,
{
    type Error = BufferedError<B::Error>;

    fn samples(&self) -> usize {
        self.inner.samples()
    }

    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        w: &[T],
        g: &mut [T],
        pass: Pass,
    ) -> Result<T, Self::Error> {
        let up = self.perturbed.as_mut();
        let (clean, finite) = clean_gradient(&mut self.inner, up, samples.clone(), w, g, pass)?;
        if !finite {
            return Ok(clean);
        }
        // The arithmetic of gradients in slices; nothing is perturbed in this space, and nothing descends.
        let mut slices = SliceSpace::<T, [T; 0]>::new([]);
        let gsam: &mut dyn Combination<SliceSpace<T, [T; 0]>, Sgd<T>> = &mut self.gsam;
        gsam.keep(&mut slices, g).map_err(BufferedError::Buffer)?;
        let rule = if self.by_magnitude { Rule::l2(self.rule.rho) } else { self.rule };
        let norm = dual_norm(&rule, w, g);
        if self.by_magnitude {
            g.iter_mut().zip(w).for_each(|(g, w)| *g = w.abs() * *g);
        }
        Ascent::new(&rule, &norm).write(0, w, g, up);
        let loss = self.inner.gradient_of(samples, up, g, Pass::Perturbed).map_err(BufferedError::Inner)?;
        if !loss.is_non_finite() && all_finite(g) {
            gsam.combine(&mut slices, g).map_err(BufferedError::Buffer)?;
        }
        Ok(loss)
    }
}

whole_batch! { [T: Real, B: MiniBatch<T>, K: BorrowMut<[T]>, M: AsMut<[T]>] GsamGradient<T, B, K, M> }
