//! Mini-batches that can be split: gradient accumulation and m-sharpness.

use core::ops::Range;

use crate::formula::{Ascent, all_finite, dual_norm};
use crate::{BufferedError, GradientOracle, LengthMismatch, Pass, Real, Rule};

/// An oracle that can take the gradient of part of its mini-batch.
///
/// [`MicroBatches`] splits the work, [`SamGradient`] makes the gradient of a part a SAM gradient. Both are
/// batches again, so they stack in any order:
///
/// ```text
/// Sam over            MicroBatches(batch, s)                   SAM with accumulation in pieces of s samples
/// plain descent over  MicroBatches(SamGradient(batch), m)      m-sharpness
/// plain descent over  MicroBatches(SamGradient(MicroBatches(batch, s)), m)       m-sharpness, accumulated
/// ```
pub trait MiniBatch<T> {
    /// What can go wrong.
    type Error;

    /// Number of samples in the mini-batch.
    fn samples(&self) -> usize;

    /// Overwrites `grads` with the mean gradient of the given samples at `params` and returns their mean
    /// loss.
    ///
    /// # Errors
    /// As [`GradientOracle::gradient`].
    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        params: &[T],
        grads: &mut [T],
        pass: Pass,
    ) -> Result<T, Self::Error>;
}

impl<T, B: MiniBatch<T> + ?Sized> MiniBatch<T> for &mut B {
    type Error = B::Error;

    fn samples(&self) -> usize {
        B::samples(self)
    }

    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        w: &[T],
        g: &mut [T],
        pass: Pass,
    ) -> Result<T, B::Error> {
        B::gradient_of(self, samples, w, g, pass)
    }
}

/// Takes the gradient of a mini-batch in pieces of `size` samples and returns their mean, weighted by the
/// pieces' sizes: the gradient of the whole, whatever `size` is.
///
/// Cost: as many gradients as pieces, one word a weight. One piece is the inner batch's gradient, bit for
/// bit.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MicroBatches<B, M> {
    /// The mini-batch.
    pub inner: B,
    /// Samples of a piece; the last one may be smaller. 0 counts as 1.
    pub size: usize,
    /// A buffer as long as a gradient; what it holds does not matter.
    pub sum: M,
}

impl<B, M> MicroBatches<B, M> {
    /// In pieces of `size` samples; `sum` is a buffer as long as a gradient.
    pub const fn new(inner: B, size: usize, sum: M) -> Self {
        Self { inner, size, sum }
    }
}

impl<T: Real, B: MiniBatch<T>, M: AsMut<[T]>> MiniBatch<T> for MicroBatches<B, M> {
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
        let (size, total) = (self.size.max(1), samples.len());
        if total <= size {
            return self.inner.gradient_of(samples, w, g, pass).map_err(BufferedError::Inner);
        }
        let sum = self.sum.as_mut();
        LengthMismatch::check("buffer for the sum of gradients", g.len(), sum.len())
            .map_err(BufferedError::Buffer)?;
        sum.iter_mut().for_each(|sum| *sum = T::ZERO);
        let (mut start, mut loss) = (samples.start, T::ZERO);
        while start < samples.end {
            let end = start.saturating_add(size).min(samples.end);
            let share = T::narrow((end - start) as f64 / total as f64);
            let part = self.inner.gradient_of(start..end, w, g, pass).map_err(BufferedError::Inner)?;
            loss += share * part;
            sum.iter_mut().zip(g.iter()).for_each(|(sum, g)| *sum += share * *g);
            start = end;
        }
        g.iter_mut().zip(sum.iter()).for_each(|(g, sum)| *g = *sum);
        Ok(loss)
    }
}

/// Makes every gradient a SAM gradient (eq. 3): over [`MicroBatches`] of `m` samples this is m-sharpness, the
/// mean of the SAM gradients of groups (section 4.1 of the paper, and what its training on several
/// accelerators does).
///
/// Cost: 2 gradients for each, one word a weight. The loss is the one at the perturbed parameters. A clean
/// loss or gradient that is not finite is passed on as it is, for whoever checks the sum.
///
/// ```
/// use std::ops::Range;
/// use sam_core::{MiniBatch, MicroBatches, Pass, Plain, Rule, SamGradient, Sgd, SliceSpace};
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
/// // Groups of two: one climbs to -0.5, the other to 0.5, where the whole batch would stay in the middle.
/// let sam = SamGradient::new(Mean([1.0, 3.0, -1.0, -3.0]), Rule::l2(0.5), [0.0]);
/// let mut groups = MicroBatches::new(sam, 2, [0.0]);
/// let mut plain = Plain::new(SliceSpace::new([0.0]), Sgd::new(0.1));
/// let (mut w, mut g) = ([0.0], [0.0]);
/// plain.step(&mut w[..], &mut g[..], &mut groups).unwrap();
/// assert_eq!(g, [0.0]); // (-2.5 + 2.5) / 2
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SamGradient<T, B, M> {
    /// The mini-batch.
    pub inner: B,
    /// Radius and norm.
    pub rule: Rule<T>,
    /// A buffer as long as the parameters; what it holds does not matter.
    pub perturbed: M,
}

impl<T, B, M> SamGradient<T, B, M> {
    /// `perturbed` is a buffer as long as the parameters.
    pub const fn new(inner: B, rule: Rule<T>, perturbed: M) -> Self {
        Self { inner, rule, perturbed }
    }
}

impl<T: Real, B: MiniBatch<T>, M: AsMut<[T]>> MiniBatch<T> for SamGradient<T, B, M> {
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
        let (loss, finite) = clean_gradient(&mut self.inner, up, samples.clone(), w, g, pass)?;
        if !finite {
            return Ok(loss);
        }
        Ascent::new(&self.rule, &dual_norm(&self.rule, w, g)).write(0, w, g, up);
        self.inner.gradient_of(samples, up, g, Pass::Perturbed).map_err(BufferedError::Inner)
    }
}

/// The gradient of `samples` before they climb into `up`, which must be as long as the parameters; whether it and the loss are
/// finite: what is not is passed on as it is.
pub(super) fn clean_gradient<T: Real, B: MiniBatch<T>>(
    inner: &mut B,
    up: &[T],
    samples: Range<usize>,
    w: &[T],
    g: &mut [T],
    pass: Pass,
) -> Result<(T, bool), BufferedError<B::Error>> {
    LengthMismatch::check("buffer for perturbed parameters", w.len(), up.len())
        .map_err(BufferedError::Buffer)?;
    let loss = inner.gradient_of(samples, w, g, pass).map_err(BufferedError::Inner)?;
    let finite = !loss.is_non_finite() && all_finite(g);
    Ok((loss, finite))
}

macro_rules! whole_batch {
    ([$($bound:tt)*] $type:ty) => {
        /// The gradient of all samples.
        impl<$($bound)*> GradientOracle<[T]> for $type {
            type Loss = T;
            type Error = BufferedError<B::Error>;

            fn gradient(&mut self, params: &[T], grads: &mut [T], pass: Pass) -> Result<T, Self::Error> {
                self.gradient_of(0..self.samples(), params, grads, pass)
            }
        }
    };
}
pub(super) use whole_batch;

whole_batch! { [T: Real, B: MiniBatch<T>, M: AsMut<[T]>] MicroBatches<B, M> }
whole_batch! { [T: Real, B: MiniBatch<T>, M: AsMut<[T]>] SamGradient<T, B, M> }
