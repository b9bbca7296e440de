//! From the bytes of an image to the numbers that a network sees.

/// Pixels of an image, 8 rows of 8.
pub const PIXELS: usize = SIDE * SIDE;

const SIDE: usize = 8;

/// Half of the largest shade, 16: what a pixel is divided by.
const UNIT: f32 = 8.0;

/// How the camera is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensor {
    /// As it was when the training images were taken.
    Straight,
    /// So many pixels to the left of where it was: digits appear further right, and what leaves the image is lost.
    Shifted(usize),
}

impl Sensor {
    /// Writes one number for each pixel, 0 (paper) to 2 (ink).
    pub fn see(self, image: &[u8; PIXELS], out: &mut [f32; PIXELS]) {
        let shift = match self {
            Self::Straight => 0,
            Self::Shifted(columns) => columns.min(SIDE),
        };
        for (out, row) in out.chunks_exact_mut(SIDE).zip(image.chunks_exact(SIDE)) {
            let (lost, kept) = out.split_at_mut(shift);
            lost.fill(0.0);
            kept.iter_mut().zip(row).for_each(|(out, byte)| *out = f32::from(*byte) / UNIT);
        }
    }
}
