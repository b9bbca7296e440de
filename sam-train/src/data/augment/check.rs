//! Whether what is said about an augmentation has a meaning, and goes with the images.

use sam_model::ImageShape;

use super::{
    Augmentation,
    details::{AugmentDetails, Padding, Senseless},
    turn::PADDING,
};

impl Augmentation {
    /// The same without what has no meaning for it.
    #[must_use]
    pub fn meant(self) -> Self {
        let (transforms, details, usual) = (self.augment.transforms(), self.details, AugmentDetails::DEFAULT);
        let details = AugmentDetails {
            padding: if transforms.crops { details.padding } else { usual.padding },
            cutout_at: if transforms.erases { details.cutout_at } else { usual.cutout_at },
            cutout_size: if transforms.erases { details.cutout_size } else { usual.cutout_size },
            policy_scale: if transforms.policy.is_some() { details.policy_scale } else { usual.policy_scale },
        };
        Self { details, ..self }
    }

    /// Makes sure that all that is said has a meaning.
    ///
    /// # Errors
    /// [`Senseless`] for what has none.
    pub fn check(self) -> Result<(), Senseless> {
        let (said, meant) = (self.details, self.meant().details);
        let lost = [
            ("padding", "an `augment` that crops", said.padding != meant.padding),
            ("cutout-at", "an `augment` that erases a square", said.cutout_at != meant.cutout_at),
            ("cutout-size", "an `augment` that erases a square", said.cutout_size != meant.cutout_size),
            ("policy-scale", "an `augment` with a policy", said.policy_scale != meant.policy_scale),
        ];
        match lost.into_iter().find(|(.., lost)| *lost) {
            Some((setting, expected, _)) => Err(Senseless::new(setting, expected, self.augment.to_string())),
            None => Ok(()),
        }
    }

    /// Makes sure that images of `shape`, pictures left in their files or not, can be changed so.
    ///
    /// # Errors
    /// [`Senseless`] if not: rows of numbers have no neighbours and no colours, and small images too few pixels.
    pub fn check_images(self, shape: ImageShape, pictures: bool) -> Result<(), Senseless> {
        let ImageShape { height, width, channels } = shape;
        let transforms = self.augment.transforms();
        let least = PADDING + 1;
        if transforms.resizes && !pictures {
            let expected = "`fit` centre, which leaves class folders of pictures in their files";
            let found = format!("`augment` {}, and images of one size", self.augment);
            return Err(Senseless::new("augment", expected, found));
        }
        let changes =
            transforms.mirrors || transforms.crops || transforms.erases || transforms.policy.is_some();
        if changes && (height, width) == (1, 1) {
            let found = format!("{}, and rows of {channels} numbers, which are no images", self.augment);
            return Err(Senseless::new("augment", "none", found));
        }
        if transforms.policy.is_some() && ![1, 3].contains(&channels) {
            let expected = "no policy, which only images of 1 channel (grey) or 3 (red, green, blue) have";
            let found = format!("{}, and images of {channels} channels", self.augment);
            return Err(Senseless::new("augment", expected, found));
        }
        if transforms.crops && self.details.padding == Padding::Reflect && height.min(width) < least {
            let expected = format!("zeros for images of less than {least} pixels");
            let found = format!("reflect, and images of {height}x{width}");
            return Err(Senseless::new("padding", expected, found));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Augment, Policy};

    fn refused(augment: Augment, padding: Padding, shape: (usize, usize, usize)) -> Option<&'static str> {
        let details = AugmentDetails { padding, ..AugmentDetails::DEFAULT };
        let (height, width, channels) = shape;
        let outcome =
            Augmentation { augment, details }.check_images(ImageShape::new(height, width, channels), false);
        outcome.err().map(|senseless| senseless.setting)
    }

    #[test]
    fn what_has_no_meaning_for_images_is_refused_by_its_name() {
        let policy = Augment::Policy(Policy::Cifar);
        for (augment, padding, shape, setting) in [
            (Augment::None, Padding::Zeros, (1, 1, 30), None),
            (Augment::Crop, Padding::Zeros, (1, 1, 30), Some("augment")),
            (policy, Padding::Zeros, (1, 1, 3), Some("augment")),
            (policy, Padding::Zeros, (8, 8, 1), None),
            (policy, Padding::Zeros, (8, 8, 3), None),
            (policy, Padding::Zeros, (8, 8, 4), Some("augment")),
            (Augment::Cutout, Padding::Reflect, (5, 5, 4), None),
            (Augment::Cutout, Padding::Reflect, (9, 4, 1), Some("padding")),
            (Augment::Cutout, Padding::Zeros, (2, 2, 1), None),
            (Augment::Resized, Padding::Zeros, (64, 64, 3), Some("augment")),
        ] {
            assert_eq!(refused(augment, padding, shape), setting, "{augment} {shape:?}");
        }
    }
}
