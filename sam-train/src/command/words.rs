//! The engine's errors in the words of the command line.

use std::{borrow::Cow, collections::BTreeSet, path::PathBuf};

use clap::{Command, CommandFactory};

use super::Cli;
use crate::experiment::ExperimentError;

/// `error` in the words of the command line.
pub fn told(error: &ExperimentError) -> String {
    match error {
        ExperimentError::Interrupted { done, resumable } => {
            let same = || Cow::Borrowed("the same command");
            let resume = |run: &PathBuf| format!("sam train --resume {}", run.display()).into();
            format!("interrupted: {done}; go on with: {}", resumable.as_ref().map_or_else(same, resume))
        }
        ExperimentError::NoRun { .. } => format!("{error} with sam train --out"),
        _ => in_flags(&error.to_string()),
    }
}

/// The engine puts the names of settings between backticks: those of them that are flags become flags.
pub fn in_flags(text: &str) -> String {
    let mut flags = BTreeSet::new();
    collect(&Cli::command(), &mut flags);
    let parts: Vec<&str> = text.split('`').collect();
    let mut told = String::new();
    for (i, part) in parts.iter().enumerate() {
        // Every second part stands between two backticks, unless the last one was never closed.
        match i % 2 == 1 {
            false => told.push_str(part),
            true if i + 1 == parts.len() => told.extend(["`", part]),
            true if flags.contains(*part) => told.extend(["--", part]),
            true => told.extend(["`", part, "`"]),
        }
    }
    told
}

/// The long names of all arguments of `command` and the commands below it.
fn collect(command: &Command, flags: &mut BTreeSet<String>) {
    flags.extend(command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)));
    command.get_subcommands().for_each(|below| collect(below, flags));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_settings_become_flags_and_other_quotes_stay() {
        for (text, expected) in [
            ("`lr`: expected a number", "--lr: expected a number"),
            ("choose `on-nonfinite` skip, or lower `rho`", "choose --on-nonfinite skip, or lower --rho"),
            ("found `no flag` here", "found `no flag` here"),
            ("a ` alone", "a ` alone"),
            ("", ""),
        ] {
            assert_eq!(in_flags(text), expected);
        }
    }
}
