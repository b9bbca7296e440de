//! One training run in a directory: started, resumed after whatever stopped it, or found finished.

use std::{
    fs, io, mem,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    data::Dataset,
    doubt::Doubt,
    files::{self, FileError},
    json,
    observer::{Event, Host, ObserverError},
    ranks::agreement::agreed,
    report::{
        counted,
        html::Section,
        markdown::{Table, significant},
    },
    training::{
        choice::Choice as _,
        config::Config,
        evaluated::Evaluated,
        history,
        learner::{Learner, Word},
        memory,
        nonfinite::OnNonFinite,
        settings::BatchSizes,
        trainer::{Trainer, TrainingError},
    },
};

use super::{ExperimentError, keeper::Keeper};

/// The files of a run.
#[derive(Debug, Clone)]
pub struct RunDirectory(PathBuf);

/// The outcome of a run, the last line that `sam train` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainResult {
    kind: String,
    /// The recipe that the run followed, and how far it was shrunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipe: Option<String>,
    data: String,
    model: String,
    optimizer: String,
    #[serde(flatten)]
    hyper_parameters: toml::Table,
    params: usize,
    train_images: usize,
    label_noise: f64,
    wrong_labels: usize,
    epochs: usize,
    /// Which images the errors and losses are of, but for those of training.
    #[serde(default, skip_serializing_if = "Evaluated::is_test")]
    evaluated_on: Evaluated,
    batch: BatchSizes,
    lr: f64,
    seed: u64,
    train_loss: f64,
    test_loss: Option<f64>,
    test_error: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ema_test_error: Option<f64>,
    /// The epoch with the lowest error on the validation images, where there are such, and that error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    best_epoch: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    best_error: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    swa_test_error: Option<f64>,
    images_per_s: Option<f64>,
    /// The most memory that the process which ended the run has held at a time, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<u64>,
    /// What the run was expected to take at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimated_memory_bytes: Option<u64>,
    weights_sha256: String,
}

impl RunDirectory {
    /// The run in the directory `path`, whatever is there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The first directory `stem-1`, `stem-2`, ... that was not there: it is created, so that no other process gets it too.
    ///
    /// # Errors
    /// [`FileError`], when it cannot be created.
    pub fn create_free(stem: &str) -> Result<Self, FileError> {
        let mut number = 1_u64;
        loop {
            let directory = Self::new(format!("{stem}-{number}"));
            if files::create_new_directory(directory.path())? {
                return Ok(directory);
            }
            number += 1;
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The settings the run began with.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Where the run stands.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint.safetensors")
    }

    /// The checkpoint of the epoch with the lowest error on the validation images, where there are such.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// A line for each epoch.
    pub fn metrics(&self) -> PathBuf {
        history::beside(&self.checkpoint())
    }

    /// A line for each loss or gradient that was not finite; absent where none was.
    pub fn divergence(&self) -> PathBuf {
        self.0.join("divergence.jsonl")
    }

    /// Loss and error over the epochs as a picture.
    pub fn curves(&self) -> PathBuf {
        self.0.join("curves.svg")
    }

    /// The outcome, once the run is finished.
    pub fn result(&self) -> PathBuf {
        self.0.join("result.json")
    }

    /// Makes sure that a new run overwrites none.
    ///
    /// # Errors
    /// [`ExperimentError::Occupied`], when the directory holds a run.
    pub fn check_free(&self) -> Result<(), ExperimentError> {
        if files::present(&self.config()) {
            Err(ExperimentError::Occupied { path: self.0.clone() })
        } else {
            Ok(())
        }
    }

    /// The outcome of a finished run; `None` if it is not finished.
    ///
    /// # Errors
    /// [`ExperimentError`], when the result is there and cannot be read.
    pub fn finished(&self) -> Result<Option<TrainResult>, ExperimentError> {
        let path = self.result();
        if !files::present(&path) {
            return Ok(None);
        }
        let text = files::read_text(&path).map_err(FileError::of(&path, "read"))?;
        let result = serde_json::from_str(&text);
        result.map(Some).map_err(|error| ExperimentError::StoredResult { path, found: error.to_string() })
    }
}

impl TrainResult {
    /// Epochs of the run.
    pub const fn epochs(&self) -> usize {
        self.epochs
    }

    /// The outcome for people.
    pub fn sentence(&self) -> String {
        let error = self.test_error.map_or("unknown".to_owned(), |error| format!("{error:.2} %"));
        let Self { model, data, optimizer, epochs, evaluated_on, weights_sha256, .. } = self;
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        let memory = match (self.peak_memory_bytes, self.estimated_memory_bytes) {
            (Some(peak), Some(estimate)) => format!(
                ", peak memory {} MiB (at least {} MiB expected)",
                mebibytes(peak),
                mebibytes(estimate)
            ),
            _ => String::new(),
        };
        let method = optimizer.to_uppercase();
        let epochs = counted(*epochs, "epoch");
        let best = match (self.best_epoch, self.best_error) {
            (Some(epoch), Some(error)) => {
                format!(" (lowest {error:.2} % after epoch {epoch}, in best.safetensors)")
            }
            _ => String::new(),
        };
        let recipe = self.recipe.as_ref().map_or(String::new(), |recipe| format!(". {recipe}"));
        format!(
            "{model} on {data}, {method}, {epochs}: {evaluated_on} error {error}{best}{memory}, weights sha256 {weights_sha256}{recipe}"
        )
    }

    /// What a page says of it; it lies at `place` and has this picture of its curves.
    pub fn section(&self, place: String, curves: Option<String>) -> Section {
        let Self { model, data, optimizer, epochs, seed, weights_sha256, .. } = self;
        let percent = |error: Option<f64>| error.map_or_else(String::new, |error| format!("{error:.2}"));
        let columns = [
            "parameters",
            "training images",
            "epochs",
            "images a step",
            "learning rate",
            "training loss",
            &self.evaluated_on.error_percent(),
            "images/s",
        ];
        let mut table = Table::new("After the last epoch", &columns);
        table.row(vec![
            self.params.to_string(),
            self.train_images.to_string(),
            epochs.to_string(),
            self.batch.to_string(),
            self.lr.to_string(),
            significant(self.train_loss),
            percent(self.test_error),
            self.images_per_s.map_or(String::new(), |rate| format!("{rate:.0}")),
        ]);
        let hyper_parameters = self.hyper_parameters.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name} {text}"),
            None => format!("{name} {value}"),
        });
        let facts = vec![
            ("method", [vec![optimizer.clone()], hyper_parameters.collect()].concat().join(", ")),
            ("label noise", format!("{}, {} labels wrong", self.label_noise, self.wrong_labels)),
            ("seed", seed.to_string()),
            ("weights", format!("sha256 {weights_sha256}")),
            ("place", place),
        ];
        Section {
            heading: format!("sam train: {model} on {data}, {}", optimizer.to_uppercase()),
            tables: vec![table],
            sentences: self.recipe.clone().into_iter().collect(),
            pictures: curves
                .map(|svg| ("Loss and error over the epochs".to_owned(), svg))
                .into_iter()
                .collect(),
            facts,
        }
    }
}

/// Trains from where the run in `directory` stands to its end, and writes its result.
///
/// A new run's directory is made and `config` written to it. A run begun before stands at its checkpoint, or at its
/// start if there is none. A checkpoint is written after each epoch and,
/// in mid-epoch, when `interrupt` is requested. No other process can work in the directory meanwhile.
///
/// On several ranks ([`Learner::ranks`]) all of them come here together, with equal settings and data; the first alone
/// touches the directory, and all have the same outcome in the same step: a failure of one ends all, a request to stop
/// stops all.
///
/// # Errors
/// [`ExperimentError::Interrupted`] after an interrupt; [`ExperimentError`] when training or writing fails. In either
/// case the run can be resumed.
pub fn train(
    directory: &RunDirectory,
    config: &Config,
    dataset: &Dataset,
    learner: Box<dyn Learner>,
    host: Host<'_>,
) -> Result<TrainResult, ExperimentError> {
    let settings = &config.run;
    let evaluated_on = settings.data.evaluated_on();
    let ranks = learner.ranks();
    let fingerprint = agreed(&*ranks, dataset.fingerprint().map_err(ExperimentError::from))?;
    let mut trainer = Trainer::new(settings, dataset, &fingerprint, learner)?;
    let keeper = Keeper::new(directory.path(), host, ranks)?;
    keeper.first(|claim| {
        // What was there before the claim may be another's by now.
        if !files::present(&directory.config()) {
            config.save(&directory.config())?;
            return Ok(());
        }
        let began = Config::load(&directory.config())?.run;
        if began.epochs < settings.epochs && settings.continues(&began) {
            // The checkpoint is taken for one of the longer run too, wherever this is interrupted.
            let text = config.encode(&directory.config())?;
            claim.write(&directory.config(), |path| files::replace(path, text.as_bytes()))?;
            if files::present(&directory.result()) {
                fs::remove_file(directory.result()).map_err(FileError::of(&directory.result(), "removed"))?;
            }
        } else if began != *settings {
            return Err(ExperimentError::Occupied { path: directory.path().to_owned() });
        }
        Ok(())
    })?;
    let mixed = trainer.mixed_arithmetic().map(|(first, another)| Doubt::MixedArithmetic { first, another });
    keeper.agreed(host.doubt(mixed))?;
    match keeper.read(&directory.checkpoint())? {
        Some(content) => {
            keeper.agreed(trainer.restore_from(&directory.checkpoint(), &content))?;
            keeper.agreed(tell_of_past(&trainer, directory, host))?;
        }
        None => {
            keeper.agreed(host.doubt(Doubt::about(settings, dataset.train.len())))?;
            if config.on_nonfinite == OnNonFinite::Rollback {
                keeper.save(&mut trainer, &directory.checkpoint(), None)?;
            }
        }
    }
    // The checkpoint knows all epochs; what was written about an epoch beyond it will be written again.
    keeper.write(&directory.checkpoint(), |path| trainer.save_history(path))?;
    if trainer.ranks().is_alone() {
        // Of several, each hears with a step that another wants it to be the last.
        trainer.watch(host.interrupt);
    }
    let total = trainer.total_steps();
    let work = keeper.agreed(host.begin("training", total as u64, trainer.steps_done() as u64))?;
    // Of what this rank alone knows: the others hear of it with the next step.
    let mut own = Ok(());
    while !trainer.finished() {
        if trainer.stops(host.interrupt.requested()) {
            keeper.save(&mut trainer, &directory.checkpoint(), None)?;
            return Err(ExperimentError::Interrupted {
                done: format!("{} of {total} steps are in the checkpoint", trainer.steps_done()),
                resumable: Some(directory.path().to_owned()),
            });
        }
        let stepped = match step(&mut trainer, mem::replace(&mut own, Ok(())), host.interrupt.requested()) {
            // The beginning of the loop ends the run.
            Err(ExperimentError::Training(error)) if error.is_interruption() => continue,
            other => other,
        };
        recover(stepped, &mut trainer, directory, &keeper, config.on_nonfinite, host)?;
        if trainer.at_epoch_end() {
            let metrics = trainer.end_epoch(true)?;
            keeper.write(&directory.checkpoint(), |path| trainer.save_history(path))?;
            keeper.agreed(host.tell(&Event::Epoch {
                metrics: &metrics,
                epochs: settings.epochs,
                evaluated_on,
            }))?;
            // On the test set nothing is chosen.
            let chosen = !evaluated_on.is_test();
            let is_best = chosen && trainer.best().is_some_and(|best| best.epoch == trainer.epoch());
            let best = is_best.then(|| directory.best());
            let saved = keeper.save(&mut trainer, &directory.checkpoint(), best.as_deref());
            recover(saved, &mut trainer, directory, &keeper, config.on_nonfinite, host)?;
        }
        own = work.set(trainer.steps_done() as u64);
    }
    keeper.agreed(own)?;
    drop(work);
    let trained = Event::Trained { directory: directory.path(), settings, history: trainer.history() };
    keeper.agreed(host.tell(&trained))?;
    let result = keeper.agreed(result(&mut trainer, config, dataset))?;
    let error = result.test_error.unwrap_or(f64::NAN);
    keeper.agreed(host.doubt(Doubt::about_outcome(&settings.procedure(), error, evaluated_on, dataset)))?;
    let line = format!("{}\n", json::line(&result));
    keeper.write(&directory.result(), |path| files::replace(path, line.as_bytes()))?;
    Ok(result)
}

/// Says what is to be known of the steps that were made before.
fn tell_of_past(
    trainer: &Trainer<'_>,
    directory: &RunDirectory,
    host: Host<'_>,
) -> Result<(), ObserverError> {
    if let Some((before, now)) = trainer.other_arithmetic() {
        host.doubt([Doubt::OtherArithmetic { before: before.to_owned(), now }])?;
    }
    let lost = trainer.epoch().saturating_sub(trainer.history().len());
    if lost > 0 {
        host.tell(&Event::FiguresLost { file: &directory.metrics(), epochs: lost })?;
    }
    Ok(())
}

/// Makes a step; where this rank has failed before it, or was asked to stop, the others hear of it with the step.
fn step(
    trainer: &mut Trainer<'_>,
    own: Result<(), ObserverError>,
    asked_to_stop: bool,
) -> Result<(), ExperimentError> {
    if trainer.ranks().is_alone() {
        own?;
        return Ok(trainer.step().map(drop)?);
    }
    trainer.tell(match (&own, asked_to_stop) {
        (Err(_), _) => Word::Failed,
        (Ok(()), true) => Word::Stop,
        (Ok(()), false) => Word::Nothing,
    });
    let stepped = trainer.step();
    own?;
    stepped?;
    Ok(())
}

/// Does what was chosen for `outcome`, if that is a loss, gradient or state that is not finite.
fn recover(
    outcome: Result<(), ExperimentError>,
    trainer: &mut Trainer<'_>,
    directory: &RunDirectory,
    keeper: &Keeper,
    action: OnNonFinite,
    host: Host<'_>,
) -> Result<(), ExperimentError> {
    let found = match outcome {
        Err(ExperimentError::Training(TrainingError::NonFinite(found))) => found,
        other => return other,
    };
    keeper.write(&directory.divergence(), |path| found.log(path, action))?;
    match action {
        OnNonFinite::Skip if found.pass.is_some() => {
            keeper.agreed(host.tell(&Event::NonFinite { found: &found, action }))?;
            trainer.skip(found)?;
        }
        OnNonFinite::Stop | OnNonFinite::Skip => return Err(TrainingError::NonFinite(found).into()),
        OnNonFinite::Rollback => {
            keeper.agreed(host.tell(&Event::NonFinite { found: &found, action }))?;
            let path = directory.checkpoint();
            let content = keeper.read(&path)?;
            let content =
                content.ok_or_else(|| FileError::of(&path, "read")(io::ErrorKind::NotFound.into()))?;
            keeper.agreed(trainer.restore_from(&path, &content))?;
            trainer.halve_rate(found)?;
            keeper.save(trainer, &path, None)?;
        }
    }
    Ok(())
}

fn result(
    trainer: &mut Trainer<'_>,
    config: &Config,
    dataset: &Dataset,
) -> Result<TrainResult, ExperimentError> {
    let settings = &config.run;
    let estimate = memory::of_run(config, dataset, trainer.ranks().size());
    let weights_sha256 = trainer.weights_sha256()?;
    let best = trainer.best().filter(|_| !settings.data.evaluated_on().is_test());
    let (best_epoch, best_error) = (best.map(|best| best.epoch), best.and_then(|best| best.test_error));
    let epochs = trainer.history();
    let rates: Vec<f64> = epochs.iter().filter_map(|epoch| epoch.images_per_s).collect();
    let images_per_s = (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64);
    let last = epochs.last();
    Ok(TrainResult {
        kind: "train".to_owned(),
        recipe: config.recipe.clone(),
        data: dataset.name.clone(),
        model: settings.model.to_string(),
        optimizer: settings.method.name().to_owned(),
        hyper_parameters: settings.method.hyper_parameters(),
        params: trainer.learner().parameter_count(),
        train_images: dataset.train.len(),
        label_noise: settings.data.label_noise,
        wrong_labels: trainer.wrong_labels(),
        epochs: settings.epochs,
        evaluated_on: settings.data.evaluated_on(),
        batch: settings.batch.clone(),
        lr: settings.sgd.lr,
        seed: settings.seed,
        train_loss: last.map_or(f64::NAN, |epoch| epoch.train_loss),
        test_loss: last.and_then(|epoch| epoch.test_loss),
        test_error: last.and_then(|epoch| epoch.test_error),
        best_epoch,
        best_error,
        ema_test_error: last.and_then(|epoch| epoch.ema_test_error),
        swa_test_error: last.and_then(|epoch| epoch.swa_test_error),
        images_per_s,
        peak_memory_bytes: memory::peak(),
        estimated_memory_bytes: u64::try_from(estimate).ok(),
        weights_sha256,
    })
}
