//! The paper's augmentations (appendix C.1) for small images.

use rand::{Rng, RngExt};
use sam_model::ImageShape;
use serde::{Deserialize, Serialize};

use super::Standardizer;
use crate::named::named;

/// Pixels of padding on each side before the crop.
pub const PADDING: usize = 4;

/// How training images are changed each time they are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augment {
    /// Not at all.
    None,
    /// Padded by 4 pixels, cropped at random to the old size: for images that a mirror makes others, such as digits.
    Crop,
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
        let mirrored = self != Self::Crop && random.random::<bool>();
        let mut offset = || random.random_range(0..=2 * PADDING);
        let crop = (offset(), offset());
        let erased = (self == Self::Cutout)
            .then(|| (random.random_range(0..shape.height), random.random_range(0..shape.width)));
        Some(Transform { mirrored, crop, erased })
    }
}

impl Transform {
    fn write(self, image: &[u8], shape: ImageShape, standardizer: &Standardizer, values: &mut [f32]) {
        let row_len = shape.width * shape.channels;
        for (y, row) in values.chunks_exact_mut(row_len).enumerate() {
            match (y + self.crop.0).checked_sub(PADDING).filter(|&y| y < shape.height) {
                None => row.fill(0.0),
                Some(y) => self.write_row(&image[y * row_len..][..row_len], shape, standardizer, row),
            }
        }
        // The square covers `[centre - half, centre + half)` in both directions.
        if let Some((y, x)) = self.erased {
            let half = shape.width / 4;
            let around = |centre: usize, end: usize| centre.saturating_sub(half)..(centre + half).min(end);
            let columns = around(x, shape.width);
            for y in around(y, shape.height) {
                let row = &mut values[y * row_len..][..row_len];
                row[columns.start * shape.channels..columns.end * shape.channels].fill(0.0);
            }
        }
    }

    /// Whole stretches of a row at a time: padding, and what is in between.
    fn write_row(self, source: &[u8], shape: ImageShape, standardizer: &Standardizer, row: &mut [f32]) {
        let ImageShape { width, channels, .. } = shape;
        let end = (width + PADDING - self.crop.1.min(width + PADDING)).min(width);
        let start = PADDING.saturating_sub(self.crop.1).min(end);
        row[..start * channels].fill(0.0);
        row[end * channels..].fill(0.0);
        if start == end {
            return;
        }
        let row = &mut row[start * channels..end * channels];
        let (from, to) = (start + self.crop.1 - PADDING, end + self.crop.1 - PADDING);
        if self.mirrored {
            standardizer.apply(&source[(width - to) * channels..(width - from) * channels], row);
            row.reverse();
            row.chunks_exact_mut(channels).for_each(<[f32]>::reverse);
        } else {
            standardizer.apply(&source[from * channels..to * channels], row);
        }
    }
}

named!(
    Augment,
    "expected none, crop, basic or cutout",
    None = "none",
    Crop = "crop",
    Basic = "basic",
    Cutout = "cutout"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// The definition, pixel by pixel.
    fn value(transform: Transform, shape: ImageShape, plain: &[f32], y: usize, x: usize, c: usize) -> f32 {
        let inside = |at: usize, offset: usize, size: usize| {
            (at + offset).checked_sub(PADDING).filter(|&source| source < size)
        };
        let half = shape.width as isize / 4;
        let near = |at: usize, centre: usize| (-half..half).contains(&(at as isize - centre as isize));
        let erased = transform.erased.is_some_and(|(cy, cx)| near(y, cy) && near(x, cx));
        let source = inside(y, transform.crop.0, shape.height).zip(inside(x, transform.crop.1, shape.width));
        match source.filter(|_| !erased) {
            None => 0.0,
            Some((y, x)) => {
                let x = if transform.mirrored { shape.width - 1 - x } else { x };
                plain[(y * shape.width + x) * shape.channels + c]
            }
        }
    }

    proptest! {
        #[test]
        fn every_pixel_is_what_the_definition_says(
            (height, width, channels) in (1..12_usize, 1..12_usize, 1..4_usize),
            mirrored: bool,
            crop in (0..=8_usize, 0..=8_usize),
            erased in proptest::option::of((0..12_usize, 0..12_usize)),
        ) {
            let shape = ImageShape { height, width, channels };
            let erased = erased.map(|(y, x)| (y % height, x % width));
            let transform = Transform { mirrored, crop, erased };
            let image: Vec<u8> = (0..shape.len()).map(|i| (i * 37 % 251) as u8).collect();
            let set = ImageSet { pixels: image.clone().into(), labels: vec![0] };
            let standardizer = Standardizer::fit(&set, channels).unwrap();
            let (mut plain, mut values) = (vec![0.0; shape.len()], vec![f32::NAN; shape.len()]);
            standardizer.apply(&image, &mut plain);
            transform.write(&image, shape, &standardizer, &mut values);
            for (i, found) in values.iter().enumerate() {
                let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
                prop_assert_eq!(*found, value(transform, shape, &plain, y, x, c), "at {} {} {}", y, x, c);
            }
        }
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
