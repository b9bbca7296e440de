//! What can be said about an augmentation beside its name.

use serde::{Deserialize, Serialize};

use super::scale::Scale;
use crate::named::named;

/// How an augmentation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AugmentDetails {
    /// What is padded with before the crop.
    #[serde(skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// What has one place for the erased square.
    #[serde(skip_serializing_if = "is_default")]
    pub cutout_at: CutoutAt,
    /// The side of the erased square in pixels, an odd one less 1; half the width where nothing is said, 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutout_size: Option<usize>,
    /// What the levels of a policy stand for.
    #[serde(skip_serializing_if = "is_default")]
    pub policy_scale: Scale,
}

/// What images are padded with before the crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Zeros after standardising: the mean of the training images.
    #[default]
    Zeros,
    /// The image mirrored at its border, which is not repeated: as in the released code of SAM's authors.
    Reflect,
}

named!(Padding, "expected zeros or reflect", Zeros = "zeros", Reflect = "reflect");

/// What has one place for the erased square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutoutAt {
    /// Each image (`DeVries` and Taylor 2017).
    #[default]
    Image,
    /// A whole batch: as in the released code of SAM's authors.
    Batch,
}

named!(CutoutAt, "expected image or batch", Image = "image", Batch = "batch");

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A setting of an augmentation that has no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Senseless {
    /// The setting by its name.
    pub setting: &'static str,
    /// What would have one.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl Senseless {
    /// Of a setting, with what would have a meaning and what was found.
    pub fn new(setting: &'static str, expected: impl Into<String>, found: String) -> Self {
        Self { setting, expected: expected.into(), found }
    }
}

impl AugmentDetails {
    /// Nothing is said.
    pub const DEFAULT: Self = Self {
        padding: Padding::Zeros,
        cutout_at: CutoutAt::Image,
        cutout_size: None,
        policy_scale: Scale::AutoAugment,
    };

    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }
}

impl Default for AugmentDetails {
    fn default() -> Self {
        Self::DEFAULT
    }
}
