//! How a host program follows what the engine does: events that one trait receives.

use std::{
    error::Error,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    doubt::Doubt,
    files::FileError,
    interrupt::Interrupt,
    training::{
        evaluated::Evaluated,
        metrics::EpochMetrics,
        nonfinite::{NonFinite, OnNonFinite},
        settings::Settings,
    },
};

/// Why an observer could not do its part.
pub type ObserverError = Box<dyn Error + Send + Sync>;

/// Is told what happens, in order; of runs on several threads from all of them.
///
/// A bar, a log and a file of metrics are observers. `()` looks away, and a slice of observers tells each of its own.
///
/// ```
/// use sam_train::observer::{Event, Observer, ObserverError};
///
/// struct Losses;
/// impl Observer for Losses {
///     fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
///         if let Event::Epoch { metrics, .. } = event {
///             println!("epoch {}: {}", metrics.epoch, metrics.train_loss);
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Observer: Sync {
    /// Takes notice of `event`. Work waits for it.
    ///
    /// # Errors
    /// [`ObserverError`]: the work stops as after any error, with what can be resumed kept.
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError>;
}

/// What happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Work of `total` units begins, `done` of which were done before.
    Begun {
        /// What is done, as a participle.
        work: &'a str,
        /// Units in all: steps, gradients.
        total: u64,
        /// Units done before.
        done: u64,
    },
    /// So many units are done in all; after a return to a checkpoint fewer than before.
    Progress {
        /// Units.
        done: u64,
    },
    /// That work has ended, in whatever way.
    Ended,
    /// A run that has a directory to itself has finished an epoch.
    Epoch {
        /// What the epoch gave.
        metrics: &'a EpochMetrics,
        /// Epochs of the whole run.
        epochs: usize,
        /// Which images its errors and losses are of, but for those of training.
        evaluated_on: Evaluated,
    },
    /// Such a run met a loss, gradient or state that is not finite and goes on.
    NonFinite {
        /// What was found, and where.
        found: &'a NonFinite,
        /// What is done about it.
        action: OnNonFinite,
    },
    /// Such a run is resumed, and the file of its figures is not the one that its checkpoint knows.
    FiguresLost {
        /// The file.
        file: &'a Path,
        /// Epochs whose figures the run goes on without.
        epochs: usize,
    },
    /// Such a run has done all its epochs; its result is about to be written.
    Trained {
        /// The directory.
        directory: &'a Path,
        /// What was trained.
        settings: &'a Settings,
        /// What each epoch gave.
        history: &'a [EpochMetrics],
    },
    /// Something is allowed and rarely meant.
    Doubtful {
        /// What.
        doubt: &'a Doubt,
    },
    /// Of many runs some need not be made: the directory has them.
    Kept {
        /// How many.
        kept: usize,
        /// Of how many.
        total: usize,
        /// The file that they are in.
        file: &'a Path,
    },
    /// One of many runs is finished.
    Run {
        /// Which one in the order of finishing, from 1.
        number: usize,
        /// Of how many.
        total: usize,
        /// The run for people.
        name: &'a str,
        /// Its error after the last epoch in percent.
        test_error: f64,
        /// Which images that is of.
        evaluated_on: Evaluated,
        /// Median time of a step, in ms.
        ms_per_step: f64,
    },
    /// A directory could not be locked: nothing keeps a second process out.
    Unlocked {
        /// Why.
        error: &'a FileError,
    },
}

impl Observer for () {
    fn observe(&self, _: &Event<'_>) -> Result<(), ObserverError> {
        Ok(())
    }
}

impl Observer for [&dyn Observer] {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        self.iter().try_for_each(|observer| observer.observe(event))
    }
}

/// Several observers as one, for a [`Host`], which has one.
pub struct Several<'a>(pub &'a [&'a dyn Observer]);

impl Observer for Several<'_> {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        self.0.observe(event)
    }
}

/// What surrounds the engine's work.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// Asked between steps whether to stop.
    pub interrupt: &'a Interrupt,
    /// Told what happens.
    pub observer: &'a dyn Observer,
}

impl<'a> Host<'a> {
    /// Nobody is told anything.
    pub const fn quiet(interrupt: &'a Interrupt) -> Self {
        Self { interrupt, observer: &() }
    }

    /// Tells the observer.
    ///
    /// # Errors
    /// The observer's.
    pub fn tell(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        self.observer.observe(event)
    }

    /// Tells the observer what is allowed and rarely meant.
    ///
    /// # Errors
    /// The observer's.
    pub fn doubt(&self, doubts: impl IntoIterator<Item = Doubt>) -> Result<(), ObserverError> {
        doubts.into_iter().try_for_each(|doubt| self.tell(&Event::Doubtful { doubt: &doubt }))
    }

    /// Begins work of `total` units, `done` of which were done before.
    ///
    /// # Errors
    /// The observer's.
    pub fn begin(&self, work: &str, total: u64, done: u64) -> Result<Work<'a>, ObserverError> {
        self.tell(&Event::Begun { work, total, done })?;
        Ok(Work { observer: self.observer, done: done.into() })
    }
}

/// Work under way; threads may share it. Its end is told when it is dropped.
pub struct Work<'a> {
    observer: &'a dyn Observer,
    done: AtomicU64,
}

impl Work<'_> {
    /// Counts `units` more as done.
    ///
    /// # Errors
    /// The observer's.
    pub fn advance(&self, units: u64) -> Result<(), ObserverError> {
        let done = self.done.fetch_add(units, Ordering::Relaxed) + units;
        self.observer.observe(&Event::Progress { done })
    }

    /// `units` are done in all.
    ///
    /// # Errors
    /// The observer's.
    pub fn set(&self, units: u64) -> Result<(), ObserverError> {
        self.done.store(units, Ordering::Relaxed);
        self.observer.observe(&Event::Progress { done: units })
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; the work itself has told its own.
        let _ = self.observer.observe(&Event::Ended);
    }
}
