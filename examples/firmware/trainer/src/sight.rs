//! What the network holds of the one image that it looks at.

use sam_core::LengthMismatch;

use crate::{CLASSES, PIXELS};

/// Buffers for one image: the numbers of the pixels, the hidden values, the logits.
#[derive(Debug)]
pub struct Sight<'a> {
    pub(crate) image: &'a mut [f32; PIXELS],
    pub(crate) hidden: &'a mut [f32],
    pub(crate) logits: &'a mut [f32; CLASSES],
}

impl<'a> Sight<'a> {
    /// Over a buffer of at least [`Sight::words`].
    ///
    /// # Errors
    /// The buffer is shorter.
    pub fn new(buffer: &'a mut [f32], hidden: usize) -> Result<Self, LengthMismatch> {
        let too_short = LengthMismatch::new("sight", Self::words(hidden), buffer.len());
        let (image, rest) = buffer.split_first_chunk_mut().ok_or(too_short)?;
        let (logits, rest) = rest.split_first_chunk_mut().ok_or(too_short)?;
        Ok(Self { image, logits, hidden: rest.get_mut(..hidden).ok_or(too_short)? })
    }

    /// Words of buffer for a network with so many hidden values.
    pub const fn words(hidden: usize) -> usize {
        PIXELS + CLASSES + hidden
    }

    /// The first class of those with the largest logit.
    pub(crate) fn guess(&self) -> usize {
        let largest =
            |best: (usize, f32), (class, x): (usize, &f32)| if *x > best.1 { (class, *x) } else { best };
        self.logits.iter().enumerate().fold((0, f32::NEG_INFINITY), largest).0
    }

    /// Cross-entropy of the logits in nats; the logits become its gradient, times `share`.
    pub(crate) fn judge(&mut self, label: u8, share: f32) -> f32 {
        let largest = self.logits.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
        // Relative to the largest, so that no exponential overflows.
        let mut sum = 0.0;
        let mut right = 0.0;
        for (class, x) in self.logits.iter_mut().enumerate() {
            *x -= largest;
            if class == usize::from(label) {
                right = *x;
            }
            *x = libm::expf(*x);
            sum += *x;
        }
        for (class, x) in self.logits.iter_mut().enumerate() {
            let target = if class == usize::from(label) { 1.0 } else { 0.0 };
            *x = (*x / sum - target) * share;
        }
        libm::logf(sum) - right
    }
}
