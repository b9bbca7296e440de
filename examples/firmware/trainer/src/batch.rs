//! Labelled images and the order in which they are seen.

use core::ops::Range;

use crate::{PIXELS, Sensor, XorShift};

/// Labelled images; an image without a label, or a label without an image, is left out.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// 8×8 shades, 0 to 16.
    pub images: &'a [[u8; PIXELS]],
    /// 0 to 9.
    pub labels: &'a [u8],
}

impl<'a> Set<'a> {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len().min(self.labels.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `n`.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        let n = n.min(self.len());
        Self {
            images: self.images.get(..n).unwrap_or_default(),
            labels: self.labels.get(..n).unwrap_or_default(),
        }
    }

    pub(crate) fn get(&self, i: usize) -> Option<(&'a [u8; PIXELS], u8)> {
        Some((self.images.get(i)?, *self.labels.get(i)?))
    }
}

/// The images of one step.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// What they are taken from.
    pub set: Set<'a>,
    /// How they are seen.
    pub sensor: Sensor,
    /// In which order they come.
    pub order: BatchOrder,
    /// Which places of the order make up the batch.
    pub places: Range<usize>,
}

impl<'a> Batch<'a> {
    pub(crate) fn images(&self) -> impl Iterator<Item = (&'a [u8; PIXELS], u8)> + use<'a> {
        let (set, order) = (self.set, self.order);
        self.places.clone().filter_map(move |place| set.get(order.at(place)))
    }
}

/// An order of `0..n` that takes no memory: `i -> (start + i * stride) mod n`, with a random start and a random
/// stride that has no divisor in common with `n`, so every number comes up once.
///
/// Less random than a shuffle; a shuffle of 1,200 images would take 2,400 bytes of the board's RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOrder {
    n: u32,
    start: u32,
    stride: u32,
}

impl BatchOrder {
    /// A random order of `0..n`.
    pub fn new(n: usize, random: &mut XorShift) -> Self {
        let n = u32::try_from(n).unwrap_or(u32::MAX).max(1);
        let start = random.below(n);
        loop {
            let stride = 1 + random.below(n);
            if divisor(stride, n) == 1 {
                return Self { n, start, stride };
            }
        }
    }

    /// Which number is the `i`-th.
    pub const fn at(&self, i: usize) -> usize {
        ((self.start as u64 + i as u64 % self.n as u64 * self.stride as u64) % self.n as u64) as usize
    }
}

/// Greatest common divisor (Euclid).
const fn divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
