//! What the engine does as people see it on stderr: a bar on a terminal, lines everywhere.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{draw::curves, words::in_flags};
use crate::{
    experiment::train::RunDirectory,
    observer::{Event, Observer, ObserverError},
    training::{metrics::EpochMetrics, nonfinite::OnNonFinite},
};

/// Whether nothing but errors is told on stderr.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Whether what follows is to be told on stderr: no progress and no notes where it is not.
pub fn keep_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

fn quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Prints a line to stderr, unless only errors are wanted.
pub fn note(line: impl Display) {
    if !quiet() {
        complain(line);
    }
}

/// Prints an error to stderr. That nobody may be listening is no reason to stop the work.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Shows progress as a bar and events as lines above it, and draws the curves of a run that has ended.
#[derive(Debug, Default)]
pub struct Terminal {
    bar: Mutex<Option<ProgressBar>>,
}

impl Terminal {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        // A bar is whole whatever became of the thread that held it.
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, line: impl Display) {
        match &*self.bar() {
            Some(bar) => bar.suspend(|| note(line)),
            None => note(line),
        }
    }
}

impl Observer for Terminal {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event {
            Event::Begun { work, total, done } => *self.bar() = begin(work, *total, *done),
            Event::Progress { done } => {
                if let Some(bar) = &*self.bar() {
                    bar.set_position(*done);
                }
            }
            Event::Ended => {
                if let Some(bar) = self.bar().take() {
                    bar.finish_and_clear();
                }
            }
            Event::Epoch { metrics, epochs } => self.line(epoch_line(metrics, *epochs)),
            Event::NonFinite { found, action } => {
                let done = match action {
                    OnNonFinite::Skip => "the batch is left out",
                    OnNonFinite::Rollback => "back to the last checkpoint, at half the rate",
                    // The run ends with what was found for an error.
                    OnNonFinite::Stop => return Ok(()),
                };
                self.line(format_args!("{found}: {done}"));
            }
            Event::FiguresLost { file, epochs } => self.line(format_args!(
                "warning: {}: expected the figures that the checkpoint knows, found others or none; the run goes on \
                 without those of {epochs} epochs",
                file.display()
            )),
            Event::Doubtful { doubt } => self.line(format_args!("note: {}", in_flags(&doubt.to_string()))),
            Event::Trained { directory, settings, history } => {
                let directory = RunDirectory::new(*directory);
                curves::draw(&directory.curves(), &curves::title(settings), history)?;
            }
            Event::Kept { kept, total, file } => self.line(format_args!(
                "{kept} of {total} runs are taken from {}; another --out repeats them",
                file.display()
            )),
            Event::Run { number, total, name, test_error, ms_per_step } => self.line(format_args!(
                "run {number}/{total}: {name}: test error {test_error:.2} %, {ms_per_step:.3} ms a step"
            )),
            Event::Unlocked { error } => {
                self.line(format_args!("warning: {error}; do not start a second process on it"));
            }
        }
        Ok(())
    }
}

fn begin(work: &str, total: u64, done: u64) -> Option<ProgressBar> {
    if quiet() || !io::stderr().is_terminal() {
        return None;
    }
    // As wide as the terminal, whichever that is: a longer line would leave its ends behind.
    let template = "{prefix} [{wide_bar}] {percent:>3}% {elapsed}, {eta} to go";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_prefix(work.to_owned());
    bar.set_position(done);
    // Work done before does not count for the remaining time.
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(200));
    Some(bar)
}

/// An epoch for people.
fn epoch_line(metrics: &EpochMetrics, epochs: usize) -> String {
    let EpochMetrics { epoch, train_loss, train_error, lr, images_per_s, .. } = metrics;
    let width = epochs.to_string().len();
    let of = |name, error: Option<f64>| error.map_or(String::new(), |e| format!("  {name} {e:.2} %"));
    let test = of("train", *train_error) + &of("test", metrics.test_error);
    let averages = of("ema", metrics.ema_test_error) + &of("swa", metrics.swa_test_error);
    let speed = images_per_s.map_or(String::new(), |rate| format!("  {rate:.0} images/s"));
    format!("epoch {epoch:>width$}/{epochs}  loss {train_loss:.4}{test}{averages}  lr {lr:.4}{speed}")
}
