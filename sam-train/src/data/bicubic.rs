//! Pictures brought to a size by bicubic interpolation with antialiasing, as Pillow 11 does it, bit for bit: torchvision's
//! `resize` of pictures calls that. Pillow 13 goes along the columns first in some sizes, and then differs by 2 at most.
//!
//! Keys' cubic (1981) with a = -1/2, stretched where a picture shrinks; first along rows, then along columns, weights in whole
//! multiples of 2^-22, bytes in between.

use sam_model::ImageShape;

/// Of a weight's 32 bits these are behind the point: 8 are for the byte, 2 for sums beyond it.
const FRACTION: u32 = 32 - 8 - 2;

/// The picture `bytes` (HWC) of the shape `from` with `height` rows and `width` columns.
pub fn resize(bytes: &[u8], from: ImageShape, height: usize, width: usize) -> Vec<u8> {
    let channels = from.channels;
    let along_rows = (width != from.width).then(|| {
        let weights = Weights::of(from.width, width);
        let mut resized = vec![0; from.height * width * channels];
        let rows = resized.chunks_exact_mut(width * channels);
        for (row, source) in rows.zip(bytes.chunks_exact(from.width * channels)) {
            for (pixel, (start, weights)) in row.chunks_exact_mut(channels).zip(weights.each()) {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let places = source[start * channels + channel..].iter().step_by(channels);
                    *value = sum(weights, places);
                }
            }
        }
        resized
    });
    let bytes = along_rows.as_deref().unwrap_or(bytes);
    if height == from.height {
        return bytes.to_vec();
    }
    let (weights, row) = (Weights::of(from.height, height), width * channels);
    let mut resized = vec![0; height * row];
    for (to, (start, weights)) in resized.chunks_exact_mut(row).zip(weights.each()) {
        for (at, value) in to.iter_mut().enumerate() {
            *value = sum(weights, bytes[start * row + at..].iter().step_by(row));
        }
    }
    resized
}

/// The weighted sum, to the nearest byte.
fn sum<'a>(weights: &[i32], values: impl Iterator<Item = &'a u8>) -> u8 {
    let half = 1 << (FRACTION - 1);
    let sum = weights.iter().zip(values).fold(half, |sum, (weight, &value)| sum + weight * i32::from(value));
    (sum >> FRACTION).clamp(0, 255) as u8
}

/// For each place of a row or column after resizing the first place before that counts, and the weights from there on.
struct Weights {
    starts: Vec<(usize, usize)>,
    weights: Vec<i32>,
}

impl Weights {
    fn of(before: usize, after: usize) -> Self {
        let scale = before as f64 / after as f64;
        let stretch = scale.max(1.0);
        let support = 2.0 * stretch;
        let (mut starts, mut weights) = (Vec::with_capacity(after), Vec::new());
        for place in 0..after {
            let centre = (place as f64 + 0.5) * scale;
            // Conversion cuts at 0.
            let first = (centre - support + 0.5) as usize;
            let last = ((centre + support + 0.5) as usize).min(before);
            let cubics: Vec<f64> =
                (first..last).map(|at| cubic((at as f64 - centre + 0.5) * (1.0 / stretch))).collect();
            let total: f64 = cubics.iter().sum();
            let whole = |weight: f64| (weight / total * f64::from(1 << FRACTION)).round() as i32;
            starts.push((first, cubics.len()));
            weights.extend(cubics.into_iter().map(whole));
        }
        Self { starts, weights }
    }

    fn each(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let mut rest = &self.weights[..];
        self.starts.iter().map(move |&(start, count)| {
            let (own, others) = rest.split_at(count);
            rest = others;
            (start, own)
        })
    }
}

/// Keys' kernel.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `i * 37 % 256` and a step, 3 channels.
    fn picture(height: usize, width: usize) -> Vec<u8> {
        let value = |i: usize| if i % 7 < 3 { 255 } else { (i * 37 % 256) as u8 };
        (0..height * width * 3).map(value).collect()
    }

    /// Pillow 11.3.0, `bicubic.py` beside the file: larger, smaller, one side alone, as it is.
    #[test]
    fn pictures_are_pillows_bit_for_bit() {
        let mut count = 0;
        for line in include_str!("../../tests/data/pictures/bicubic.txt").lines() {
            let (sizes, hex) = line.split_once(": ").unwrap();
            let sizes: Vec<usize> = sizes.split(' ').map(|size| size.parse().unwrap()).collect();
            let [height, width, to_height, to_width] = sizes[..] else { panic!("{line}") };
            let expected: Vec<u8> =
                (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
            let from = ImageShape::new(height, width, 3);
            assert_eq!(resize(&picture(height, width), from, to_height, to_width), expected, "{sizes:?}");
            count += 1;
        }
        assert_eq!(count, 8);
    }

    #[test]
    fn a_picture_of_one_colour_stays_so() {
        for (to_height, to_width) in [(1, 1), (3, 50), (64, 2)] {
            let resized = resize(&[201; 13 * 11], ImageShape::new(13, 11, 1), to_height, to_width);
            assert!(resized.len() == to_height * to_width && resized.iter().all(|&value| value == 201));
        }
    }
}
