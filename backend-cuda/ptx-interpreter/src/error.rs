//! What can be wrong with PTX text.

use core::fmt;

/// PTX text that cannot be read, or that asks for what the interpreter does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Line in the PTX text, from one.
    pub line: u32,
    /// What was found and what was expected.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(line: u32, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PTX line {}: {}", self.line, self.message)
    }
}

impl core::error::Error for ParseError {}
