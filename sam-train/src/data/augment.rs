//! How training images are changed each time they are seen (the paper's appendix C.1).

mod check;
mod details;
mod operations;
mod policies;
mod scale;
mod turn;

use std::{fmt, str::FromStr};

use sam_model::ImageShape;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Standardizer, views::View};
use crate::random::{Purpose, stream};
pub use details::{AugmentDetails, CutoutAt, Padding, Senseless};
pub use operations::Operation;
pub use policies::Policy;
pub use scale::Scale;
pub use turn::PADDING;
use turn::{Square, Turn};

/// How training images are changed each time they are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// A random part of each picture (Szegedy et al. 2015), mirrored with probability 1/2: for pictures left in their files.
    Resized,
    /// The same with the operations of a policy.
    ResizedPolicy(Policy),
    /// The operations of a policy, and then `Cutout`; of the one for SVHN, whose digits a mirror makes others, only its square.
    Policy(Policy),
}

/// What an image goes through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transforms {
    /// A random part of a picture in the place of its centre.
    pub resizes: bool,
    /// Operations on its bytes.
    pub policy: Option<Policy>,
    /// Mirrored with probability 1/2.
    pub mirrors: bool,
    /// Padded and cropped at random to the old size.
    pub crops: bool,
    /// A square erased.
    pub erases: bool,
}

impl Augment {
    /// What an image goes through.
    pub const fn transforms(self) -> Transforms {
        let none = Transforms { resizes: false, policy: None, mirrors: false, crops: false, erases: false };
        match self {
            Self::None => none,
            Self::Crop => Transforms { crops: true, ..none },
            Self::Basic => Transforms { mirrors: true, crops: true, ..none },
            Self::Cutout => Transforms { mirrors: true, crops: true, erases: true, ..none },
            Self::Resized => Transforms { resizes: true, mirrors: true, ..none },
            Self::ResizedPolicy(policy) => {
                Transforms { resizes: true, policy: Some(policy), mirrors: true, ..none }
            }
            Self::Policy(policy) => {
                let mirrors = !matches!(policy, Policy::Svhn);
                Transforms { policy: Some(policy), mirrors, crops: mirrors, erases: true, ..none }
            }
        }
    }
}

/// How training images are changed, with all that can be said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Augmentation {
    /// What is done.
    pub augment: Augment,
    /// How.
    pub details: AugmentDetails,
}

impl From<Augment> for Augmentation {
    fn from(augment: Augment) -> Self {
        Self { augment, details: AugmentDetails::DEFAULT }
    }
}

/// What an image's random numbers are a function of.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Of the run.
    pub seed: u64,
    /// From 0 on.
    pub epoch: u64,
    /// The image's number in the training set.
    pub image: usize,
    /// The number of the first image of its batch, which no other batch of the epoch has.
    pub batch: usize,
}

/// Room for an image's bytes while operations change them.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    image: Vec<u8>,
    buffer: Vec<u8>,
}

impl Augmentation {
    /// Whether it is one that a device makes from the images there.
    pub fn is_plain(self) -> bool {
        let known = matches!(self.augment, Augment::None | Augment::Basic | Augment::Cutout);
        known && self.details == AugmentDetails::DEFAULT
    }

    /// The part of a picture that is shown in an image of the shape `to`.
    pub(super) fn view(self, picture: ImageShape, to: ImageShape, place: Place) -> View {
        let Place { seed, epoch, image, .. } = place;
        if self.augment.transforms().resizes {
            View::draw(picture, to, &mut stream(seed, Purpose::View, epoch, image as u64))
        } else {
            View::centre(picture, to)
        }
    }

    /// Writes the standardised and augmented `image` (HWC, of `shape`) to `values`. Erased pixels, and padding with zeros, are
    /// 0, the mean of the training images.
    pub fn write(
        self,
        image: &[u8],
        shape: ImageShape,
        standardizer: &Standardizer,
        place: Place,
        scratch: &mut Scratch,
        values: &mut [f32],
    ) {
        let Place { seed, epoch, .. } = place;
        let stream = |purpose, number: usize| stream(seed, purpose, epoch, number as u64);
        let transforms = self.augment.transforms();
        let Scratch { image: changed, buffer } = scratch;
        let image = match transforms.policy {
            None => image,
            Some(policy) => {
                changed.clear();
                changed.extend_from_slice(image);
                let scale = self.details.policy_scale;
                let fill = scale.fill(&standardizer.means());
                let mut random = stream(Purpose::Policy, place.image);
                policy.draw(scale, shape, &mut random, |operation| {
                    operation.apply(changed, shape, &fill, buffer);
                });
                changed
            }
        };
        if !(transforms.mirrors || transforms.crops || transforms.erases) {
            return standardizer.apply(image, values);
        }
        let mut random = stream(Purpose::Augmentation, place.image);
        let mut turn = Turn::draw(transforms.mirrors, transforms.crops, &mut random);
        if transforms.erases {
            let half = self.details.cutout_size.unwrap_or(shape.width / 2) / 2;
            turn.erased = Some(match self.details.cutout_at {
                CutoutAt::Image => Square::draw(shape, half, &mut random),
                CutoutAt::Batch => Square::draw(shape, half, &mut stream(Purpose::Cutout, place.batch)),
            });
        }
        turn.write(image, shape, self.details.padding, standardizer, values);
    }
}

/// What is expected of a text.
const EXPECTED: &str = "expected none, crop, basic, cutout, resized, autoaugment-cifar, autoaugment-cifar-95, \
                        autoaugment-svhn, autoaugment-imagenet or randaugment-LAYERS-MAGNITUDE, such as randaugment-2-9; or \
                        resized- and a policy";

impl FromStr for Augment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        Ok(match text {
            "none" => Self::None,
            "crop" => Self::Crop,
            "basic" => Self::Basic,
            "cutout" => Self::Cutout,
            "resized" => Self::Resized,
            _ => match text.strip_prefix("resized-") {
                Some(policy) => Self::ResizedPolicy(policy.parse().map_err(|()| EXPECTED)?),
                None => Self::Policy(text.parse().map_err(|()| EXPECTED)?),
            },
        })
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Crop => f.write_str("crop"),
            Self::Basic => f.write_str("basic"),
            Self::Cutout => f.write_str("cutout"),
            Self::Resized => f.write_str("resized"),
            Self::ResizedPolicy(policy) => write!(f, "resized-{policy}"),
            Self::Policy(policy) => policy.fmt(f),
        }
    }
}

impl Serialize for Augment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Augment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
