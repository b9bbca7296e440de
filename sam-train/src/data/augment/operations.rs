//! What policies do to the bytes of an image, as Pillow defines it.

mod blends;
mod curves;
pub(super) mod geometry;

use sam_model::ImageShape;

/// An operation with its magnitude, on the bytes of an image of any number of channels (HWC).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operation {
    /// Stretches each channel to 0 to 255.
    AutoContrast,
    /// Spreads the values of each channel evenly, by its histogram.
    Equalize,
    /// 255 minus each value.
    Invert,
    /// Keeps the upper bits of each value.
    Posterize {
        /// So many, 0 to 8.
        bits: u32,
    },
    /// Inverts values from a threshold on.
    Solarize {
        /// The threshold, 0 to 256.
        threshold: u32,
    },
    /// Adds to values below 128.
    SolarizeAdd {
        /// So much; 255 at most comes out.
        added: u8,
    },
    /// From grey at 0 over the image at 1 and on. An image of one channel stays as it is.
    Color {
        /// How far.
        factor: f32,
    },
    /// From one grey at 0 over the image at 1 and on.
    Contrast {
        /// How far.
        factor: f32,
        /// That grey: the image's mean if nothing is said.
        around: Option<u8>,
    },
    /// From black at 0 over the image at 1 and on.
    Brightness {
        /// How far.
        factor: f32,
    },
    /// From a smoothed image at 0 over the image at 1 and on.
    Sharpness {
        /// How far.
        factor: f32,
    },
    /// Reads the pixel that lies so many rows or columns further for each column or row.
    Shear {
        /// Columns for each row.
        right: f64,
        /// Rows for each column.
        down: f64,
    },
    /// Reads the pixel that lies so far away.
    Translate {
        /// Pixels.
        right: f64,
        /// Pixels.
        down: f64,
    },
    /// Turns about the middle, against the clock.
    Rotate {
        /// The angle.
        degrees: f64,
    },
    /// Erases a square, cut at the border.
    Cutout {
        /// Row and column.
        centre: (usize, usize),
        /// Half of its side.
        half: usize,
    },
}

impl Operation {
    /// Changes `image` of `shape`; what lies outside of it is `fill`, a byte for each channel. `buffer` is used up.
    pub fn apply(self, image: &mut [u8], shape: ImageShape, fill: &[u8], buffer: &mut Vec<u8>) {
        let channels = shape.channels;
        match self {
            Self::AutoContrast => curves::of_channels(image, channels, curves::auto_contrast),
            Self::Equalize => curves::of_channels(image, channels, curves::equalize),
            Self::Invert => image.iter_mut().for_each(|value| *value = 255 - *value),
            Self::Posterize { bits } => {
                // A shift by all bits leaves none.
                let mask = 255_u8.checked_shl(8 - bits.min(8)).unwrap_or(0);
                image.iter_mut().for_each(|value| *value &= mask);
            }
            Self::Solarize { threshold } => {
                image.iter_mut().filter(|v| u32::from(**v) >= threshold).for_each(|v| *v = 255 - *v);
            }
            Self::SolarizeAdd { added } => {
                image.iter_mut().filter(|v| **v < 128).for_each(|v| *v = v.saturating_add(added));
            }
            Self::Color { factor } => blends::color(image, channels, factor),
            Self::Contrast { factor, around } => blends::contrast(image, channels, factor, around),
            Self::Brightness { factor } => blends::brightness(image, factor),
            Self::Sharpness { factor } => blends::sharpness(image, shape, factor, buffer),
            Self::Shear { right, down } => {
                geometry::move_pixels(image, shape, fill, buffer, |x, y| (x + right * y, y + down * x));
            }
            Self::Translate { right, down } => {
                geometry::move_pixels(image, shape, fill, buffer, |x, y| (x + right, y + down));
            }
            Self::Rotate { degrees } => {
                let (sin, cos) = degrees.to_radians().sin_cos();
                let (middle_x, middle_y) = (shape.width as f64 / 2.0, shape.height as f64 / 2.0);
                geometry::move_pixels(image, shape, fill, buffer, |x, y| {
                    let (x, y) = (x - middle_x, y - middle_y);
                    (cos * x - sin * y + middle_x, sin * x + cos * y + middle_y)
                });
            }
            Self::Cutout { centre, half } => geometry::erase(image, shape, centre, half, |stretch| {
                stretch.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(fill));
            }),
        }
    }
}
