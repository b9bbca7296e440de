//! What can end a step early.

use core::convert::Infallible;
use core::error::Error;
use core::fmt;

use crate::{InvalidSetting, Pass};

/// Why a step failed. Whatever it was, parameters and optimizer state are as before the step, unless the
/// storage itself failed to restore them.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum StepError<S, O, D> {
    /// The storage of the parameters failed.
    Space(S),
    /// The gradient oracle failed in the given pass.
    Oracle(O, Pass),
    /// The base optimizer failed.
    Descent(D),
    /// A hyper-parameter is out of its range; nothing was asked for yet.
    Setting(InvalidSetting),
}

impl<S, O, D> StepError<S, O, D> {
    /// The error with an oracle's failure turned into something else, by a function of it and its pass.
    pub fn map_oracle<P>(self, turn: impl FnOnce(O, Pass) -> StepError<S, P, D>) -> StepError<S, P, D> {
        match self {
            Self::Space(e) => StepError::Space(e),
            Self::Oracle(e, pass) => turn(e, pass),
            Self::Descent(e) => StepError::Descent(e),
            Self::Setting(e) => StepError::Setting(e),
        }
    }
}

impl<S, O, D> StepError<S, O, D> {
    /// Whether a hyper-parameter is at fault: the same step will fail again.
    pub const fn is_setting(&self) -> bool {
        matches!(self, Self::Setting(_))
    }
}

impl<S, D> StepError<S, Infallible, D> {
    /// The same error where an oracle takes part.
    pub fn with_oracle<O>(self) -> StepError<S, O, D> {
        self.map_oracle(|never, _| match never {})
    }
}

impl<S, O> StepError<S, O, Infallible> {
    /// The same error where a base optimizer takes part.
    pub fn with_descent<D>(self) -> StepError<S, O, D> {
        match self {
            Self::Space(e) => StepError::Space(e),
            Self::Oracle(e, pass) => StepError::Oracle(e, pass),
            Self::Descent(never) => match never {},
            Self::Setting(e) => StepError::Setting(e),
        }
    }
}

impl<S: fmt::Display, O: fmt::Display, D: fmt::Display> fmt::Display for StepError<S, O, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Space(e) => write!(f, "parameter storage: {e}"),
            Self::Oracle(e, pass) => write!(f, "gradient oracle, {pass} pass: {e}"),
            Self::Descent(e) => write!(f, "base optimizer: {e}"),
            Self::Setting(e) => e.fmt(f),
        }
    }
}

impl<S, O, D> Error for StepError<S, O, D>
where
    S: Error + 'static,
    O: Error + 'static,
    D: Error + 'static,
{
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Space(e) => e,
            Self::Oracle(e, _) => e,
            Self::Descent(e) => e,
            // It prints what is inside, so what comes next is what is inside of that.
            Self::Setting(e) => return e.source(),
        })
    }
}

/// Two buffers that must have the same length do not.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LengthMismatch {
    /// Which buffer has the wrong length.
    pub buffer: &'static str,
    /// Entries in the parameters, or in `whole`.
    pub expected: usize,
    /// Entries in that buffer.
    pub found: usize,
    /// What the buffer should be as long as: as a rule, the parameters.
    pub whole: &'static str,
}

impl LengthMismatch {
    /// `buffer` has `found` entries where the parameters have `expected`.
    pub const fn new(buffer: &'static str, expected: usize, found: usize) -> Self {
        Self { buffer, expected, found, whole: "parameters" }
    }

    /// Should be as long as something else than the parameters.
    #[must_use]
    pub const fn with_whole(self, whole: &'static str) -> Self {
        Self { whole, ..self }
    }

    /// Compares a buffer's length with that of the parameters.
    ///
    /// # Errors
    /// The mismatch, if the lengths differ.
    pub const fn check(buffer: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self::new(buffer, expected, found)) }
    }
}

impl fmt::Display for LengthMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { buffer, expected, found, whole } = self;
        write!(
            f,
            "the {buffer} has {found} entries, the {whole} have {expected}: lend a buffer as long as the {whole}"
        )
    }
}

impl Error for LengthMismatch {}

/// Why an oracle that works with a lent buffer failed.
///
/// Exhaustive on purpose: whoever wants the inner oracle's error must know what else there is.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a wrapper and what it wraps")]
pub enum BufferedError<E> {
    /// The buffer has the wrong length.
    Buffer(LengthMismatch),
    /// The oracle inside failed.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for BufferedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer(e) => e.fmt(f),
            Self::Inner(e) => e.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for BufferedError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Buffer(e) => e.source(),
            // It prints what is inside, so what comes next is what is inside of that.
            Self::Inner(e) => e.source(),
        }
    }
}
