//! Policies: which operations change an image, with which probability and how far.

mod cifar;
mod cifar_released;
mod imagenet;
mod svhn;

use std::{fmt, str::FromStr};

use rand::{Rng, RngExt};
use sam_model::ImageShape;

use super::{
    operations::Operation,
    scale::{Kind, Scale, Strength},
};

/// Two operations after one another, each with its probability in tenths and its level.
pub type SubPolicy = [(Kind, u32, u32); 2];

/// What draws the operations of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `AutoAugment`'s for CIFAR: the 25 sub-policies of its paper.
    Cifar,
    /// `AutoAugment`'s for CIFAR: the 95 sub-policies of its released code, which are also those of SAM's authors.
    CifarReleased,
    /// `AutoAugment`'s for SVHN, of 25 sub-policies.
    Svhn,
    /// `AutoAugment`'s for ImageNet, of 25 sub-policies.
    ImageNet,
    /// `RandAugment` (Cubuk et al. 2020): so many operations, each drawn from all 16 and always applied at one level.
    Rand {
        /// Operations an image.
        layers: u32,
        /// Their level, 0 to 10.
        magnitude: u32,
    },
}

/// The most operations of `RandAugment`.
const MOST_LAYERS: u32 = 16;
/// The highest level.
const HIGHEST: u32 = 10;

impl Policy {
    /// `RandAugment` as SAM's authors use it on ImageNet.
    pub const RAND: Self = Self::Rand { layers: 2, magnitude: 9 };

    const fn sub_policies(self) -> Option<&'static [SubPolicy]> {
        match self {
            Self::Cifar => Some(&cifar::CIFAR),
            Self::CifarReleased => Some(&cifar_released::CIFAR_RELEASED),
            Self::Svhn => Some(&svhn::SVHN),
            Self::ImageNet => Some(&imagenet::IMAGENET),
            Self::Rand { .. } => None,
        }
    }

    /// Calls `apply` with the operations of one image of `shape`, in their order.
    ///
    /// A sub-policy is drawn uniformly; each of its operations is applied with its probability, with a sign of its own.
    pub fn draw(
        self,
        scale: Scale,
        shape: ImageShape,
        random: &mut impl Rng,
        mut apply: impl FnMut(Operation),
    ) {
        match (self, self.sub_policies()) {
            (_, Some(policies)) => {
                for (kind, tenths, level) in policies[random.random_range(0..policies.len())] {
                    let applied = random.random_range(0..10) < tenths;
                    let operation = kind.draw(scale.strength(), level, shape, random);
                    if applied {
                        apply(operation);
                    }
                }
            }
            (Self::Rand { layers, magnitude }, None) => {
                for _ in 0..layers {
                    let kind = Kind::ALL[random.random_range(0..Kind::ALL.len())];
                    let strength = match scale {
                        Scale::AutoAugment => scale.strength(),
                        Scale::Sam => Strength::SAM_RAND,
                    };
                    apply(kind.draw(strength, magnitude, shape, random));
                }
            }
            (_, None) => {}
        }
    }
}

impl FromStr for Policy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let whole = |text: &str, most: u32| text.parse().ok().filter(|number| (0..=most).contains(number));
        Ok(match text {
            "autoaugment-cifar" => Self::Cifar,
            "autoaugment-cifar-95" => Self::CifarReleased,
            "autoaugment-svhn" => Self::Svhn,
            "autoaugment-imagenet" => Self::ImageNet,
            "randaugment" => Self::RAND,
            _ => {
                let numbers = text.strip_prefix("randaugment-").and_then(|rest| rest.split_once('-'));
                let (layers, magnitude) = numbers.ok_or(())?;
                let layers = whole(layers, MOST_LAYERS).filter(|&layers| layers > 0).ok_or(())?;
                Self::Rand { layers, magnitude: whole(magnitude, HIGHEST).ok_or(())? }
            }
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cifar => f.write_str("autoaugment-cifar"),
            Self::CifarReleased => f.write_str("autoaugment-cifar-95"),
            Self::Svhn => f.write_str("autoaugment-svhn"),
            Self::ImageNet => f.write_str("autoaugment-imagenet"),
            Self::Rand { layers, magnitude } => write!(f, "randaugment-{layers}-{magnitude}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::{Purpose, stream};

    const POLICIES: [(Policy, usize, usize); 4] = [
        (Policy::Cifar, 25, 25),
        (Policy::CifarReleased, 95, 94),
        (Policy::Svhn, 25, 25),
        (Policy::ImageNet, 25, 20),
    ];

    #[test]
    fn policies_have_as_many_sub_policies_as_their_papers_print() {
        for (policy, count, distinct) in POLICIES {
            let policies = policy.sub_policies().unwrap();
            let different: BTreeSet<String> = policies.iter().map(|sub| format!("{sub:?}")).collect();
            assert_eq!((policies.len(), different.len()), (count, distinct), "{policy}");
            assert!(policies.iter().flatten().all(|&(_, tenths, level)| tenths <= 10 && level <= 9));
        }
        // Levels of operations that have none put aside, 20 of the paper's 25 are among the 95.
        let plain = |sub: &SubPolicy| {
            sub.map(|(kind, tenths, level)| match kind {
                Kind::AutoContrast | Kind::Equalize | Kind::Invert => (kind, tenths, 0),
                _ => (kind, tenths, level),
            })
        };
        let among = |sub: &SubPolicy| cifar_released::CIFAR_RELEASED.iter().any(|s| plain(s) == plain(sub));
        let missing: Vec<usize> =
            cifar::CIFAR.iter().enumerate().filter(|(_, s)| !among(s)).map(|(i, _)| i).collect();
        assert_eq!(missing, [15, 16, 17, 18, 19]);
    }

    /// Each sub-policy alike, each operation with its probability, both signs alike.
    #[test]
    fn sub_policies_operations_and_signs_are_drawn_as_often_as_they_should() {
        let shape = ImageShape::new(32, 32, 3);
        let draws = 100_000;
        let mut expected = 0.0;
        for (kind, tenths, _) in cifar::CIFAR.iter().flatten() {
            if matches!(kind, Kind::TranslateY) {
                expected += f64::from(*tenths) / 10.0 / 25.0;
            }
        }
        let (mut down, mut up) = (0_u32, 0_u32);
        for image in 0..draws {
            let mut random = stream(1, Purpose::Policy, 0, image);
            Policy::Cifar.draw(Scale::AutoAugment, shape, &mut random, |operation| match operation {
                Operation::Translate { down: pixels, .. } if pixels > 0.0 => down += 1,
                Operation::Translate { down: pixels, .. } if pixels < 0.0 => up += 1,
                _ => {}
            });
        }
        // A standard deviation of about 130 for each sign at 16,000.
        let each = expected * f64::from(draws as u32) / 2.0;
        for count in [down, up] {
            assert!((f64::from(count) - each).abs() < 650.0, "{down}, {up}, expected {each}");
        }
    }

    #[test]
    fn randaugment_applies_every_kind_and_as_many_as_it_says() {
        let shape = ImageShape::new(32, 32, 3);
        let mut kinds = BTreeSet::new();
        for image in 0..2000 {
            let mut count = 0;
            let mut random = stream(1, Purpose::Policy, 0, image);
            let policy = Policy::Rand { layers: 3, magnitude: 5 };
            policy.draw(Scale::Sam, shape, &mut random, |operation| {
                count += 1;
                let name = format!("{operation:?}");
                kinds.insert(name.split([' ', '(']).next().unwrap().to_owned());
            });
            assert_eq!(count, 3);
        }
        // Shears and translations of both directions are one operation each.
        assert_eq!(kinds.len(), Kind::ALL.len() - 2, "{kinds:?}");
    }

    #[test]
    fn names_are_read_back() {
        for text in ["autoaugment-cifar", "autoaugment-cifar-95", "autoaugment-svhn", "autoaugment-imagenet"]
        {
            assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
        }
        assert_eq!("randaugment".parse::<Policy>().unwrap().to_string(), "randaugment-2-9");
        assert_eq!("randaugment-3-10".parse(), Ok(Policy::Rand { layers: 3, magnitude: 10 }));
        for text in
            ["randaugment-0-9", "randaugment-2-11", "randaugment-2", "randaugment-17-1", "autoaugment", ""]
        {
            assert_eq!(text.parse::<Policy>(), Err(()), "{text}");
        }
    }
}
