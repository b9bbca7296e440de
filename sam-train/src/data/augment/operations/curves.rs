//! Operations that replace each value of a channel by another, as its histogram says.

/// How often each value of a channel occurs.
type Histogram = [u32; 256];
/// What each value becomes.
type Curve = [u8; 256];

/// Changes each channel by the curve of its histogram, if there is one.
pub fn of_channels(image: &mut [u8], channels: usize, curve: impl Fn(&Histogram) -> Option<Curve>) {
    for channel in 0..channels {
        let mut histogram = [0; 256];
        image.iter().skip(channel).step_by(channels).for_each(|&value| histogram[usize::from(value)] += 1);
        if let Some(curve) = curve(&histogram) {
            for value in image.iter_mut().skip(channel).step_by(channels) {
                *value = curve[usize::from(*value)];
            }
        }
    }
}

/// The smallest value becomes 0, the largest 255.
pub fn auto_contrast(histogram: &Histogram) -> Option<Curve> {
    let low = histogram.iter().position(|&count| count > 0)?;
    let high = histogram.iter().rposition(|&count| count > 0)?;
    (high > low).then(|| {
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        // Conversion cuts at 0 and 255.
        std::array::from_fn(|value| (value as f64 * scale + offset) as u8)
    })
}

/// A value becomes the share of the pixels below it.
pub fn equalize(histogram: &Histogram) -> Option<Curve> {
    let last = *histogram.iter().rfind(|&&count| count > 0)?;
    let step = (histogram.iter().sum::<u32>() - last) / 255;
    (step > 0).then(|| {
        let mut below = step / 2;
        histogram.map(|count| {
            let value = (below / step).min(255) as u8;
            below += count;
            value
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_of_one_value_or_of_few_pixels_stays_as_it_is() {
        let mut histogram = [0; 256];
        assert!(auto_contrast(&histogram).is_none() && equalize(&histogram).is_none());
        histogram[7] = 1 << 20;
        assert!(auto_contrast(&histogram).is_none() && equalize(&histogram).is_none());
        histogram[9] = 200;
        assert!(equalize(&histogram).is_some());
        histogram[7] = 254;
        assert!(equalize(&histogram).is_none());
    }

    #[test]
    fn each_channel_has_a_curve_of_its_own() {
        let mut image = vec![10, 100, 20, 101, 30, 102];
        of_channels(&mut image, 2, auto_contrast);
        assert_eq!(image, [0, 0, 127, 127, 255, 255]);
    }
}
