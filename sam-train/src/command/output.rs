//! Results on stdout.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    path::Path,
};

use crate::files::FileError;

/// Prints a line or a table. That the reader has closed the pipe (`sam ... | head`) is its right, not an error.
///
/// # Errors
/// [`FileError`], when stdout cannot be written for another reason, e.g. a full disk.
pub fn print(text: impl Display) -> Result<(), FileError> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(FileError::of(Path::new("stdout"), "written")(error))
        }
        _ => Ok(()),
    }
}
