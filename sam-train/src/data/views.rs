//! Which part of a picture is shown at a size of images, as in ImageNet's usual preprocessing.

use rand::{Rng, RngExt};
use sam_model::ImageShape;

use super::bicubic;

/// Pixels that an image of the centre lacks of its picture's shorter side.
const MARGIN: u64 = 32;
/// How often a part of a picture is drawn before the centre is taken.
const TRIES: usize = 10;

/// A rectangle of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Its first row.
    pub top: usize,
    /// Its first column.
    pub left: usize,
    /// Its rows.
    pub height: usize,
    /// Its columns.
    pub width: usize,
}

impl View {
    /// The middle of a picture, in the proportions of `to`: of a square of n pixels the share n / (n + 32) of the shorter side.
    pub fn centre(picture: ImageShape, to: ImageShape) -> Self {
        let [height, width, to_height, to_width] =
            [picture.height, picture.width, to.height, to.width].map(|side| side as u64);
        let side = to_height.min(to_width);
        // The largest rectangle of these proportions, then that share of it.
        let (rows, columns) = if height * to_width <= width * to_height {
            (height * side / (side + MARGIN), height * to_width * side / (to_height * (side + MARGIN)))
        } else {
            (width * to_height * side / (to_width * (side + MARGIN)), width * side / (side + MARGIN))
        };
        let [rows, columns] = [rows, columns].map(|extent| extent.max(1) as usize);
        Self {
            top: (picture.height - rows).div_ceil(2),
            left: (picture.width - columns).div_ceil(2),
            height: rows,
            width: columns,
        }
    }

    /// A part of 8 to 100 % of a picture's area, from 3:4 to 4:3 in proportion, both uniformly; where ten draws do not fit, the
    /// centre (Szegedy et al. 2015, as SAM's authors use it).
    pub fn draw(picture: ImageShape, to: ImageShape, random: &mut impl Rng) -> Self {
        let area = (picture.height * picture.width) as f64;
        for _ in 0..TRIES {
            let share = random.random_range(0.08..1.0) * area;
            let aspect: f64 = random.random_range(3.0 / 4.0..4.0 / 3.0);
            let extent = |extent: f64| extent.sqrt().round() as usize;
            let (height, width) = (extent(share / aspect), extent(share * aspect));
            if (1..=picture.height).contains(&height) && (1..=picture.width).contains(&width) {
                let top = random.random_range(0..=picture.height - height);
                let left = random.random_range(0..=picture.width - width);
                return Self { top, left, height, width };
            }
        }
        Self::centre(picture, to)
    }

    /// This part of the picture `bytes`, at the size `to`.
    pub fn show(self, bytes: &[u8], picture: ImageShape, to: ImageShape) -> Vec<u8> {
        let channels = picture.channels;
        let rows = bytes.chunks_exact(picture.width * channels).skip(self.top).take(self.height);
        let part = rows.flat_map(|row| &row[self.left * channels..][..self.width * channels]);
        let part: Vec<u8> = part.copied().collect();
        let shape = ImageShape::new(self.height, self.width, channels);
        bicubic::resize(&part, shape, to.height, to.width)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{Purpose, stream};

    fn view(top: usize, left: usize, height: usize, width: usize) -> View {
        View { top, left, height, width }
    }

    /// By hand: floor(224 / 256 x 375) = 328, and half of what is left, rounded up.
    #[test]
    fn the_centre_is_the_one_of_the_usual_preprocessing() {
        let square = |side| ImageShape::new(side, side, 3);
        let centre = |height, width, to| View::centre(ImageShape::new(height, width, 3), to);
        assert_eq!(centre(375, 500, square(224)), view(24, 86, 328, 328));
        assert_eq!(centre(512, 512, square(224)), view(32, 32, 448, 448));
        assert_eq!(centre(500, 375, square(600)), view(72, 10, 356, 356));
        assert_eq!(centre(1, 1, square(224)), view(0, 0, 1, 1));
        // Twice as wide as high.
        assert_eq!(centre(100, 300, ImageShape::new(32, 64, 3)), view(25, 100, 50, 100));
    }

    proptest! {
        #[test]
        fn every_view_lies_inside_and_has_the_size_that_is_asked_for(
            (height, width) in (1..90_usize, 1..90_usize),
            (to_height, to_width) in (1..40_usize, 1..40_usize),
            number: u64,
        ) {
            let (picture, to) = (ImageShape::new(height, width, 3), ImageShape::new(to_height, to_width, 3));
            let bytes = vec![7; picture.len()];
            let drawn = View::draw(picture, to, &mut stream(0, Purpose::View, 0, number));
            for view in [View::centre(picture, to), drawn] {
                prop_assert!(view.height > 0 && view.width > 0);
                prop_assert!(view.top + view.height <= height && view.left + view.width <= width);
                prop_assert_eq!(view.show(&bytes, picture, to), vec![7; to.len()]);
            }
        }
    }

    #[test]
    fn parts_have_their_areas_and_proportions() {
        let picture = ImageShape::new(300, 400, 3);
        let views: Vec<View> = (0..4000)
            .map(|number| View::draw(picture, picture, &mut stream(0, Purpose::View, 0, number)))
            .collect();
        let share = |view: &View| (view.height * view.width) as f64 / 120_000.0;
        let aspect = |view: &View| view.width as f64 / view.height as f64;
        assert!(views.iter().all(|view| (0.079..1.0).contains(&share(view))));
        assert!(views.iter().all(|view| (0.72..1.36).contains(&aspect(view))));
        let few = views.iter().filter(|view| share(view) < 0.3).count();
        // Of all draws 24 % are so small, of those that fit 31 %: a simulation in Python gave 1,248, standard deviation 29.
        assert!((1120..1350).contains(&few), "{few}");
    }
}
