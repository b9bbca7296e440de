//! What is written down about each epoch: one JSON object a line.

use serde::{Deserialize, Deserializer, Serialize};

use super::learner::StepFigures;

/// An epoch in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss of the batches as they were trained on, augmented and with their noisy labels.
    #[serde(deserialize_with = "number_or_nan")]
    pub train_loss: f64,
    /// Share of images wrongly classified in training in percent, each as it was trained on and before the step that it was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_error: Option<f64>,
    /// Mean Euclidean norm of the batches' gradients at the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
    /// Mean of the batches' loss at the perturbed weights minus that at the weights: the sharpness that the method saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<f64>,
    /// Steps left out because their loss or gradient was not finite.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: usize,
    /// Mean loss on the test set after the epoch, if it was evaluated.
    pub test_loss: Option<f64>,
    /// Share of wrongly classified test images after the epoch in percent, if it was evaluated.
    pub test_error: Option<f64>,
    /// [`EpochMetrics::test_loss`] of the exponential moving average of the weights, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_test_loss: Option<f64>,
    /// [`EpochMetrics::test_error`] of that average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_test_error: Option<f64>,
    /// [`EpochMetrics::test_loss`] of the equal-weight average of the weights, once it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swa_test_loss: Option<f64>,
    /// [`EpochMetrics::test_error`] of that average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swa_test_error: Option<f64>,
    /// Learning rate of the epoch's last step.
    pub lr: f32,
    /// Training images a second, evaluation not counted; nothing where the clock stood still.
    #[serde(default)]
    pub images_per_s: Option<f64>,
    /// Seconds in the epoch's steps, evaluation not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// What the steps of an epoch told so far, to be averaged at its end. Steps that did not tell something count in no mean of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    hits: usize,
    seen: usize,
    gradient_norm: f64,
    normed: usize,
    sharpness: f64,
    perturbed: usize,
}

impl EpochSums {
    /// Whether there is nothing yet.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in a step on so many images with the loss `loss` at its weights.
    pub fn add(&mut self, figures: &StepFigures, images: usize, loss: f64) {
        if let Some(hits) = figures.hits {
            (self.hits, self.seen) = (self.hits + hits, self.seen + images);
        }
        if let Some(norm) = figures.gradient_norm.filter(|norm| norm.is_finite()) {
            (self.gradient_norm, self.normed) = (self.gradient_norm + norm, self.normed + 1);
        }
        let gap = figures.perturbed_loss.map(|perturbed| perturbed - loss);
        if let Some(gap) = gap.filter(|gap| gap.is_finite()) {
            (self.sharpness, self.perturbed) = (self.sharpness + gap, self.perturbed + 1);
        }
    }

    /// Training error in percent.
    pub fn train_error(&self) -> Option<f64> {
        let right = 100.0 * self.hits as f64 / self.seen as f64;
        (self.seen > 0).then_some(100.0 - right)
    }

    /// Mean norm of the gradient.
    pub fn gradient_norm(&self) -> Option<f64> {
        (self.normed > 0).then(|| self.gradient_norm / self.normed as f64)
    }

    /// Mean sharpness.
    pub fn sharpness(&self) -> Option<f64> {
        (self.perturbed > 0).then(|| self.sharpness / self.perturbed as f64)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A figure that describes a run, and must not keep it from being read: JSON has no infinity and no NaN, and writes `null`.
///
/// # Errors
/// Those of the deserializer, for anything but a number or `null`.
pub(super) fn number_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
