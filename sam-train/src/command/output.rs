//! Results on stdout, and in the directory of an experiment.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{columns, command_line, draw::draw};
use crate::{
    experiment::{
        ExperimentError,
        findings::{Findings, Subject},
        runner::ExperimentDirectory,
    },
    files::FileError,
    observer::ObserverError,
    report::markdown::Table,
};

/// Whether another process prints the results of this one.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Prints nothing from here on: the first rank speaks for all.
pub fn keep_silent() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Prints a line or a table. That the reader has closed the pipe (`sam ... | head`) is its right, not an error.
///
/// # Errors
/// [`FileError`], when stdout cannot be written for another reason, e.g. a full disk.
pub fn print(text: impl Display) -> Result<(), FileError> {
    if SILENT.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(FileError::of(Path::new("stdout"), "written")(error))
        }
        _ => Ok(()),
    }
}

/// Prints text for people: on a terminal no word is cut at its edge.
///
/// # Errors
/// As [`print`].
pub fn prose(text: impl Display) -> Result<(), FileError> {
    print(columns::line(&text.to_string(), columns::of_stdout()))
}

/// Prints a table, as a list where the terminal is too narrow for it.
///
/// # Errors
/// As [`print`].
pub fn tabled(table: &Table) -> Result<(), FileError> {
    print(columns::table(table, columns::of_stdout()))
}

/// Draws what an experiment found and writes it down; returns the pictures.
///
/// # Errors
/// [`ExperimentError`], when a file cannot be written.
pub fn keep(
    findings: &Findings,
    directory: &ExperimentDirectory,
    subject: Subject<'_>,
) -> Result<Vec<PathBuf>, ExperimentError> {
    let drawn = findings.pictures.iter().map(|picture| draw(&directory.0, picture));
    let pictures = drawn.collect::<Result<Vec<_>, _>>().map_err(ObserverError::from)?;
    findings.write(directory, subject, &command_line(), &pictures)?;
    Ok(pictures)
}
