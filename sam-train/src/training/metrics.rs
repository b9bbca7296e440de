//! What is written down about each epoch: one JSON object a line.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    files::{self, FileError},
    json,
};

/// An epoch in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss of the batches as they were trained on, augmented and with their noisy labels.
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
    /// Training images a second, evaluation not counted.
    pub images_per_s: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Adds an epoch to the file.
///
/// # Errors
/// [`FileError`], when the file cannot be written.
pub fn append(path: &Path, metrics: &EpochMetrics) -> Result<(), FileError> {
    files::append_line(path, &json::line(metrics))
}

/// Makes `epochs` the whole content of the file.
///
/// # Errors
/// [`FileError`], when the file cannot be written; it is then as it was.
pub fn rewrite(path: &Path, epochs: &[EpochMetrics]) -> Result<(), FileError> {
    let lines: String = epochs.iter().map(|metrics| format!("{}\n", json::line(metrics))).collect();
    files::replace(path, lines.as_bytes())
}
