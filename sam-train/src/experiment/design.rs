//! What all experiments are given, and what they are asked.

use super::{
    ExperimentError,
    findings::Findings,
    runner::{Job, LoadedData, Runner},
};
use crate::training::{
    settings::{Method, Settings},
    state::State,
};

/// What an experiment varies.
#[derive(Debug, Clone)]
pub struct Design {
    /// The SAM run of the first seed.
    pub base: Settings,
    /// How many seeds.
    pub seeds: usize,
    /// Epochs of a second chance for procedures of one gradient a step, the better of both counting; 0 for none.
    pub sgd_epochs: usize,
    /// The data set.
    pub data: LoadedData,
}

impl Design {
    /// The base settings with another method.
    pub fn with(&self, method: Method) -> Settings {
        Settings { method, ..self.base.clone() }
    }

    /// SAM with the radius `rho`, in the norm and the groups of images of the base settings.
    pub fn sam(&self, rho: f64) -> Method {
        self.base.method.with_rho(rho)
    }

    /// The run that all others are variations of.
    pub fn job(&self) -> Job<'_> {
        Job::new(self.base.clone(), &self.data)
    }

    /// What a procedure is called that is called `name` on SGD.
    pub fn named(&self, name: &str) -> String {
        self.base.base.procedure(name)
    }

    /// SAM's radius.
    pub fn rho(&self) -> f64 {
        self.base.method.rho().unwrap_or(0.0)
    }

    /// Network and data for people.
    pub fn subject(&self) -> String {
        format!("{} on {}", self.base.model, self.base.data.title())
    }
}

/// One of the paper's tables or figures as something to be repeated.
pub trait Experiment {
    /// The name in commands and files.
    const NAME: &'static str;
    /// What of the paper it repeats.
    const PAPER: &'static str;

    /// What can be found out before anything is written; `fresh` is the state of the design's network at its start.
    ///
    /// # Errors
    /// [`ExperimentError`], when the experiment cannot be made.
    fn check(&self, design: &Design, fresh: State) -> Result<(), ExperimentError> {
        let _ = (design, fresh);
        Ok(())
    }

    /// Makes the runs that are missing, and sums up.
    ///
    /// # Errors
    /// [`ExperimentError`]; whatever was finished is kept in the runner's directory.
    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError>;
}
