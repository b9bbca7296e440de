//! What the engine does as people see it on stderr: a bar on a terminal, lines everywhere.

use std::{
    collections::HashSet,
    fmt::Display,
    io::{self, IsTerminal, Write},
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{columns, draw::curves, live::Screen, words::in_flags};
use crate::{
    experiment::train::RunDirectory,
    observer::{Event, Observer, ObserverError},
    training::{evaluated::Evaluated, metrics::EpochMetrics, nonfinite::OnNonFinite},
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
    let _ = writeln!(io::stderr(), "{}", columns::line(&line.to_string(), columns::of_stderr()));
}

/// Shows progress as a bar, or as curves, and events as lines above it, and draws the curves of a run that has ended.
pub struct Terminal {
    live: bool,
    shown: Mutex<Shown>,
    /// What is doubtful and has been said: the runs of a search have it in common.
    doubted: Mutex<HashSet<String>>,
}

/// What shows the work that is under way.
enum Shown {
    /// Nothing: there is no work, or nobody to look.
    Nothing,
    /// How far it is.
    Bar(ProgressBar),
    /// That, and what its epochs gave.
    Live(Box<Screen>),
}

impl Terminal {
    /// Shows runs as curves if it is to be `live` and can be.
    pub fn new(live: bool) -> Self {
        Self { live, shown: Mutex::new(Shown::Nothing), doubted: Mutex::default() }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // It is whole whatever became of the thread that held it.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says a line above what is shown, or where nothing is.
    pub fn line(&self, line: impl Display) {
        match &mut *self.shown() {
            Shown::Nothing => note(line),
            Shown::Bar(bar) => bar.suspend(|| note(line)),
            Shown::Live(screen) => screen.line(&line.to_string()),
        }
    }

    fn begin(&self, work: &str, total: u64, done: u64) -> Shown {
        if quiet() || !io::stderr().is_terminal() {
            return Shown::Nothing;
        }
        let screen = self.live.then(|| Screen::open(total, done)).flatten();
        screen.map_or_else(|| Shown::Bar(bar(work, total, done)), |screen| Shown::Live(Box::new(screen)))
    }
}

impl Observer for Terminal {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event {
            Event::Begun { work, total, done } => *self.shown() = self.begin(work, *total, *done),
            Event::Progress { done } => match &mut *self.shown() {
                Shown::Nothing => {}
                Shown::Bar(bar) => bar.set_position(*done),
                Shown::Live(screen) => screen.progress(*done),
            },
            Event::Ended => match mem::replace(&mut *self.shown(), Shown::Nothing) {
                Shown::Nothing => {}
                Shown::Bar(bar) => bar.finish_and_clear(),
                Shown::Live(screen) => screen.close(),
            },
            Event::Epoch { metrics, epochs, evaluated_on } => {
                if let Shown::Live(screen) = &mut *self.shown() {
                    screen.epoch(**metrics, *epochs, *evaluated_on);
                    return Ok(());
                }
                self.line(epoch_line(metrics, *epochs, *evaluated_on));
            }
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
            Event::Doubtful { doubt } => {
                let doubt = in_flags(&doubt.to_string());
                if self.doubted.lock().unwrap_or_else(PoisonError::into_inner).insert(doubt.clone()) {
                    self.line(format_args!("note: {doubt}"));
                }
            }
            Event::Trained { directory, settings, history } => {
                let directory = RunDirectory::new(*directory);
                curves::draw(&directory.curves(), &curves::title(settings), settings.data.evaluated_on(), history)?;
            }
            Event::Kept { kept, total, file } => self.line(format_args!(
                "{kept} of {total} runs are taken from {}; another --out repeats them",
                file.display()
            )),
            Event::Run { number, total, name, test_error, evaluated_on, ms_per_step } => self.line(format_args!(
                "run {number}/{total}: {name}: {evaluated_on} error {test_error:.2} %, {ms_per_step:.3} ms a step"
            )),
            Event::Unlocked { error } => {
                self.line(format_args!("warning: {error}; do not start a second process on it"));
            }
        }
        Ok(())
    }
}

fn bar(work: &str, total: u64, done: u64) -> ProgressBar {
    // As wide as the terminal, whichever that is: a longer line would leave its ends behind.
    let template = "{prefix} [{wide_bar}] {percent:>3}% {elapsed}, {eta} to go";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_prefix(work.to_owned());
    bar.set_position(done);
    // Work done before does not count for the remaining time.
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// An epoch for people.
fn epoch_line(metrics: &EpochMetrics, epochs: usize, evaluated_on: Evaluated) -> String {
    let EpochMetrics { epoch, train_loss, train_error, lr, images_per_s, .. } = metrics;
    let width = epochs.to_string().len();
    let of = |name, error: Option<f64>| error.map_or(String::new(), |e| format!("  {name} {e:.2} %"));
    let test = of("train", *train_error) + &of(evaluated_on.name(), metrics.test_error);
    let averages = of("ema", metrics.ema_test_error) + &of("swa", metrics.swa_test_error);
    let speed = images_per_s.map_or(String::new(), |rate| format!("  {rate:.0} img/s"));
    format!("epoch {epoch:>width$}/{epochs}  loss {train_loss:.4}{test}{averages}  lr {lr:.4}{speed}")
}
