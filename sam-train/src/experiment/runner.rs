//! Many training runs in one directory: made on several threads and ranks, kept as they finish, never made twice.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    ExperimentError,
    claim::Claim,
    design::Design,
    queue,
    run_store::{FinishedRun, RunStore, run_key},
    shared::Shared,
};
use crate::{
    data::{DataError, Dataset},
    doubt::Doubt,
    files::{self, FileError},
    json,
    observer::{Event, Host, ObserverError, Work},
    report::{counted, statistics::median},
    training::{
        batch_sizes::Timetable,
        checkpoint::Checkpoint,
        evaluated::Evaluated,
        history,
        learner::{Learner, LearnerError},
        settings::Settings,
        state::{STATISTICS, State},
        trainer::{Trainer, check_batch},
    },
};

/// A run under way is saved at the end of an epoch when the last time is longer ago than this.
const SAVED_EVERY: Duration = Duration::from_secs(60);

/// A data set, which of its images stand in the place of the test set, and its fingerprint.
#[derive(Debug, Clone)]
pub struct LoadedData {
    /// The data set.
    pub dataset: Dataset,
    /// Which images those are that runs are evaluated on.
    pub evaluated_on: Evaluated,
    fingerprint: String,
}

impl LoadedData {
    /// Takes the fingerprint of `dataset`, which has its test set.
    ///
    /// # Errors
    /// [`DataError`], when a file of images cannot be read.
    pub fn new(dataset: Dataset) -> Result<Self, DataError> {
        let fingerprint = dataset.fingerprint()?;
        Ok(Self { dataset, evaluated_on: Evaluated::Test, fingerprint })
    }

    /// The same, where the images in the place of the test set are those.
    #[must_use]
    pub fn evaluated_on(self, evaluated_on: Evaluated) -> Self {
        Self { evaluated_on, ..self }
    }
}

/// A training run to be made.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// What is trained, and how.
    pub settings: Settings,
    /// What on.
    pub data: &'a LoadedData,
    /// Epochs after which the run's state is kept; 0 is its start.
    pub snapshots: Vec<usize>,
    /// The state it starts from, if not freshly initialised.
    pub start: Option<&'a State>,
    /// What becomes of the statistics of batch normalisation in that state.
    pub statistics: Statistics,
}

/// How batch normalisation normalises in a run that starts from a trained network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Statistics {
    /// By the statistics of its training.
    #[default]
    Frozen,
    /// By each batch, as in training.
    Free,
}

impl<'a> Job<'a> {
    /// A run of which no state is kept, only what it gave.
    pub fn new(settings: Settings, data: &'a LoadedData) -> Self {
        Self { settings, data, snapshots: Vec::new(), start: None, statistics: Statistics::Frozen }
    }

    /// The same run, whose state after `snapshots` epochs is kept too.
    #[must_use]
    pub fn with_snapshots(self, snapshots: Vec<usize>) -> Self {
        Self { snapshots, ..self }
    }

    /// Gradients to compute.
    fn gradients(&self) -> usize {
        let steps = Timetable::new(&self.settings, self.data.dataset.train.len()).total();
        steps * self.settings.gradients_per_step()
    }

    /// The job for people.
    fn name(&self) -> String {
        let settings = &self.settings;
        let Settings { seed, epochs, method, data, .. } = settings;
        let rho = method.rho().map_or(String::new(), |rho| format!(" (rho {rho})"));
        let (method, epochs) = (settings.procedure(), counted(*epochs, "epoch"));
        format!(
            "{method}{rho}, lr {}, {epochs}, label noise {}, seed {seed}",
            settings.sgd.lr, data.label_noise
        )
    }
}

/// The files of an experiment.
#[derive(Debug, Clone)]
pub struct ExperimentDirectory(pub PathBuf);

impl ExperimentDirectory {
    /// Finished runs.
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs.jsonl")
    }

    /// The file of that name.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn unfinished_runs(&self) -> PathBuf {
        self.0.join("unfinished")
    }

    /// Where the run of that key stands, if it was interrupted.
    fn unfinished(&self, key: &str) -> PathBuf {
        self.unfinished_runs().join(format!("{}.safetensors", &key[..16]))
    }

    fn snapshots(&self) -> PathBuf {
        self.0.join("states")
    }

    /// The state of the run of that key after `epoch` epochs, a checkpoint.
    fn snapshot(&self, key: &str, epoch: usize) -> PathBuf {
        self.snapshots().join(format!("{}-{epoch}.safetensors", &key[..16]))
    }
}

/// Makes the learner of a run.
pub type MakeLearner<'a> = dyn Fn(&Settings, &Dataset) -> Result<Box<dyn Learner>, LearnerError> + Sync + 'a;

/// An experiment's directory at work.
pub struct Runner<'a> {
    /// Its files.
    pub directory: ExperimentDirectory,
    /// Runs at a time, each on one thread.
    pub threads: usize,
    /// Epochs between two evaluations on the test set.
    pub evaluate_every: usize,
    host: Host<'a>,
    learner: &'a MakeLearner<'a>,
    store: RunStore,
    claim: Claim,
    shared: Shared,
}

impl<'a> Runner<'a> {
    /// Opens `directory`, which is created if need be; no other process can work in it meanwhile.
    ///
    /// # Errors
    /// [`ExperimentError`], when it cannot be created, is in use, or holds runs that cannot be read.
    pub fn open(
        directory: ExperimentDirectory,
        threads: usize,
        evaluate_every: usize,
        host: Host<'a>,
        learner: &'a MakeLearner<'a>,
    ) -> Result<Self, ExperimentError> {
        Self::open_on(&Shared::alone(), directory, threads, evaluate_every, host, learner)
    }

    /// The same on ranks that share out the runs, all of which come here together: on each that is not the first `directory` is its
    /// own, and it is given what the first's holds.
    ///
    /// # Errors
    /// As [`Runner::open`], on all ranks; [`ExperimentError::Peer`], where another has failed.
    pub fn open_on(
        shared: &Shared,
        directory: ExperimentDirectory,
        threads: usize,
        evaluate_every: usize,
        host: Host<'a>,
        learner: &'a MakeLearner<'a>,
    ) -> Result<Self, ExperimentError> {
        let claim = shared.agreed(Claim::new(&directory.0, host))?;
        shared.agreed(shared.hand_out(&directory.runs(), 0))?;
        let store = shared.agreed(RunStore::open(&directory.runs()))?;
        let shared = shared.clone();
        Ok(Self { directory, threads, evaluate_every, host, learner, store, claim, shared })
    }

    /// The runs of `jobs`, in their order; makes the runs that the directory does not have. When the user interrupts,
    /// runs under way are kept as checkpoints.
    ///
    /// # Errors
    /// [`ExperimentError::Interrupted`] after an interrupt, [`ExperimentError`] when a run or a file fails; all
    /// finished runs are kept.
    pub fn runs(&mut self, what: &str, jobs: &[Job<'_>]) -> Result<Vec<FinishedRun>, ExperimentError> {
        self.shared.agreed(self.prepare(jobs))?;
        let keyed: Vec<(String, &Job<'_>)> = jobs.iter().map(|job| (self.key(job), job)).collect();
        self.shared.check_alike(keyed.iter().map(|(key, _)| key.as_str()))?;
        let missing = self.missing(&keyed);
        self.shared.agreed(self.share_unfinished(&missing))?;
        let mut finished = jobs.len() - missing.len();
        let work = self.shared.agreed(self.begin(what, jobs.len(), &missing))?;
        let Self { directory, threads, evaluate_every, host, learner, store, claim, shared } = self;
        let claim = &*claim;
        let make = |(key, job): &&(String, &Job<'_>)| {
            let run = Run { key, job, directory, claim, work: &work, host: *host };
            let learner = learner(&job.settings, &job.data.dataset)?;
            run.make(*evaluate_every, learner).map_err(|error| match error {
                ExperimentError::Training(source) => ExperimentError::Run { run: job.name(), source },
                other => other,
            })
        };
        let mut keep = |(key, job): &(String, &Job<'_>), run: FinishedRun| {
            finished += 1;
            let name = &job.name();
            let FinishedRun { test_error, ms_per_step, .. } = run;
            let LoadedData { dataset, evaluated_on, .. } = job.data;
            let (number, total, evaluated_on) = (finished, jobs.len(), *evaluated_on);
            host.tell(&Event::Run { number, total, name, test_error, evaluated_on, ms_per_step })?;
            host.doubt(Doubt::about_outcome(name, test_error, evaluated_on, dataset))?;
            claim.write(&directory.runs(), |_| store.add(run))?;
            // What is left of an earlier interruption; an absent file is the usual case.
            let checkpoint = directory.unfinished(key);
            let _ = fs::remove_file(history::beside(&checkpoint));
            let _ = fs::remove_file(checkpoint);
            Ok(())
        };
        let own: Vec<_> =
            (0..).zip(&missing).filter(|(number, _)| shared.is_own(*number)).map(|(_, job)| *job).collect();
        let mut made = Vec::new();
        let outcome = queue::run(&own, *threads, host.interrupt, make, |job, run| {
            made.push(json::line(&run));
            keep(job, run)
        });
        let mut others = || -> Result<(), ExperimentError> {
            for run in shared.runs_of_others(&made)? {
                let job = missing.iter().find(|(key, _)| *key == run.key);
                let Some(job) = job else { continue };
                work.advance(job.1.gradients() as u64)?;
                keep(job, run)?;
            }
            Ok(())
        };
        let outcome = if shared.is_alone() { outcome } else { outcome.and(others()) };
        drop(work);
        let outcome = outcome.map_err(|error| match error {
            ExperimentError::Interrupted { .. } => ExperimentError::Interrupted {
                done: format!("{finished} of {} runs are kept, those under way as checkpoints", jobs.len()),
                resumable: None,
            },
            other => other,
        });
        let outcome = outcome.and(self.share_states(&keyed, &missing).map_err(ExperimentError::from));
        self.shared.agreed(outcome)?;
        // Stays where it holds runs of other settings.
        let _ = fs::remove_dir(self.directory.unfinished_runs());
        Ok(keyed.iter().filter_map(|(key, _)| self.store.get(key).cloned()).collect())
    }

    /// Creates what `jobs` are written to, and makes sure that their batches are as large as their data allow.
    fn prepare(&self, jobs: &[Job<'_>]) -> Result<(), ExperimentError> {
        // Every wave of runs finds it, though the one before has removed it.
        files::create_directory(&self.directory.unfinished_runs())?;
        for job in jobs {
            check_batch(&job.settings, &job.data.dataset)?;
            if !job.snapshots.is_empty() {
                files::create_directory(&self.directory.snapshots())?;
            }
        }
        Ok(())
    }

    /// Those of `keyed` that the first rank does not have, each once.
    fn missing<'k, 'j>(&self, keyed: &'k [(String, &'j Job<'j>)]) -> Vec<&'k (String, &'j Job<'j>)> {
        let mut missing: Vec<u8> = vec![0; keyed.len()];
        for (place, (key, job)) in keyed.iter().enumerate() {
            let kept = |&epoch: &usize| self.directory.snapshot(key, epoch).exists();
            let have = self.store.get(key).is_some() && job.snapshots.iter().all(kept);
            let is_repeated = keyed[..place].iter().any(|(other, _)| other == key);
            missing[place] = u8::from(!have && !is_repeated);
        }
        let missing = self.shared.from_first(missing);
        keyed.iter().zip(missing).filter(|(_, missing)| *missing == 1).map(|(keyed, _)| keyed).collect()
    }

    /// Says what is there of so many jobs, what is doubtful about those that are not, and that these begin.
    fn begin(
        &self,
        what: &str,
        jobs: usize,
        missing: &[&(String, &Job<'_>)],
    ) -> Result<Work<'a>, ObserverError> {
        let kept = jobs - missing.len();
        if kept > 0 {
            self.host.tell(&Event::Kept { kept, total: jobs, file: &self.directory.runs() })?;
        }
        let mut doubts = Vec::new();
        for (_, job) in missing {
            for doubt in Doubt::about(&job.settings, job.data.dataset.train.len()) {
                if !doubts.contains(&doubt) {
                    doubts.push(doubt);
                }
            }
        }
        self.host.doubt(doubts)?;
        let gradients: usize = missing.iter().map(|(_, job)| job.gradients()).sum();
        self.host.begin(what, gradients as u64, 0)
    }

    /// Gives all ranks what the first has of runs that were interrupted.
    fn share_unfinished(&self, missing: &[&(String, &Job<'_>)]) -> Result<(), FileError> {
        let paths = missing.iter().flat_map(|(key, _)| self.unfinished_files(key));
        self.shared.hand_out_all(paths.map(|path| (path, 0)))
    }

    /// Gives all ranks the states that `jobs` are to leave, and what is left of the missing ones that were interrupted.
    fn share_states(
        &self,
        jobs: &[(String, &Job<'_>)],
        missing: &[&(String, &Job<'_>)],
    ) -> Result<(), FileError> {
        let maker = |key: &str| {
            let number = missing.iter().position(|(missing, _)| missing == key);
            number.map_or(0, |number| self.shared.maker(number))
        };
        self.shared.hand_out_all(jobs.iter().flat_map(|(key, job)| {
            let states = job.snapshots.iter().map(|&epoch| self.directory.snapshot(key, epoch));
            let files = states.chain(self.unfinished_files(key));
            files.map(move |path| (path, maker(key))).collect::<Vec<_>>()
        }))
    }

    fn unfinished_files(&self, key: &str) -> [PathBuf; 2] {
        let checkpoint = self.directory.unfinished(key);
        [history::beside(&checkpoint), checkpoint]
    }

    /// The state of a finished run after `epoch` epochs, which must be among its snapshots.
    ///
    /// # Errors
    /// [`ExperimentError`], when it cannot be read.
    pub fn state(&self, job: &Job<'_>, epoch: usize) -> Result<State, ExperimentError> {
        Ok(Checkpoint::load(&self.directory.snapshot(&self.key(job), epoch))?.state)
    }

    /// The number of weights of the design's network.
    ///
    /// # Errors
    /// [`ExperimentError::Learner`], when it cannot be built.
    pub fn parameter_count(&self, design: &Design) -> Result<usize, ExperimentError> {
        Ok((self.learner)(&design.base, &design.data.dataset)?.parameter_count())
    }

    /// The state of a run of `settings` on `dataset` at its start.
    ///
    /// # Errors
    /// [`ExperimentError::Learner`], when the network cannot be built.
    pub fn fresh_state(&self, settings: &Settings, dataset: &Dataset) -> Result<State, ExperimentError> {
        Ok((self.learner)(settings, dataset)?.export()?)
    }

    /// Stops an analysis between two of its parts when the user wants it to.
    ///
    /// # Errors
    /// [`ExperimentError::Interrupted`].
    pub fn check_interrupt(&self) -> Result<(), ExperimentError> {
        let done = "all finished runs are kept, the analysis of them is not".to_owned();
        let asked = self.host.interrupt.requested();
        let interrupted = ExperimentError::Interrupted { done, resumable: None };
        self.shared.agreed(if asked { Err(interrupted) } else { Ok(()) })
    }

    fn key(&self, job: &Job<'_>) -> String {
        let key = run_key(&job.settings, &job.data.fingerprint, self.evaluate_every);
        match job.start {
            None => key,
            Some(start) => {
                use sha2::{Digest, Sha256};
                let statistics = match job.statistics {
                    Statistics::Frozen => "",
                    Statistics::Free => " with free statistics",
                };
                crate::hex(&Sha256::digest(format!("{key} from {}{statistics}", start.weights_sha256())))
            }
        }
    }
}

/// One run on one thread.
struct Run<'a> {
    key: &'a str,
    job: &'a Job<'a>,
    directory: &'a ExperimentDirectory,
    claim: &'a Claim,
    work: &'a Work<'a>,
    host: Host<'a>,
}

impl Run<'_> {
    fn save(&self, trainer: &mut Trainer<'_>, path: &Path) -> Result<(), ExperimentError> {
        self.claim.save(trainer, path, None)
    }

    /// Keeps the state after `epoch` epochs, without what they gave.
    fn snapshot(&self, trainer: &mut Trainer<'_>, epoch: usize) -> Result<(), ExperimentError> {
        let path = self.directory.snapshot(self.key, epoch);
        let content = trainer.encode(&path)?;
        self.claim.write(&path, |path| files::replace(path, &content))
    }

    fn make(
        &self,
        evaluate_every: usize,
        mut learner: Box<dyn Learner>,
    ) -> Result<FinishedRun, ExperimentError> {
        let Job { settings, data, snapshots, start, statistics } = self.job;
        if let Some(start) = start {
            learner.import(start)?;
            let normalises = start.tensors.iter().any(|tensor| tensor.name.starts_with(STATISTICS));
            if normalises && *statistics == Statistics::Frozen {
                learner.weight_access()?.freeze_statistics()?;
            }
        }
        let checkpoint = self.directory.unfinished(self.key);
        let mut trainer = Trainer::new(settings, &data.dataset, &data.fingerprint, learner)?;
        if files::present(&checkpoint) {
            trainer.restore(&checkpoint)?;
        } else if snapshots.contains(&0) {
            self.snapshot(&mut trainer, 0)?;
        }
        trainer.watch(self.host.interrupt);
        let gradients = settings.gradients_per_step() as u64;
        self.work.advance(trainer.steps_done() as u64 * gradients)?;
        let mut saved = Instant::now();
        let mut step_ms = Vec::new();
        while !trainer.finished() {
            if self.host.interrupt.requested() {
                self.save(&mut trainer, &checkpoint)?;
                return Err(ExperimentError::Interrupted { done: String::new(), resumable: None });
            }
            match trainer.step() {
                // The beginning of the loop ends the run.
                Err(error) if error.is_interruption() => continue,
                time => step_ms.push(1e3 * time?.step.as_secs_f64()),
            }
            self.work.advance(gradients)?;
            if trainer.at_epoch_end() {
                let epoch = trainer.epoch() + 1;
                trainer.end_epoch(epoch % evaluate_every == 0 || epoch == settings.epochs)?;
                if snapshots.contains(&epoch) {
                    self.snapshot(&mut trainer, epoch)?;
                }
                if saved.elapsed() > SAVED_EVERY {
                    self.save(&mut trainer, &checkpoint)?;
                    saved = Instant::now();
                }
            }
        }
        let history = trainer.history();
        let curve: Vec<_> = history.iter().filter_map(|m| Some((m.epoch, m.test_error?))).collect();
        Ok(FinishedRun {
            key: self.key.to_owned(),
            settings: settings.clone(),
            test_error: curve.last().map_or(f64::NAN, |&(_, error)| error),
            train_loss: history.last().map_or(f64::NAN, |metrics| metrics.train_loss),
            wrong_labels: trainer.wrong_labels() as f64 / data.dataset.train.len() as f64,
            ms_per_step: median(&mut step_ms).unwrap_or(f64::NAN),
            weights_sha256: trainer.state()?.weights_sha256(),
            test_images: data.dataset.test.len(),
            chance_error: data.dataset.chance_error(),
            curve,
        })
    }
}
