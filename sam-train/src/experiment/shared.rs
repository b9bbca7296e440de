//! An experiment whose runs several ranks share out.
//!
//! ```text
//! rank 0:  jobs --> runs 0, 2, 4 --.                          .--> all runs --> analysis --> results
//!                                  +--> what each has made ---+
//! rank 1:  jobs --> runs 1, 3    --'                          '--> all runs --> analysis
//! ```
//!
//! All ranks conduct the experiment, each on files of its own, and so know of every run; those of the first rank are the experiment's. A
//! run is one rank's alone, with the bits that it has on one process.

use std::{
    cell::Cell,
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{ExperimentError, run_store::FinishedRun, runner::ExperimentDirectory, train::RunDirectory};
use crate::{
    files::{self, FileError},
    ranks::{Alone, Ranks, agreement},
    training::trainer::TrainingError,
};

/// The ranks that share out an experiment, as one of them sees the others.
#[derive(Clone)]
pub struct Shared {
    ranks: Rc<dyn Ranks>,
    /// Whether all have heard that one has failed: no more calls of the others are to come.
    is_over: Rc<Cell<bool>>,
}

impl Shared {
    /// Among `ranks`.
    pub fn new(ranks: &Rc<dyn Ranks>) -> Self {
        Self { ranks: Rc::clone(ranks), is_over: Rc::default() }
    }

    /// One process that makes all of it.
    pub fn alone() -> Self {
        Self::new(&Alone::shared())
    }

    /// Whether this rank's files are the experiment's.
    pub fn is_first(&self) -> bool {
        self.ranks.is_first()
    }

    /// Whether there are no others.
    pub fn is_alone(&self) -> bool {
        self.ranks.is_alone()
    }

    /// The own outcome, if no rank has failed. All ranks come here together.
    ///
    /// # Errors
    /// The own one, or [`ExperimentError::Peer`].
    pub fn agreed<T, E: Into<ExperimentError>>(&self, own: Result<T, E>) -> Result<T, ExperimentError> {
        let outcome = agreement::agreed(&*self.ranks, own.map_err(Into::into));
        self.is_over.set(outcome.is_err());
        outcome
    }

    /// The outcome of all that an experiment does. Where only this rank has failed, the others hear of it at the place where they
    /// next call it.
    ///
    /// # Errors
    /// As [`Shared::agreed`].
    pub fn ended<T>(&self, own: Result<T, ExperimentError>) -> Result<T, ExperimentError> {
        if self.is_over.get() { own } else { self.agreed(own) }
    }

    /// Makes sure that all ranks want the same runs: the `keys` tell them by settings and data.
    ///
    /// # Errors
    /// [`TrainingError::Apart`] on all ranks, with the first that wants others.
    pub fn check_alike<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Result<(), ExperimentError> {
        if self.is_alone() {
            return Ok(());
        }
        match agreement::other(&*self.ranks, keys.collect::<Vec<_>>().join(" ").as_bytes()) {
            Some(rank) => {
                self.is_over.set(true);
                Err(TrainingError::Apart { rank, what: "the settings or the data" }.into())
            }
            None => Ok(()),
        }
    }

    /// The rank that makes the job with this number among those that are missing.
    pub fn maker(&self, number: usize) -> usize {
        number % self.ranks.size()
    }

    /// Whether that is this one.
    pub fn is_own(&self, number: usize) -> bool {
        self.maker(number) == self.ranks.rank()
    }

    /// The first rank's bytes.
    pub fn from_first(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.ranks.broadcast(bytes)
    }

    /// What the other ranks have made, where this one's are these lines.
    ///
    /// # Errors
    /// [`ExperimentError::StoredRun`], when another rank has said what is no run.
    pub fn runs_of_others(&self, own: &[String]) -> Result<Vec<FinishedRun>, ExperimentError> {
        let all = self.ranks.gather(own.join("\n").as_bytes());
        let others = all.iter().enumerate().filter(|(rank, _)| *rank != self.ranks.rank());
        let lines = others.flat_map(|(rank, lines)| {
            String::from_utf8_lossy(lines).lines().map(|line| (rank, line.to_owned())).collect::<Vec<_>>()
        });
        lines
            .zip(1..)
            .map(|((rank, line), number)| {
                serde_json::from_str(&line).map_err(|error| ExperimentError::StoredRun {
                    path: format!("what rank {rank} has sent").into(),
                    line: number,
                    found: error.to_string(),
                })
            })
            .collect()
    }

    /// Each of these files by [`Shared::hand_out`], with the rank that has made it; the first error.
    ///
    /// # Errors
    /// As [`Shared::hand_out`].
    pub fn hand_out_all(&self, files: impl Iterator<Item = (PathBuf, usize)>) -> Result<(), FileError> {
        files.map(|(path, maker)| self.hand_out(&path, maker)).fold(Ok(()), Result::and)
    }

    /// Gives all ranks the file of the rank `maker`, each at its own `path`; nothing, where that has none. All get as far as that, whatever
    /// fails on one.
    ///
    /// # Errors
    /// [`FileError`], when the file cannot be read or written here.
    pub fn hand_out(&self, path: &Path, maker: usize) -> Result<(), FileError> {
        if self.is_alone() {
            return Ok(());
        }
        let is_maker = self.ranks.rank() == maker;
        let own = match is_maker.then(|| fs::read(path)) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::of(path, "read")(error))
            }
            Some(Ok(content)) => Ok([&[1], &content[..]].concat()),
            _ => Ok(Vec::new()),
        };
        let all = self.ranks.gather(own.as_deref().unwrap_or_default());
        own?;
        match all[maker].split_first() {
            Some((_, content)) if !is_maker => files::replace(path, content),
            _ => Ok(()),
        }
    }

    /// Where this rank keeps files of an experiment in `directory`: there, or if it is not the first, in a directory that goes away.
    ///
    /// # Errors
    /// [`FileError`], when that cannot be created.
    pub fn place(&self, directory: PathBuf) -> Result<Place, FileError> {
        let is_passing = !self.is_first();
        let path = if is_passing {
            let stem = std::env::temp_dir().join(format!("sam-rank-{}", self.ranks.rank()));
            RunDirectory::create_free(&stem.to_string_lossy())?.path().to_owned()
        } else {
            directory
        };
        Ok(Place { directory: ExperimentDirectory(path), is_passing })
    }
}

/// A rank's files of an experiment.
pub struct Place {
    /// Where they are.
    pub directory: ExperimentDirectory,
    is_passing: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_passing {
            // Nobody looks for it; the system clears the place of such files.
            let _ = fs::remove_dir_all(&self.directory.0);
        }
    }
}
