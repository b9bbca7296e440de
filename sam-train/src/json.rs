//! JSON on one line.

use serde::Serialize;

/// `value` as compact JSON, fields in the order in which they are declared.
///
/// # Panics
/// If `value` has a map whose keys are no text, or an implementation of `Serialize` that fails: no type of this crate.
pub fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with named fields is JSON")
}
