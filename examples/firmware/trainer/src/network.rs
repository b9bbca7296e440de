//! A perceptron with one hidden layer, as formulas on slices.

use sam_core::LengthMismatch;

use crate::{PIXELS, Sensor, Set, Sight, XorShift};

/// Kinds of digits.
pub const CLASSES: usize = 10;

/// `logits = W2 relu(W1 x + b1) + b2`, with softmax cross-entropy as the loss.
///
/// Parameters lie in one slice: `W1` (`hidden` rows of [`PIXELS`]), `b1`, `W2` ([`CLASSES`] rows of `hidden`),
/// `b2`. The last layer is thus the slice's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Width of the hidden layer.
    pub hidden: usize,
}

impl Network {
    /// Number of weights of the first layer, biases included.
    pub const fn first_layer(self) -> usize {
        self.hidden * (PIXELS + 1)
    }

    /// Number of weights of the last layer, biases included.
    pub const fn last_layer(self) -> usize {
        CLASSES * (self.hidden + 1)
    }

    /// Number of all weights.
    pub const fn weights(self) -> usize {
        self.first_layer() + self.last_layer()
    }

    /// Fills the weights: uniform with variance `2 / inputs` (He et al., ICCV 2015), biases zero, the logits' layer zero, so
    /// that training starts undecided.
    pub fn initialise(self, weights: &mut [f32], mut random: XorShift) {
        weights.fill(0.0);
        let bound = libm::sqrtf(6.0 / PIXELS as f32);
        let matrix = weights.iter_mut().take(self.hidden * PIXELS);
        matrix.for_each(|w| *w = bound * random.symmetric());
    }

    /// Hidden values of the image in `sight`. `first` is the first layer.
    pub(crate) fn hide(self, first: &[f32], sight: &mut Sight<'_>) {
        let (matrix, bias) = first.split_at(self.hidden * PIXELS);
        let rows = matrix.chunks_exact(PIXELS).zip(bias);
        for (hidden, (row, bias)) in sight.hidden.iter_mut().zip(rows) {
            *hidden = (dot(row, sight.image) + bias).max(0.0);
        }
    }

    /// Logits of the hidden values in `sight`. `last` is the last layer.
    pub(crate) fn conclude(self, last: &[f32], sight: &mut Sight<'_>) {
        let (matrix, bias) = last.split_at(CLASSES * self.hidden);
        let rows = matrix.chunks_exact(self.hidden).zip(bias);
        for (logit, (row, bias)) in sight.logits.iter_mut().zip(rows) {
            *logit = dot(row, sight.hidden) + bias;
        }
    }

    /// Adds the last layer's gradient to `g`, given the logits' gradient in `sight`.
    pub(crate) fn blame_last(self, g: &mut [f32], sight: &Sight<'_>) {
        let (matrix, bias) = g.split_at_mut(CLASSES * self.hidden);
        let rows = matrix.chunks_exact_mut(self.hidden).zip(bias);
        for (d, (row, bias)) in sight.logits.iter().zip(rows) {
            add(*d, sight.hidden, row);
            *bias += *d;
        }
    }

    /// Adds the first layer's gradient to `g`; the hidden values in `sight` become their gradient.
    pub(crate) fn blame_first(self, last: &[f32], g: &mut [f32], sight: &mut Sight<'_>) {
        let (matrix, bias) = g.split_at_mut(self.hidden * PIXELS);
        let rows = matrix.chunks_exact_mut(PIXELS).zip(bias);
        for ((j, hidden), (row, bias)) in sight.hidden.iter_mut().enumerate().zip(rows) {
            // A hidden value that ReLU cut off has no gradient, and neither have its weights.
            if *hidden > 0.0 {
                let column = last.iter().skip(j).step_by(self.hidden);
                *hidden = column.zip(sight.logits.iter()).fold(0.0, |sum, (w, d)| sum + w * d);
                add(*hidden, sight.image, row);
                *bias += *hidden;
            }
        }
    }

    /// Whether so many entries are all the weights.
    pub(crate) fn check(
        expected: usize,
        buffer: &'static str,
        entries: &[f32],
    ) -> Result<(), LengthMismatch> {
        let found = entries.len();
        LengthMismatch::check(buffer, expected, found)
    }

    /// How many images of `set`, as `sensor` sees them, get the right label.
    ///
    /// # Errors
    /// [`LengthMismatch`] if `weights` are not this network's.
    pub fn correct(
        self,
        weights: &[f32],
        set: &Set<'_>,
        sensor: Sensor,
        sight: &mut Sight<'_>,
    ) -> Result<usize, LengthMismatch> {
        Self::check(self.weights(), "network", weights)?;
        let (first, last) = weights.split_at(self.first_layer());
        let right = set.images.iter().zip(set.labels).filter(|(image, label)| {
            sensor.see(image, sight.image);
            self.hide(first, sight);
            self.conclude(last, sight);
            sight.guess() == usize::from(**label)
        });
        Ok(right.count())
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// `y += a x`.
fn add(a: f32, x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}
