//! A setting that cannot be, in the words of `config.toml`.

use std::{borrow::Cow, fmt};

use crate::data::Senseless;

/// A setting outside of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{setting}`: expected {expected}, found {found}")]
pub struct InvalidSetting {
    /// The setting by its name, as in `config.toml`.
    pub setting: Cow<'static, str>,
    /// Its range.
    pub expected: Cow<'static, str>,
    /// Its value.
    pub found: String,
}

impl InvalidSetting {
    /// A setting with a value that was not expected.
    pub fn new(
        setting: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
        found: impl fmt::Display,
    ) -> Self {
        Self { setting: setting.into(), expected: expected.into(), found: found.to_string() }
    }
}

impl From<Senseless> for InvalidSetting {
    fn from(Senseless { setting, expected, found }: Senseless) -> Self {
        Self::new(setting, expected, found)
    }
}
