//! Averages of the weights along training.

use crate::{LengthMismatch, Real, state::state};

/// How much each step's weights count in an [`Average`].
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Weighting<T> {
    /// All alike: stochastic weight averaging (Izmailov et al., UAI 2018), begun late and added to once an epoch.
    Uniform,
    /// Each step's by `decay` more than the step's before (Polyak averaging, exponentially weighted). The first
    /// `1 / (1 - decay)` steps count alike, so that the initial weights are nothing special.
    Exponential {
        /// What is left of the weight of earlier steps, in 0..1.
        decay: T,
    },
    /// As TensorFlow averages the weights of EfficientNets: until step `from` the average is the step's weights, and of the
    /// `d`th step after that (`d` = 0 at `from`) the decay is `(1 + d) / (10 + d)`, at most `decay`. The average is young
    /// for longer than that of [`Weighting::Exponential`], and forgets the start of training.
    Warmed {
        /// What is left of the weight of earlier steps, in 0..1.
        decay: T,
        /// The first step, counted from 1, that is averaged with those before it.
        from: u64,
    },
}

impl<T: Real> Weighting<T> {
    /// How much of the way an average goes towards the weights of its `count`th step, counted from 1.
    pub fn share(self, count: u64) -> T {
        let share = T::narrow(1.0 / count as f64);
        match self {
            Self::Exponential { decay } if share < T::ONE - decay => T::ONE - decay,
            Self::Warmed { decay, from } => match count.checked_sub(from) {
                None => T::ONE,
                Some(steps) => {
                    let own = T::narrow(9.0 / (10.0 + steps as f64));
                    if own < T::ONE - decay { T::ONE - decay } else { own }
                }
            },
            _ => share,
        }
    }
}

/// The average of the weights of many steps, which often generalises better than the last step's.
///
/// After the `n`th step `mean += (w - mean) / n`, with `1 / n` never below `1 - decay` where the weighting is exponential.
/// Memory: one word a weight. Traffic of [`Average::add`]: 2 reads, 1 write a weight. Running statistics of batch
/// normalisation belong to the weights that they were measured at: average them alike, or measure them anew.
///
/// ```
/// use sam_core::average::Average;
///
/// let mut average = Average::uniform([0.0; 2]);
/// average.add(&[1.0, 4.0])?;
/// average.add(&[3.0, 0.0])?;
/// assert_eq!(average.mean(), [2.0, 2.0]);
/// # Ok::<_, sam_core::LengthMismatch>(())
/// ```
#[derive(Clone, Debug)]
pub struct Average<T, B> {
    /// How much each step's weights count.
    pub weighting: Weighting<T>,
    mean: B,
    count: u64,
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Average<T, B> {
    /// All steps count alike. The buffer is as long as the weights; what is in it is overwritten by the first.
    pub const fn uniform(buffer: B) -> Self {
        Self { weighting: Weighting::Uniform, mean: buffer, count: 0 }
    }

    /// Later steps count more; `decay` in 0..1, as a rule 0.99 to 0.9999.
    pub const fn exponential(decay: T, buffer: B) -> Self {
        Self { weighting: Weighting::Exponential { decay }, mean: buffer, count: 0 }
    }

    /// Takes in the weights of one more step.
    ///
    /// # Errors
    /// [`LengthMismatch`] of the buffer; nothing is changed then.
    pub fn add(&mut self, w: &[T]) -> Result<(), LengthMismatch> {
        let mean = self.mean.as_mut();
        LengthMismatch::check("average's buffer", w.len(), mean.len())?;
        self.count = self.count.saturating_add(1);
        let share = self.weighting.share(self.count);
        if self.count == 1 || share == T::ONE {
            mean.iter_mut().zip(w).for_each(|(mean, w)| *mean = *w);
            return Ok(());
        }
        mean.iter_mut().zip(w).for_each(|(mean, w)| *mean += (*w - *mean) * share);
        Ok(())
    }

    /// The average; meaningless before the first [`Average::add`].
    pub fn mean(&self) -> &[T] {
        self.mean.as_ref()
    }

    /// Steps that were taken in.
    pub const fn count(&self) -> u64 {
        self.count
    }
}

state! {
    impl[T, B: AsRef<[T]> + AsMut<[T]>] Average<T, B> {
        "average.mean": reals(mean),
        "average.count": count(count),
    }
}
