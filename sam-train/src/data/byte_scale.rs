//! Whose mean and deviation bytes are standardised by.

use sam_model::ImageShape;
use serde::{Deserialize, Serialize};

use super::{Moments, Senseless};
use crate::named::named;

/// What bytes are standardised by. A network that was trained on others' numbers wants theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ByteScale {
    /// Mean and deviation of the training images' channels.
    #[default]
    Data,
    /// Those of ImageNet's: 123.675, 116.28, 103.53 and 58.395, 57.12, 57.375, as torchvision and the SAM paper's authors have them.
    Imagenet,
    /// `(byte - 127) / 128`, as EfficientNet-Lite was trained.
    Lite,
    /// MNIST's 0.1307 and 0.3081 of 255, which the SAM paper's authors take for Fashion-MNIST too.
    Mnist,
}

named!(
    ByteScale,
    "expected data, imagenet, lite or mnist",
    Data = "data",
    Imagenet = "imagenet",
    Lite = "lite",
    Mnist = "mnist"
);

impl ByteScale {
    /// Means and deviations of the channels, in units of 1/10000; nothing where the data say them. One stands for any number of channels.
    const fn figures(self) -> &'static [[u64; 2]] {
        match self {
            Self::Data => &[],
            Self::Imagenet => &[[1_236_750, 583_950], [1_162_800, 571_200], [1_035_300, 573_750]],
            Self::Lite => &[[1_270_000, 1_280_000]],
            Self::Mnist => &[[333_285, 785_655]],
        }
    }

    /// Whether it is said by the data.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn is_data(&self) -> bool {
        *self == Self::Data
    }

    /// Makes sure that it has numbers for the channels of these images.
    ///
    /// # Errors
    /// [`Senseless`], where it has not.
    pub fn check(self, shape: ImageShape) -> Result<(), Senseless> {
        let count = self.figures().len();
        if count > 1 && count != shape.channels {
            let expected = format!("a scale for images of {} channels", shape.channels);
            return Err(Senseless {
                setting: "standardize",
                expected,
                found: format!("{self}, of {count} channels"),
            });
        }
        Ok(())
    }

    /// Moments that have these means and deviations exactly, a channel each; nothing where the data say them.
    pub fn moments(self, channels: usize) -> Option<Vec<Moments>> {
        let figures = self.figures();
        let of = |channel: usize| {
            let [mean, deviation] = figures[channel % figures.len()];
            // n, a sum and squares whose mean is `mean` and whose variance is the square of `deviation`, in whole numbers.
            [100_000_000, 10_000 * mean, mean * mean + deviation * deviation]
        };
        (!figures.is_empty()).then(|| (0..channels).map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Standardizer;

    #[test]
    fn bytes_become_what_the_formula_says() {
        let cases = [
            (ByteScale::Lite, 1, 127.0, 128.0),
            (ByteScale::Imagenet, 0, 123.675, 58.395),
            (ByteScale::Imagenet, 1, 116.28, 57.12),
            (ByteScale::Imagenet, 2, 103.53, 57.375),
            (ByteScale::Mnist, 0, 0.1307 * 255.0, 0.3081 * 255.0),
        ];
        for (scale, channel, mean, deviation) in cases {
            let standardizer = Standardizer::of(&scale.moments(3).unwrap());
            for byte in 0..=255_u8 {
                let expected = (f64::from(byte) - mean) / deviation;
                let found = f64::from(standardizer.tables()[channel][usize::from(byte)]);
                assert!((found - expected).abs() < 1e-6, "{scale} {channel} {byte}: {found}, {expected}");
            }
        }
        assert_eq!(ByteScale::Data.moments(3), None);
        assert!(ByteScale::Imagenet.check(ImageShape::new(8, 8, 1)).is_err());
        assert!(ByteScale::Lite.check(ImageShape::new(8, 8, 1)).is_ok());
    }
}
