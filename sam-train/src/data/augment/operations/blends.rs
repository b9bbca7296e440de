//! Operations between an image and a poorer one: without colours, without contrast, black, smoothed.

use sam_model::ImageShape;

/// `poor` at factor 0, `value` at 1, and on in that direction: in single precision, cut off to a whole number.
fn blend(poor: u8, value: u8, factor: f32) -> u8 {
    let (poor, value) = (f32::from(poor), f32::from(value));
    // Conversion cuts at 0 and 255.
    (poor + factor * (value - poor)) as u8
}

/// What a pixel is in grey, by the weights of ITU-R 601 in 16 bits. Of other pixels than red, green and blue: their first channel.
fn grey(pixel: &[u8]) -> u8 {
    match *pixel {
        [red, green, blue] => {
            let [red, green, blue] = [red, green, blue].map(u32::from);
            ((19_595 * red + 38_470 * green + 7_471 * blue + (1 << 15)) >> 16) as u8
        }
        _ => pixel[0],
    }
}

pub fn color(image: &mut [u8], channels: usize, factor: f32) {
    if channels == 3 {
        for pixel in image.chunks_exact_mut(channels) {
            let grey = grey(pixel);
            pixel.iter_mut().for_each(|value| *value = blend(grey, *value, factor));
        }
    }
}

pub fn contrast(image: &mut [u8], channels: usize, factor: f32, around: Option<u8>) {
    let around = around.unwrap_or_else(|| {
        let sum: u64 = image.chunks_exact(channels).map(|pixel| u64::from(grey(pixel))).sum();
        let count = (image.len() / channels) as u64;
        ((2 * sum + count) / (2 * count)) as u8
    });
    image.iter_mut().for_each(|value| *value = blend(around, *value, factor));
}

pub fn brightness(image: &mut [u8], factor: f32) {
    image.iter_mut().for_each(|value| *value = blend(0, *value, factor));
}

/// Each value away from the border against the mean of its neighbourhood, in which it counts five times.
pub fn sharpness(image: &mut [u8], shape: ImageShape, factor: f32, buffer: &mut Vec<u8>) {
    let ImageShape { height, width, channels } = shape;
    buffer.clear();
    buffer.extend_from_slice(image);
    let row = width * channels;
    for y in 1..height.saturating_sub(1) {
        for x in channels..row.saturating_sub(channels) {
            let at = y * row + x;
            let around = |at: usize| {
                u32::from(buffer[at - channels]) + u32::from(buffer[at]) + u32::from(buffer[at + channels])
            };
            let sum = around(at - row) + around(at) + around(at + row) + 4 * u32::from(buffer[at]);
            // To the nearest: halves do not occur in thirteenths.
            image[at] = blend(((2 * sum + 13) / 26) as u8, buffer[at], factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_one_changes_nothing_and_factor_zero_leaves_the_poorer_image() {
        let image: Vec<u8> = (0..75).map(|i| (i * 91 % 256) as u8).collect();
        let shape = ImageShape::new(5, 5, 3);
        let changed = |change: &dyn Fn(&mut [u8])| {
            let mut image = image.clone();
            change(&mut image);
            image
        };
        assert_eq!(changed(&|image| color(image, 3, 1.0)), image);
        assert_eq!(changed(&|image| contrast(image, 3, 1.0, None)), image);
        assert_eq!(changed(&|image| brightness(image, 1.0)), image);
        assert_eq!(changed(&|image| sharpness(image, shape, 1.0, &mut Vec::new())), image);
        assert!(changed(&|image| color(image, 3, 0.0)).chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]));
        assert!(changed(&|image| contrast(image, 3, 0.0, Some(4))).iter().all(|&value| value == 4));
        assert!(changed(&|image| brightness(image, 0.0)).iter().all(|&value| value == 0));
    }

    /// Images as small as they can be have no pixel away from the border.
    #[test]
    fn sharpness_leaves_borders_alone() {
        for (height, width) in [(1, 1), (1, 7), (7, 1), (2, 2), (2, 9)] {
            let shape = ImageShape::new(height, width, 1);
            let mut image: Vec<u8> = (0..shape.len()).map(|i| (i * 50 % 256) as u8).collect();
            let before = image.clone();
            sharpness(&mut image, shape, 1.9, &mut Vec::new());
            assert_eq!(image, before);
        }
    }
}
