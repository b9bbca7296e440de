//! Randomness without hidden state: every random decision of a run has a stream of its own.
//!
//! A stream is ChaCha8 keyed by the run's seed, the purpose, the epoch and the sample. So the state of a run's
//! randomness is nothing but its seed and where it is: a run resumed in mid-epoch draws what the uninterrupted run
//! would have drawn, whatever was drawn before and by whichever thread.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What random numbers are drawn for. The discriminants are part of what a seed means: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The order of the training images in an epoch.
    Order = 1,
    /// Flip, crop and cutout of one image in one epoch.
    Augmentation = 2,
    /// Which training labels are replaced, and by what.
    LabelNoise = 3,
    /// The batch that steps are timed on.
    BenchBatch = 4,
    /// The pairs and the shares of mixed images.
    Mixup = 5,
    /// Directions in weight space that an analysis probes.
    Direction = 6,
    /// Which training images are held out.
    Split = 7,
    /// The random layers of a network in one step.
    Layers = 8,
    /// The operations of a policy on one image in one epoch.
    Policy = 9,
    /// The one erased square of a batch.
    Cutout = 10,
    /// Which part of a picture is shown in one epoch.
    View = 11,
}

/// The stream for `purpose` of the run `seed`; `epoch` and `sample` are 0 where the purpose has none.
pub fn stream(seed: u64, purpose: Purpose, epoch: u64, sample: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, epoch, sample]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
