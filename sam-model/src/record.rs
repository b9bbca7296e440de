//! Names of networks in files that runs leave behind: they mean for ever what they meant when they were first written.
//!
//! `wrn-D-K` once named the networks with projections, and `resnet-50` and `resnet-152` those for small images.

use crate::{Architecture, ParseArchitectureError};
use alloc::{
    format,
    string::{String, ToString},
};

/// Endings in records of what took over a name.
const ZERO_PADDED: &str = "-zero-padded";
const IMAGENET: &str = "-imagenet";
/// Endings of the names that what was there before has now.
const PROJECTION: &str = "-projection";
const CIFAR: &str = "-cifar";

/// Whether a name is one that has another meaning now.
fn has_changed(name: &str) -> Option<[&'static str; 2]> {
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if name.strip_prefix("wrn-").is_some_and(plain) {
        Some([ZERO_PADDED, PROJECTION])
    } else if ["resnet-50", "resnet-152"].contains(&name) {
        Some([IMAGENET, CIFAR])
    } else {
        None
    }
}

impl Architecture {
    /// The name to write into files: [`Architecture::from_record`] reads it.
    #[must_use]
    pub fn record(&self) -> String {
        let name = self.to_string();
        let before = [PROJECTION, CIFAR].into_iter().find_map(|ending| {
            let plain = name.strip_suffix(ending)?;
            has_changed(plain).filter(|[_, own]| *own == ending).map(|_| plain.to_string())
        });
        match (before, has_changed(&name)) {
            (Some(before), _) => before,
            (None, Some([ending, _])) => format!("{name}{ending}"),
            (None, None) => name,
        }
    }

    /// The network of a name in a file, of this version or of one before.
    ///
    /// # Errors
    /// When it names none.
    pub fn from_record(record: &str) -> Result<Self, ParseArchitectureError> {
        let taken_over = [ZERO_PADDED, IMAGENET].into_iter().find_map(|ending| record.strip_suffix(ending));
        match (taken_over, has_changed(record)) {
            (Some(name), _) => name.parse(),
            (None, Some([_, ending])) => format!("{record}{ending}").parse(),
            (None, None) => record.parse(),
        }
    }
}
