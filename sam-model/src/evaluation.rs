//! How good a network's weights are on some images.

/// What a network came to on some images.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy in nats; without label smoothing where it comes from an evaluation.
    pub loss: f64,
    /// Images whose largest logit is their label's.
    pub correct: usize,
    /// Images.
    pub count: usize,
}

impl Evaluation {
    /// The share of images whose class was not found, in percent.
    #[must_use]
    pub fn error_percent(&self) -> f64 {
        100.0 * (self.count - self.correct) as f64 / self.count as f64
    }

    /// The evaluation of both sets of images.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let count = self.count + other.count;
        let sum = self.loss * self.count as f64 + other.loss * other.count as f64;
        Self { loss: sum / count as f64, correct: self.correct + other.correct, count }
    }
}
