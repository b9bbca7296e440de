//! Progress on stderr: a bar on a terminal, lines everywhere.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// How far a long piece of work is; threads may share it.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Work of `total` units, of which `done` were done before; `what` stands before the bar.
    pub fn new(what: &str, total: u64, done: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let template = "{prefix} [{bar:32}] {percent:>3}%  {elapsed} done, {eta} to go";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar =
            ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_prefix(what.to_owned());
        bar.set_position(done);
        // Work done before does not count for the remaining time.
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// Counts `units` as done.
    pub fn advance(&self, units: u64) {
        self.bar.inc(units);
    }

    /// `units` are done in all; may be fewer than before.
    pub fn set(&self, units: u64) {
        self.bar.set_position(units);
    }

    /// Prints a line above the bar.
    pub fn line(&self, line: impl Display) {
        self.bar.suspend(|| note(line));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a line to stderr. That nobody may be listening is no reason to stop the work.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
