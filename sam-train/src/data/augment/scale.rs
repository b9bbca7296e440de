//! Levels to magnitudes: how far an operation of a policy goes.

use rand::{Rng, RngExt};
use sam_model::ImageShape;
use serde::{Deserialize, Serialize};

use super::operations::Operation;
use crate::named::named;

/// The kinds of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    Posterize,
    Solarize,
    SolarizeAdd,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Cutout,
}

/// Whose magnitudes a policy's levels stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Those of `AutoAugment`'s code for CIFAR: translations up to 10 pixels. What is moved in is the mean of the training images.
    #[default]
    #[serde(rename = "autoaugment")]
    AutoAugment,
    /// Those of the released code of SAM's authors: translations up to 250 pixels and squares up to 200, meant for large images and
    /// applied to small ones too, solarization and posterization the other way round, and contrast around the number of pixels over
    /// 256. What is moved in is grey, 128.
    Sam,
}

named!(Scale, "expected autoaugment or sam", AutoAugment = "autoaugment", Sam = "sam");

/// What level 10 stands for.
#[derive(Debug, Clone, Copy)]
pub struct Strength {
    scale: Scale,
    /// Pixels of a translation.
    translation: u32,
    /// Half the side of an erased square.
    erased: u32,
}

impl Strength {
    /// `RandAugment`'s of SAM's authors.
    pub const SAM_RAND: Self = Self { scale: Scale::Sam, translation: 100, erased: 40 };
}

impl Scale {
    /// What `AutoAugment`'s levels stand for.
    pub const fn strength(self) -> Strength {
        let (translation, erased) = match self {
            Self::AutoAugment => (10, 10),
            Self::Sam => (250, 100),
        };
        Strength { scale: self, translation, erased }
    }

    /// What is moved in from outside of an image whose training set has the mean `means`, a byte for each channel.
    pub fn fill(self, means: &[u8]) -> Vec<u8> {
        match self {
            Self::AutoAugment => means.to_vec(),
            Self::Sam => vec![128; means.len()],
        }
    }
}

impl Kind {
    /// What `RandAugment` draws from.
    pub const ALL: [Self; 16] = [
        Self::AutoContrast,
        Self::Equalize,
        Self::Invert,
        Self::Rotate,
        Self::Posterize,
        Self::Solarize,
        Self::SolarizeAdd,
        Self::Color,
        Self::Contrast,
        Self::Brightness,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Cutout,
    ];

    /// The operation at `level`, 0 to 10; its sign and place are drawn. Whatever the kind, as many numbers are taken.
    pub fn draw(self, strength: Strength, level: u32, shape: ImageShape, random: &mut impl Rng) -> Operation {
        let negative = random.random::<bool>();
        let centre = (random.random_range(0..shape.height), random.random_range(0..shape.width));
        let share = f64::from(level) / 10.0;
        let signed = |value: f64| if negative { -value } else { value };
        let factor = (1.8 * share + 0.1) as f32;
        let whole = |most: u32| most * level / 10;
        let Strength { scale, translation, erased } = strength;
        match self {
            Self::AutoContrast => Operation::AutoContrast,
            Self::Equalize => Operation::Equalize,
            Self::Invert => Operation::Invert,
            Self::Rotate => Operation::Rotate { degrees: signed(whole(30).into()) },
            Self::Posterize => Operation::Posterize {
                bits: match scale {
                    Scale::AutoAugment => 4 - whole(4),
                    Scale::Sam => whole(4),
                },
            },
            Self::Solarize => Operation::Solarize {
                threshold: match scale {
                    Scale::AutoAugment => 256 - whole(256),
                    Scale::Sam => whole(256),
                },
            },
            Self::SolarizeAdd => Operation::SolarizeAdd { added: whole(110) as u8 },
            Self::Color => Operation::Color { factor },
            Self::Contrast => Operation::Contrast {
                factor,
                around: match scale {
                    Scale::AutoAugment => None,
                    Scale::Sam => Some((shape.height * shape.width / 256).min(255) as u8),
                },
            },
            Self::Brightness => Operation::Brightness { factor },
            Self::Sharpness => Operation::Sharpness { factor },
            Self::ShearX => Operation::Shear { right: signed(0.3 * share), down: 0.0 },
            Self::ShearY => Operation::Shear { right: 0.0, down: signed(0.3 * share) },
            Self::TranslateX => Operation::Translate { right: signed(whole(translation).into()), down: 0.0 },
            Self::TranslateY => Operation::Translate { right: 0.0, down: signed(whole(translation).into()) },
            Self::Cutout => Operation::Cutout { centre, half: whole(erased) as usize },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    const SHAPE: ImageShape = ImageShape::new(32, 32, 3);

    fn at(kind: Kind, scale: Scale, level: u32) -> Operation {
        kind.draw(scale.strength(), level, SHAPE, &mut stream(0, Purpose::Policy, 0, 0))
    }

    /// The columns of the two programs, by hand.
    #[test]
    fn levels_stand_for_the_magnitudes_of_the_two_programs() {
        for (level, cubuk, sam) in [(0, 256, 0), (4, 154, 102), (5, 128, 128), (9, 26, 230)] {
            let solarize = |scale| at(Kind::Solarize, scale, level);
            assert_eq!(solarize(Scale::AutoAugment), Operation::Solarize { threshold: cubuk });
            assert_eq!(solarize(Scale::Sam), Operation::Solarize { threshold: sam });
        }
        for (level, cubuk, sam) in [(0, 4, 0), (3, 3, 1), (7, 2, 2), (9, 1, 3)] {
            let posterize = |scale| at(Kind::Posterize, scale, level);
            assert_eq!(posterize(Scale::AutoAugment), Operation::Posterize { bits: cubuk });
            assert_eq!(posterize(Scale::Sam), Operation::Posterize { bits: sam });
        }
        for (scale, pixels, half, around) in
            [(Scale::AutoAugment, 9.0, 9, None), (Scale::Sam, 225.0, 90, Some(4))]
        {
            let Operation::Translate { right, down } = at(Kind::TranslateX, scale, 9) else { panic!() };
            assert_eq!((right.abs(), down), (pixels, 0.0));
            let Operation::Cutout { half: found, .. } = at(Kind::Cutout, scale, 9) else { panic!() };
            assert_eq!(found, half);
            let Operation::Contrast { around: found, .. } = at(Kind::Contrast, scale, 9) else { panic!() };
            assert_eq!(found, around);
        }
        let Operation::Color { factor } = at(Kind::Color, Scale::Sam, 10) else { panic!() };
        assert!((factor - 1.9).abs() < 1e-6);
        let Operation::Rotate { degrees } = at(Kind::Rotate, Scale::Sam, 9) else { panic!() };
        assert_eq!(degrees.abs(), 27.0);
    }
}
