//! ESAM's data selection: the second gradient on the samples that the perturbation hurts most.

use crate::{BufferedError, GradientOracle, InvalidSetting, LengthMismatch, Loss, Pass, Real};

/// A mini-batch that gives a loss for each sample and a gradient for some of them.
pub trait SampleLosses<T> {
    /// What can go wrong.
    type Error;

    /// Number of samples in the mini-batch.
    fn samples(&self) -> usize;

    /// Writes the loss of each sample at `params`, a forward pass. `losses` is as long as there are samples.
    ///
    /// # Errors
    /// As [`GradientOracle::gradient`].
    fn losses(&mut self, params: &[T], losses: &mut [T], pass: Pass) -> Result<(), Self::Error>;

    /// Overwrites `grads` with the mean gradient of the samples whose numbers are in `chosen`, in rising order, at `params`, and
    /// returns their mean loss.
    ///
    /// # Errors
    /// As [`GradientOracle::gradient`].
    fn gradient_of_chosen(
        &mut self,
        chosen: &[usize],
        params: &[T],
        grads: &mut [T],
        pass: Pass,
    ) -> Result<T, Self::Error>;
}

/// Sharpness-sensitive data selection (ESAM; Du et al., ICLR 2022): the perturbed gradient is that of the share `gamma` of the
/// samples whose losses grow most from `w` to the perturbed parameters.
///
/// Cost: the clean gradient, two forward passes and `gamma` of a gradient; a step with [`Stochastic`](crate::Stochastic) as its
/// ascent is ESAM. The choice compares every two samples. At least one sample is chosen, of equal growth the one with the
/// lower number; one whose growth is not finite comes first, so that the step sees it. The authors' code chooses one sample
/// less, by taking those strictly above the last of the `gamma` best. `gamma = 1` is the oracle inside.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SelectedSamples<O, T, L, I> {
    /// The mini-batch.
    pub inner: O,
    /// Share of the samples that the perturbed gradient is taken of, 0 to 1; its paper uses 0.5 and 0.6.
    pub gamma: T,
    before: L,
    after: L,
    chosen: I,
}

impl<O, T, L, I> SelectedSamples<O, T, L, I> {
    /// The three buffers have an entry a sample; what they hold does not matter.
    pub const fn new(inner: O, gamma: T, before: L, after: L, chosen: I) -> Self {
        Self { inner, gamma, before, after, chosen }
    }
}

impl<O, T: Real, L: AsRef<[T]> + AsMut<[T]>, I: AsMut<[usize]>> SelectedSamples<O, T, L, I> {
    /// `gamma` is in its range. A gradient with another one takes the nearest that is.
    ///
    /// # Errors
    /// [`InvalidSetting`] if it is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::share("gamma", self.gamma)
    }

    /// Puts the numbers of the samples to choose at the front of `chosen`; returns how many there are.
    fn choose(&mut self) -> usize {
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        let growth = || {
            before.iter().zip(after).map(|(before, after)| {
                let growth = after.widen() - before.widen();
                if growth.is_finite() { growth } else { f64::INFINITY }
            })
        };
        // Rounded down as the authors do; what is out of range saturates.
        let wanted = ((before.len() as f64 * self.gamma.widen()) as usize).clamp(1, before.len().max(1));
        let mut places = self.chosen.as_mut().iter_mut();
        let mut count = 0usize;
        for (i, own) in growth().enumerate() {
            let better = growth().enumerate().filter(|(j, other)| *other > own || (*other == own && *j < i));
            if better.count() >= wanted {
                continue;
            }
            if let Some(place) = places.next() {
                *place = i;
                count = count.saturating_add(1);
            }
        }
        count
    }
}

impl<O, T, L, I> GradientOracle<[T]> for SelectedSamples<O, T, L, I>
where
    O: SampleLosses<T>,
    T: Real + Loss,
    L: AsRef<[T]> + AsMut<[T]>,
    I: AsRef<[usize]> + AsMut<[usize]>,
{
    type Loss = T;
    type Error = BufferedError<O::Error>;

    fn gradient(&mut self, w: &[T], g: &mut [T], pass: Pass) -> Result<T, Self::Error> {
        let samples = self.inner.samples();
        for found in [self.before.as_ref().len(), self.after.as_ref().len(), self.chosen.as_ref().len()] {
            let checked = LengthMismatch::check("buffer for samples", samples, found);
            checked.map_err(|e| BufferedError::Buffer(e.with_whole("samples")))?;
        }
        let count = match pass {
            Pass::Clean => {
                self.inner.losses(w, self.before.as_mut(), pass).map_err(BufferedError::Inner)?;
                self.chosen.as_mut().iter_mut().enumerate().for_each(|(i, chosen)| *chosen = i);
                samples
            }
            Pass::Perturbed => {
                self.inner.losses(w, self.after.as_mut(), pass).map_err(BufferedError::Inner)?;
                self.choose()
            }
        };
        let chosen = self.chosen.as_ref().get(..count).unwrap_or_default();
        self.inner.gradient_of_chosen(chosen, w, g, pass).map_err(BufferedError::Inner)
    }
}
