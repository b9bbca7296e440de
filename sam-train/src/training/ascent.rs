//! When and where a method perturbs the weights: its radius over time, and the tensors that it leaves alone.

use sam_core::schedule::Schedule;
use serde::{Deserialize, Serialize};

use super::{invalid_setting::InvalidSetting, range::Range, settings::MOST_EPOCHS};
use crate::named::named;

/// Which tensors something is done to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tensors {
    /// All of them.
    #[default]
    All,
    /// Filters and matrices, but no biases and nothing of normalisations.
    Weights,
}

named!(
    Tensors,
    "expected all or weights (neither biases nor normalisations)",
    All = "all",
    Weights = "weights"
);

/// The radius over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RadiusShape {
    /// Always the method's.
    #[default]
    Constant,
    /// In a straight line down to 0.
    Linear,
    /// Half a cosine down to 0.
    Cosine,
    /// In proportion to the learning rate, warm-up included: GSAM's (Zhuang et al., ICLR 2022), down to 0.
    Rate,
}

named!(
    RadiusShape,
    "expected constant, linear, cosine or rate (as the learning rate)",
    Constant = "constant",
    Linear = "linear",
    Cosine = "cosine",
    Rate = "rate"
);

/// When and where a method perturbs the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AscentSettings {
    /// The first epoch, from 1, in which the method climbs; before it the base optimizer follows the plain gradient.
    pub from_epoch: usize,
    /// Epochs from there on over which the radius rises in a straight line.
    pub warmup_epochs: usize,
    /// What it does then.
    pub schedule: RadiusShape,
    /// What is perturbed, and counts in the norm.
    pub tensors: Tensors,
}

impl AscentSettings {
    /// Everything, always, by the same radius.
    pub const PLAIN: Self =
        Self { from_epoch: 1, warmup_epochs: 0, schedule: RadiusShape::Constant, tensors: Tensors::All };

    /// Whether it is that, which files do not say.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn is_plain(&self) -> bool {
        *self == Self::PLAIN
    }

    /// Whether the radius is the same in all steps, and there always is one.
    pub fn is_constant(&self) -> bool {
        *self == Self { tensors: self.tensors, ..Self::PLAIN }
    }

    /// Makes sure that every number is in its range in a run of so many epochs.
    ///
    /// # Errors
    /// [`InvalidSetting`] for the first that is not.
    pub(super) fn check(&self, epochs: usize) -> Result<(), InvalidSetting> {
        Range::Whole(0, MOST_EPOCHS as u64).check_whole("rho-warmup-epochs", self.warmup_epochs)?;
        if !(1..=epochs).contains(&self.from_epoch) {
            return Err(InvalidSetting::new("rho-from", "an epoch from 1 up to `epochs`", self.from_epoch));
        }
        Ok(())
    }

    /// The share of the method's radius in step number `step`, `start` of which come before the first epoch that climbs and `warmup`
    /// are of its warm-up, of `total`; nothing where the step does not climb at all. `rate` is the learning rate's share of its peak.
    pub fn share(&self, step: u64, start: u64, warmup: u64, total: u64, rate: f32) -> Option<f32> {
        let step = step.checked_sub(start)?;
        let schedule = match self.schedule {
            RadiusShape::Constant | RadiusShape::Rate => Schedule::constant(1.0),
            RadiusShape::Linear => Schedule::linear(1.0),
            RadiusShape::Cosine => Schedule::cosine(1.0),
        };
        let own = schedule.with_warmup(warmup).rate(step, total - start);
        Some(if self.schedule == RadiusShape::Rate { own * rate } else { own })
    }
}

impl Default for AscentSettings {
    fn default() -> Self {
        Self::PLAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_rises_and_falls_as_each_shape_says() {
        let of =
            |schedule| AscentSettings { from_epoch: 2, warmup_epochs: 1, schedule, ..AscentSettings::PLAIN };
        // Ten steps of plain descent, four of warm-up, ten more.
        let shares = |schedule| [9, 10, 13, 14, 19, 23].map(|step| of(schedule).share(step, 10, 4, 24, 0.5));
        let some = |values: [f32; 5]| {
            let mut shares = [None; 6];
            shares.iter_mut().skip(1).zip(values).for_each(|(share, value)| *share = Some(value));
            shares
        };
        assert_eq!(shares(RadiusShape::Constant), some([0.25, 1.0, 1.0, 1.0, 1.0]));
        assert_eq!(shares(RadiusShape::Linear), some([0.25, 1.0, 1.0, 0.5, 0.1]));
        assert_eq!(shares(RadiusShape::Rate), some([0.125, 0.5, 0.5, 0.5, 0.5]));
        let [before, first, .., half, last] = shares(RadiusShape::Cosine);
        assert_eq!((before, first), (None, Some(0.25)));
        assert!((half.unwrap() - 0.5).abs() < 1e-6 && last.unwrap() < 0.03);
    }
}
