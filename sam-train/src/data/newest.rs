//! Several files for one thing: the newest is read, and it is said.

use std::{fs, path::PathBuf};

/// Files for one thing, the newest first; equally old ones in their order.
pub(super) fn newest_first(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    files.sort_by_key(|path| std::cmp::Reverse(modified(path)));
    files
}

/// That the first of several files for one thing is read, and the others are not.
pub(super) fn ambiguity(files: &[PathBuf]) -> Option<String> {
    let [read, others @ ..] = files else { return None };
    let others: Vec<String> = others.iter().map(|path| path.display().to_string()).collect();
    let (read, others) = (read.display(), others.join(", "));
    (!others.is_empty())
        .then(|| format!("{read} is read, the newest; {others} is not: remove what is out of date"))
}
