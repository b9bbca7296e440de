//! The paper's augmentations (appendix C.1) for small images.

use std::{fmt, str::FromStr};

use rand::{Rng, RngExt};
use sam_core::model::ImageShape;
use serde::{Deserialize, Serialize};

use super::Standardizer;

/// Pixels of padding on each side before the crop.
const PADDING: usize = 4;

/// How training images are changed each time they are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augment {
    /// Not at all.
    None,
    /// Mirrored left to right with probability 1/2, padded by 4 pixels, cropped at random to the old size.
    Basic,
    /// `Basic`, and then a square of half the width erased around a random pixel, cut at the border
    /// (DeVries and Taylor 2017: 16 of CIFAR-10's 32 pixels).
    Cutout,
}

/// What one image's turn is: drawn apart from being applied, so that both can be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Transform {
    mirrored: bool,
    /// Offset of the crop in the padded image, 0 to 8; 4 is the middle.
    crop: (usize, usize),
    /// Centre of the erased square.
    erased: Option<(usize, usize)>,
}

impl Augment {
    /// Writes the standardised and augmented `image` (HWC, of `shape`) to `values`. Padding and erased pixels are 0,
    /// the mean of the training images.
    pub fn write(
        self,
        image: &[u8],
        shape: ImageShape,
        standardizer: &Standardizer,
        random: &mut impl Rng,
        values: &mut [f32],
    ) {
        match self.draw(shape, random) {
            None => standardizer.apply(image, values),
            Some(transform) => transform.write(image, shape, standardizer, values),
        }
    }

    fn draw(self, shape: ImageShape, random: &mut impl Rng) -> Option<Transform> {
        if self == Self::None {
            return None;
        }
        let mirrored = random.random::<bool>();
        let mut offset = || random.random_range(0..=2 * PADDING);
        let crop = (offset(), offset());
        let erased = (self == Self::Cutout)
            .then(|| (random.random_range(0..shape.height), random.random_range(0..shape.width)));
        Some(Transform { mirrored, crop, erased })
    }
}

impl Transform {
    fn write(self, image: &[u8], shape: ImageShape, standardizer: &Standardizer, values: &mut [f32]) {
        let ImageShape { height, width, channels } = shape;
        let rows = values.chunks_exact_mut(width * channels);
        for (y, row) in rows.enumerate() {
            for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
                let source_y = (y + self.crop.0).checked_sub(PADDING).filter(|&y| y < height);
                let source_x = (x + self.crop.1).checked_sub(PADDING).filter(|&x| x < width);
                match source_y.zip(source_x).filter(|_| !self.erases(y, x, shape)) {
                    None => pixel.fill(0.0),
                    Some((source_y, source_x)) => {
                        let source_x = if self.mirrored { width - 1 - source_x } else { source_x };
                        let start = (source_y * width + source_x) * channels;
                        standardizer.apply(&image[start..start + channels], pixel);
                    }
                }
            }
        }
    }

    /// The square covers `[centre - half, centre + half)` in both directions.
    fn erases(self, y: usize, x: usize, shape: ImageShape) -> bool {
        let half = shape.width / 4;
        let inside = |at: usize, centre: usize| at + half >= centre && at < centre + half;
        self.erased.is_some_and(|(centre_y, centre_x)| inside(y, centre_y) && inside(x, centre_x))
    }
}

impl FromStr for Augment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "basic" => Ok(Self::Basic),
            "cutout" => Ok(Self::Cutout),
            _ => Err("expected none, basic or cutout"),
        }
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Cutout => "cutout",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::ImageSet,
        random::{Purpose, stream},
    };

    const SHAPE: ImageShape = ImageShape { height: 8, width: 8, channels: 2 };

    fn image() -> Vec<u8> {
        (0..128).collect()
    }

    fn standardizer() -> Standardizer {
        Standardizer::fit(&ImageSet { pixels: image().into(), labels: vec![0] }, 2).unwrap()
    }

    fn written(transform: Transform) -> Vec<f32> {
        let mut values = vec![f32::NAN; 128];
        transform.write(&image(), SHAPE, &standardizer(), &mut values);
        values
    }

    fn plain() -> Vec<f32> {
        let mut values = vec![f32::NAN; 128];
        standardizer().apply(&image(), &mut values);
        values
    }

    #[test]
    fn the_middle_crop_changes_nothing_and_mirroring_twice_is_the_identity() {
        let still = Transform { mirrored: false, crop: (4, 4), erased: None };
        assert_eq!(written(still), plain());
        let mirrored = written(Transform { mirrored: true, ..still });
        for y in 0..8 {
            for x in 0..8 {
                for c in 0..2 {
                    assert_eq!(mirrored[(y * 8 + x) * 2 + c], plain()[(y * 8 + 7 - x) * 2 + c]);
                }
            }
        }
    }

    #[test]
    fn a_crop_shifts_and_pads_with_the_mean() {
        let shifted = written(Transform { mirrored: false, crop: (0, 7), erased: None });
        for y in 0..8 {
            for x in 0..8 {
                let expected = if y < 4 || x >= 5 { 0.0 } else { plain()[((y - 4) * 8 + x + 3) * 2] };
                assert_eq!(shifted[(y * 8 + x) * 2], expected, "at {y}, {x}");
            }
        }
    }

    #[test]
    fn cutout_erases_a_square_of_half_the_width_cut_at_the_border() {
        let erased = |centre| {
            let values = written(Transform { mirrored: false, crop: (4, 4), erased: Some(centre) });
            values.iter().zip(plain()).filter(|&(&v, p)| v == 0.0 && p != 0.0).count() / 2
        };
        assert_eq!(erased((4, 4)), 16);
        assert_eq!(erased((0, 0)), 4);
        assert_eq!(erased((7, 4)), 12);
    }

    #[test]
    fn every_offset_and_both_orientations_are_drawn_equally_often() {
        let mut crops = [[0_u32; 9]; 9];
        let mut mirrored = 0;
        let draws = 81_000;
        for sample in 0..draws {
            let mut random = stream(3, Purpose::Augmentation, 1, sample);
            let transform = Augment::Basic.draw(SHAPE, &mut random).unwrap();
            crops[transform.crop.0][transform.crop.1] += 1;
            mirrored += u32::from(transform.mirrored);
        }
        // 1,000 expected in each cell, standard deviation 31; 40,500 mirrored, standard deviation 142.
        assert!(crops.as_flattened().iter().all(|count| (850..1150).contains(count)), "{crops:?}");
        assert!((39_800..41_200).contains(&mirrored), "{mirrored}");
    }
}
