//! Several files for one thing: the newest is read, and it is said.

use std::{fs, path::PathBuf};

use super::DataError;

/// Files for one thing, the newest first; equally old ones in their order.
pub(super) fn newest_first(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    files.sort_by_key(|path| std::cmp::Reverse(modified(path)));
    files
}

/// That the first of several files for one thing is read, and the others are not.
pub(super) fn ambiguity(files: &[PathBuf]) -> Option<String> {
    let [read, others @ ..] = files else { return None };
    let (read, listed) = (read.display(), listed(others));
    (!others.is_empty())
        .then(|| format!("{read} is read, the newest; {listed} is not: remove what is out of date"))
}

/// To be said of the newest of several files for one thing if it is broken: that the `others` are there. They are not read in its
/// place, since what they hold may be another thing.
pub(super) fn beside(others: &[PathBuf]) -> impl FnOnce(DataError) -> DataError {
    let listed = listed(others);
    move |error| match listed.is_empty() {
        true => error,
        false => DataError::Beside { error: Box::new(error), others: listed },
    }
}

fn listed(files: &[PathBuf]) -> String {
    files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
