//! What is written down about each epoch: one JSON object a line.

use serde::{Deserialize, Deserializer, Serialize};

/// An epoch in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss of the batches as they were trained on, augmented and with their noisy labels.
    #[serde(deserialize_with = "number_or_nan")]
    pub train_loss: f64,
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
