//! The exponent of a norm as commands and files write it.

use std::{fmt, str::FromStr};

use sam_core::Norm;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text;

/// The exponent p of a norm, 1 to infinity. Written as text, because JSON has no infinity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormExponent(pub Norm);

impl FromStr for NormExponent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let p: f64 = text.parse().map_err(|_| "expected a number from 1 up, or inf".to_owned())?;
        Norm::from_p(p).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for NormExponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.p())
    }
}

impl Serialize for NormExponent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for NormExponent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}
