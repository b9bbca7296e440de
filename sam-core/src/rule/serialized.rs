//! A norm as the number `p`, so that what is read is a norm.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Norm;

/// The number `p`. JSON has no infinity and writes `null` for it, which is read back as that.
impl Serialize for Norm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.p())
    }
}

impl<'de> Deserialize<'de> for Norm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A text says itself what comes; a packed format must be told.
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Exponent)
        } else {
            deserializer.deserialize_f64(Exponent)
        }
    }
}

struct Exponent;

impl Visitor<'_> for Exponent {
    type Value = Norm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exponent p from 1 up, or infinity")
    }

    fn visit_f64<E: Error>(self, p: f64) -> Result<Norm, E> {
        Norm::from_p(p).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, p: u64) -> Result<Norm, E> {
        self.visit_f64(p as f64)
    }

    fn visit_i64<E: Error>(self, p: i64) -> Result<Norm, E> {
        self.visit_f64(p as f64)
    }

    fn visit_unit<E: Error>(self) -> Result<Norm, E> {
        self.visit_f64(f64::INFINITY)
    }
}
