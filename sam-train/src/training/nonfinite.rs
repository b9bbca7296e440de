//! A loss or a gradient that is infinite or NaN: where it came from, and what is done about it.

use std::{fmt, path::Path};

use sam_core::Pass;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    files::{self, FileError},
    json,
    named::named,
};

/// What is done about a step whose loss or gradient is not finite. The step itself changes nothing, whatever is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnNonFinite {
    /// The run ends with an error.
    #[default]
    Stop,
    /// The batch is left out.
    Skip,
    /// The run goes back to its last checkpoint and on from there at half the learning rate.
    Rollback,
}

/// What a backend can tell about the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What is not finite: `weights`, `output`, `loss`, `gradient`, or a group of the state's tensors.
    pub quantity: String,
    /// The first layer of which it is not, in the order of computation (backwards for a gradient).
    pub layer: Option<String>,
    /// The rank on which it is not, of several, if one knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
}

impl Origin {
    /// `quantity` of `layer`.
    pub fn of_layer(quantity: &str, layer: &str) -> Self {
        Self { quantity: quantity.to_owned(), layer: Some(layer.to_owned()), rank: None }
    }
}

/// A step that was not made, or whose update made the state useless.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NonFinite {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step in the epoch, from 1.
    pub step: usize,
    /// Which of the step's gradients; `None` if they were finite and the update by them overflowed.
    #[serde(serialize_with = "as_text")]
    pub pass: Option<Pass>,
    /// The loss at the weights, as text: JSON has no NaN.
    #[serde(serialize_with = "as_text")]
    pub loss: Option<f64>,
    /// The learning rate.
    pub lr: f32,
    /// Where it came from, if the backend knows.
    #[serde(flatten)]
    pub origin: Option<Origin>,
}

/// A line of the log.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(flatten)]
    found: &'a NonFinite,
    /// What was done.
    action: OnNonFinite,
}

impl NonFinite {
    /// Adds a line to the log at `path`, before anything is done.
    ///
    /// # Errors
    /// [`FileError`], when it cannot be written.
    pub fn log(&self, path: &Path, action: OnNonFinite) -> Result<(), FileError> {
        files::append_line(path, &json::line(&Event { found: self, action }))
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, step, pass, loss, lr, origin } = self;
        write!(f, "epoch {epoch}, step {step}: expected finite numbers, found infinite or NaN ones ")?;
        match pass {
            Some(pass) => write!(f, "in the {pass} pass")?,
            None => f.write_str("after the update")?,
        }
        if let Some(Origin { quantity, layer, rank }) = origin {
            write!(f, ", first in the {quantity}")?;
            if let Some(layer) = layer {
                write!(f, " of {layer}")?;
            }
            if let Some(rank) = rank {
                write!(f, " on rank {rank}")?;
            }
        }
        match loss {
            Some(loss) => write!(f, " (loss {loss}, lr {lr}); the weights are as before the step"),
            None => write!(f, " (lr {lr}); the last checkpoint is as it was"),
        }
    }
}

named!(OnNonFinite, "expected stop, skip or rollback", Stop = "stop", Skip = "skip", Rollback = "rollback");

fn as_text<S: Serializer>(value: &Option<impl fmt::Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
