//! Operations that move pixels, to the nearest, and erase them.

use sam_model::ImageShape;

/// Each pixel becomes the one in which the point lies that `source` gives for its middle (column, row); points outside
/// read `fill`.
pub fn move_pixels(
    image: &mut [u8],
    shape: ImageShape,
    fill: &[u8],
    buffer: &mut Vec<u8>,
    source: impl Fn(f64, f64) -> (f64, f64),
) {
    let ImageShape { height, width, channels } = shape;
    buffer.clear();
    buffer.extend_from_slice(image);
    for (i, pixel) in image.chunks_exact_mut(channels).enumerate() {
        let (x, y) = source((i % width) as f64 + 0.5, (i / width) as f64 + 0.5);
        let inside = (0.0..width as f64).contains(&x) && (0.0..height as f64).contains(&y);
        let from = if inside {
            let at = (y as usize * width + x as usize) * channels;
            &buffer[at..at + channels]
        } else {
            fill
        };
        pixel.copy_from_slice(from);
    }
}

/// Calls `fill` with each stretch of a row in the square `[centre - half, centre + half)`, cut at the border.
pub fn erase<T>(
    image: &mut [T],
    shape: ImageShape,
    centre: (usize, usize),
    half: usize,
    fill: impl Fn(&mut [T]),
) {
    let ImageShape { height, width, channels } = shape;
    let around = |centre: usize, end: usize| centre.saturating_sub(half)..(centre + half).min(end);
    let columns = around(centre.1, width);
    for y in around(centre.0, height) {
        let row = &mut image[y * width * channels..][..width * channels];
        fill(&mut row[columns.start * channels..columns.end * channels]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape::new(4, 5, 2);

    #[test]
    fn a_translation_by_more_than_the_image_leaves_nothing_of_it() {
        let mut image: Vec<u8> = (0..40).collect();
        move_pixels(&mut image, SHAPE, &[7, 9], &mut Vec::new(), |x, y| (x + 225.0, y));
        assert!(image.chunks(2).all(|pixel| pixel == [7, 9]));
    }

    #[test]
    fn a_square_is_cut_at_the_border() {
        let erased = |centre, half| {
            let mut image = vec![1; 40];
            erase(&mut image, SHAPE, centre, half, |values| values.fill(0));
            image.iter().filter(|&&value| value == 0).count() / 2
        };
        assert_eq!(
            [erased((2, 2), 1), erased((0, 0), 1), erased((3, 4), 2), erased((1, 1), 0)],
            [4, 1, 9, 0]
        );
        assert_eq!(erased((0, 4), 90), 20);
    }
}
