//! What small images go through after a policy: mirrored, moved within a border, a square of them erased.

use rand::{Rng, RngExt};
use sam_model::ImageShape;

use super::{details::Padding, operations::geometry::erase};
use crate::data::Standardizer;

/// Pixels of padding on each side before the crop.
pub const PADDING: usize = 4;

/// One image's turn: drawn apart from being applied, so that both can be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub mirrored: bool,
    /// Offset of the crop in the padded image, 0 to 8; 4 is the middle.
    pub crop: (usize, usize),
    /// The erased square.
    pub erased: Option<Square>,
}

/// A square that is erased: `[centre - half, centre + half)` in both directions, cut at the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Square {
    pub centre: (usize, usize),
    pub half: usize,
}

impl Square {
    /// Around any pixel.
    pub fn draw(shape: ImageShape, half: usize, random: &mut impl Rng) -> Self {
        let centre = (random.random_range(0..shape.height), random.random_range(0..shape.width));
        Self { centre, half }
    }
}

impl Turn {
    /// That which changes nothing.
    pub const STILL: Self = Self { mirrored: false, crop: (PADDING, PADDING), erased: None };

    /// A mirror with probability 1/2 and a place for the crop, as far as they are asked for.
    pub fn draw(mirrors: bool, crops: bool, random: &mut impl Rng) -> Self {
        let mirrored = mirrors && random.random::<bool>();
        let mut offset = || random.random_range(0..=2 * PADDING);
        let crop = if crops { (offset(), offset()) } else { Self::STILL.crop };
        Self { mirrored, crop, erased: None }
    }

    /// Writes `image` to `values`, standardised. Erased pixels, and padding with zeros, are 0: the mean of the training images.
    pub fn write(
        self,
        image: &[u8],
        shape: ImageShape,
        padding: Padding,
        standardizer: &Standardizer,
        values: &mut [f32],
    ) {
        let row_len = shape.width * shape.channels;
        for (y, row) in values.chunks_exact_mut(row_len).enumerate() {
            match source(y + self.crop.0, shape.height, padding) {
                None => row.fill(0.0),
                Some(y) => {
                    self.write_row(&image[y * row_len..][..row_len], shape, padding, standardizer, row);
                }
            }
        }
        if let Some(Square { centre, half }) = self.erased {
            erase(values, shape, centre, half, |values| values.fill(0.0));
        }
    }

    /// Whole stretches of a row at a time: padding, and what is in between.
    fn write_row(
        self,
        image_row: &[u8],
        shape: ImageShape,
        padding: Padding,
        standardizer: &Standardizer,
        row: &mut [f32],
    ) {
        let ImageShape { width, channels, .. } = shape;
        let end = (width + PADDING - self.crop.1.min(width + PADDING)).min(width);
        let start = PADDING.saturating_sub(self.crop.1).min(end);
        for x in (0..start).chain(end..width) {
            let pixel = &mut row[x * channels..][..channels];
            match source(x + self.crop.1, width, padding) {
                None => pixel.fill(0.0),
                Some(x) => {
                    let x = if self.mirrored { width - 1 - x } else { x };
                    standardizer.apply(&image_row[x * channels..][..channels], pixel);
                }
            }
        }
        if start == end {
            return;
        }
        let row = &mut row[start * channels..end * channels];
        let (from, to) = (start + self.crop.1 - PADDING, end + self.crop.1 - PADDING);
        if self.mirrored {
            standardizer.apply(&image_row[(width - to) * channels..(width - from) * channels], row);
            row.reverse();
            row.chunks_exact_mut(channels).for_each(<[f32]>::reverse);
        } else {
            standardizer.apply(&image_row[from * channels..to * channels], row);
        }
    }
}

/// Where the row or column `at` of the padded image comes from, out of `size` of them.
fn source(at: usize, size: usize, padding: Padding) -> Option<usize> {
    match (padding, at.checked_sub(PADDING)) {
        (_, Some(inside)) if inside < size => Some(inside),
        (Padding::Zeros, _) => None,
        // The border itself is not repeated.
        (Padding::Reflect, None) => Some(PADDING - at),
        (Padding::Reflect, Some(beyond)) => Some(2 * (size - 1) - beyond),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{Purpose, stream};

    const SHAPE: ImageShape = ImageShape { height: 8, width: 8, channels: 2 };

    fn image() -> Vec<u8> {
        (0..128).collect()
    }

    fn standardizer() -> Standardizer {
        Standardizer::fit(&image().into(), 2).unwrap()
    }

    fn written(transform: Turn) -> Vec<f32> {
        let mut values = vec![f32::NAN; 128];
        transform.write(&image(), SHAPE, Padding::Zeros, &standardizer(), &mut values);
        values
    }

    fn plain() -> Vec<f32> {
        let mut values = vec![f32::NAN; 128];
        standardizer().apply(&image(), &mut values);
        values
    }

    /// The definition, pixel by pixel. Reflected, rows and columns go up and down between their ends.
    fn value(
        transform: Turn,
        padding: Padding,
        shape: ImageShape,
        plain: &[f32],
        (y, x, c): (usize, usize, usize),
    ) -> f32 {
        let inside = |at: usize, offset: usize, size: usize| match padding {
            Padding::Zeros => (at + offset).checked_sub(PADDING).filter(|&source| source < size),
            Padding::Reflect => {
                let period = 2 * (size - 1);
                let at = (at + offset + period - PADDING) % period;
                Some(at.min(period - at))
            }
        };
        let near = |at: usize, centre: usize, half: usize| {
            let half = half as isize;
            (-half..half).contains(&(at as isize - centre as isize))
        };
        let erased = transform
            .erased
            .is_some_and(|Square { centre: (cy, cx), half }| near(y, cy, half) && near(x, cx, half));
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
            reflects: bool,
            crop in (0..=8_usize, 0..=8_usize),
            erased in proptest::option::of((0..12_usize, 0..12_usize, 0..9_usize)),
        ) {
            let shape = ImageShape { height, width, channels };
            let reflects = reflects && height.min(width) > PADDING;
            let padding = if reflects { Padding::Reflect } else { Padding::Zeros };
            let erased = erased.map(|(y, x, half)| Square { centre: (y % height, x % width), half });
            let transform = Turn { mirrored, crop, erased };
            let image: Vec<u8> = (0..shape.len()).map(|i| (i * 37 % 251) as u8).collect();
            let standardizer = Standardizer::fit(&image.clone().into(), channels).unwrap();
            let (mut plain, mut values) = (vec![0.0; shape.len()], vec![f32::NAN; shape.len()]);
            standardizer.apply(&image, &mut plain);
            transform.write(&image, shape, padding, &standardizer, &mut values);
            for (i, found) in values.iter().enumerate() {
                let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
                prop_assert_eq!(*found, value(transform, padding, shape, &plain, (y, x, c)), "at {} {} {}", y, x, c);
            }
        }
    }

    #[test]
    fn the_middle_crop_changes_nothing_and_mirroring_twice_is_the_identity() {
        let still = Turn::STILL;
        assert_eq!(written(still), plain());
        let mirrored = written(Turn { mirrored: true, ..still });
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
        let shifted = written(Turn { mirrored: false, crop: (0, 7), erased: None });
        for y in 0..8 {
            for x in 0..8 {
                let expected = if y < 4 || x >= 5 { 0.0 } else { plain()[((y - 4) * 8 + x + 3) * 2] };
                assert_eq!(shifted[(y * 8 + x) * 2], expected, "at {y}, {x}");
            }
        }
    }

    #[test]
    fn a_square_is_erased_and_cut_at_the_border() {
        let erased = |centre| {
            let values = written(Turn { erased: Some(Square { centre, half: 2 }), ..Turn::STILL });
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
            let transform = Turn::draw(true, true, &mut random);
            crops[transform.crop.0][transform.crop.1] += 1;
            mirrored += u32::from(transform.mirrored);
        }
        // 1,000 expected in each cell, standard deviation 31; 40,500 mirrored, standard deviation 142.
        assert!(crops.as_flattened().iter().all(|count| (850..1150).contains(count)), "{crops:?}");
        assert!((39_800..41_200).contains(&mirrored), "{mirrored}");
    }
}
