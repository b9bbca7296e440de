//! `sam train`.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Call,
    args::{AscentArgs, DataArgs, MachineArgs, TrainingArgs},
    given::Given,
    method::MethodArgs,
    output::{print, prose},
    recipe::RecipeArgs,
    start,
    terminal::note,
};
use crate::{
    data::Dataset,
    experiment::{
        ExperimentError,
        train::{RunDirectory, TrainResult, train},
    },
    export::tensorboard::TensorBoard,
    files::{self, FileError},
    import::weights::start_from,
    json,
    observer::{Host, Observer, Several},
    ranks::{
        Ranks,
        agreement::{agreed, from_first, other},
    },
    training::{
        backend::{Backend, BackendName},
        config::{Config, Machine},
        learner::{Learner, LearnerError},
        memory,
        nonfinite::OnNonFinite,
        overlap::Overlap,
        settings::{AverageSettings, InvalidSetting, Method, Settings},
        shard_state::ShardState,
        start::Start,
        trainer::{TrainingError, check_batch},
    },
};

/// One training run, in a directory that it can be resumed from.
///
/// DIR gets config.toml (the settings), metrics.jsonl (a line for each epoch), checkpoint.safetensors (written after
/// each epoch and upon Ctrl-C), and at the end curves.svg and result.json. --resume goes on where the checkpoint stands
/// and ends with the same weights, bit for bit, as a run that was never stopped.
#[derive(Debug, Clone, Args)]
#[command(allow_negative_numbers = true, after_help = EXAMPLES)]
pub struct TrainArgs {
    // First: it asks which arguments were given, before others take their values.
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
    #[command(flatten)]
    pub method: MethodArgs,
    #[command(flatten)]
    pub ascent: AscentArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    recipe: RecipeArgs,

    /// Start from the weights of FILE, of the same network: a checkpoint, what `sam export` wrote (safetensors or ONNX), or what others published
    /// with PyTorch's `torch.save` or as safetensors. The layer of logits starts afresh if its classes are others.
    #[arg(long, value_name = "FILE", help_heading = "Training")]
    pub weights: Option<PathBuf>,

    /// End the run after N epochs without a lower error on the --validation images. The best epoch is in DIR/best.safetensors.
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub patience: Option<usize>,

    /// Evaluate an exponential moving average of the weights too, with so much of it left after each step; 0.99 to 0.9999
    /// as a rule. Its first 1 / (1 - DECAY) steps count alike.
    #[arg(long, value_name = "DECAY", help_heading = "Averages")]
    pub ema: Option<f64>,

    /// Let the average of --ema begin as TensorFlow's does: it is the weights themselves until STEP, and its decay rises from 0.1 after
    /// it. EfficientNets are trained with 1560.
    #[arg(long, value_name = "STEP", requires = "ema", help_heading = "Averages")]
    pub ema_from: Option<u64>,

    /// Evaluate the equal-weight average of the final weights of all epochs from EPOCH on too (SWA, Izmailov et al. 2018),
    /// with batch normalisation measured anew on the training images. Meant for --schedule constant.
    #[arg(long, value_name = "EPOCH", help_heading = "Averages")]
    pub swa_from: Option<usize>,

    /// Probability with which each training label is replaced by a random one.
    #[arg(long, value_name = "P", default_value_t = 0.0, help_heading = "Data")]
    pub label_noise: f64,

    /// Whether ranks add up the parts of a gradient that are there while the rest is computed: on or off; results do not depend on
    /// it, and one process has no use for it [default: on, or as the resumed run]
    #[arg(long, value_name = "CHOICE", help_heading = "Machine")]
    pub overlap: Option<Overlap>,

    /// Whether each rank keeps a part only of momentum, of the sums of gradients and of SAM's perturbed weights (ZeRO, stages 1 and 2): on or
    /// off; less memory, sums of which half no longer overlap, the same results. sgd, mixup, sam, asam, momentum-sam and
    /// m-sharpness can do so [default: off, or as the resumed run]
    #[arg(long, value_name = "CHOICE", help_heading = "Machine")]
    pub shard_state: Option<ShardState>,

    /// Where the run goes [default: runs/train-DATA-MODEL-OPTIMIZER-NUMBER, the first that is free]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    out: Option<PathBuf>,

    /// Upon a loss or gradient that is not finite: stop, skip (leave out the batch) or rollback (to the last checkpoint,
    /// at half the learning rate) [default: stop, or what the resumed run began with]
    #[arg(long, value_name = "ACTION", help_heading = "Run")]
    on_nonfinite: Option<OnNonFinite>,

    /// Go on with the run in DIR, with its settings: another is refused by its name, but for more --epochs. What may be given anew is
    /// --backend, --device, --precision, --kernels, --overlap, --shard-state, --threads, --picture-cache, --data-dir, --on-nonfinite and how it
    /// is shown.
    #[arg(long, value_name = "DIR", help_heading = "Run", conflicts_with_all = ["out", "config", "weights"])]
    resume: Option<PathBuf>,

    /// Start a new run with the settings of FILE, the config.toml of another; what else is given takes their place.
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    config: Option<PathBuf>,

    /// Show loss and errors as curves while it trains, on a terminal of at least 40 columns and 12 rows; anywhere else as without this.
    #[arg(long, help_heading = "Run")]
    pub live: bool,

    /// Write the epochs as TensorBoard's events into the directory of the run too.
    #[arg(long, help_heading = "Run")]
    tensorboard: bool,
}

/// The variable that names the driver's library to the CUDA backend.
const DRIVER: &str = "SAM_CUDA_DRIVER";

const EXAMPLES: &str = "\
Examples:
  sam train --epochs 20
  sam train --data fashion-mnist --model lenet --batch 128 --optimizer sam --rho 0.1 --out runs/lenet
  sam train --optimizer gsam --rho 0.2 --alpha 0.4
  sam train --model lenet --rho 0.2 --rho-warmup-epochs 5 --base adamw --lr 0.001
  sam train --data cifar-10 --model wrn-16-4 --augment cutout --lr 0.1 --batch 128 --epochs 200
  sam train --batch 32,64,128 --schedule constant --ema 0.99 --swa-from 20
  sam train --live --data fashion-mnist --model lenet
  sam train --resume runs/lenet
  sam train --resume runs/lenet --epochs 80
  sam train --config runs/lenet/config.toml --seed 1 --out runs/lenet-1";

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run(args: &TrainArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let ranks = &**call.ranks;
    let (place, mut config) = match &args.resume {
        Some(path) => resumed(args, path, ranks),
        None => agreed(ranks, started(args, ranks)),
    }?;
    if let Place::Named(directory) = &place {
        let all = |result: &TrainResult| result.epochs() >= config.run.epochs;
        let finished = if ranks.is_first() { directory.finished() } else { Ok(None) };
        let finished = agreed(ranks, finished)?.filter(all);
        if ranks.broadcast(vec![u8::from(finished.is_some())]) == [1] {
            let shown = finished.map_or(Ok(()), |result| {
                note(format_args!("{}: finished before", directory.path().display()));
                show(directory, &result, call.as_json)
            });
            return agreed(ranks, shown);
        }
    }
    let (dataset, mut learner) = agreed(ranks, prepared(&mut config, call))?;
    if ranks.is_first() && config.machine.shard_state == ShardState::On && !ShardState::serves(&config.run) {
        note(format_args!(
            "note: --shard-state on: {} needs all of its state on every rank, and keeps it so",
            config.run.procedure()
        ));
    }
    begin_with_start(&config, &place, &dataset, &mut *learner, ranks)?;
    // Not before everything else is there: a directory is left behind by runs only.
    let directory = match place {
        Place::Named(directory) => directory,
        Place::Numbered(stem) => RunDirectory::new(numbered(&stem, ranks)?),
    };
    let parameters = learner.parameter_count();
    let banner =
        start::Banner::new(&config, &dataset, parameters, directory.path(), ranks.size(), call.terminal);
    let events = args.tensorboard.then(|| TensorBoard::new(directory.path()));
    let mut observers: Vec<&dyn Observer> = vec![call.host.observer];
    if ranks.is_first() {
        observers.insert(0, &banner);
        observers.extend(events.iter().map(|events| -> &dyn Observer { events }));
    }
    let observers = Several(&observers);
    let host = Host { observer: &observers, ..call.host };
    let result = train(&directory, &config, &dataset, learner, host)?;
    let shown = if ranks.is_first() { show(&directory, &result, call.as_json) } else { Ok(()) };
    agreed(ranks, shown)
}

/// The outcome of a run, on stdout.
fn show(directory: &RunDirectory, result: &TrainResult, as_json: bool) -> Result<(), ExperimentError> {
    if as_json {
        print(json::line(result))?;
    } else {
        prose(result.sentence())?;
        print(format_args!("{}", directory.curves().display()))?;
        start::what_next(directory.path());
    }
    Ok(())
}

/// Gives `learner` the weights of the file that a new run starts from, if there is one. All ranks come here together: each reads it.
fn begin_with_start(
    config: &Config,
    place: &Place,
    dataset: &Dataset,
    learner: &mut dyn Learner,
    ranks: &dyn Ranks,
) -> Result<(), ExperimentError> {
    let settings = &config.run;
    if let Some(rank) = other(ranks, json::line(&settings.start).as_bytes()) {
        return Err(TrainingError::Apart { rank, what: "the settings" }.into());
    }
    // Others than the first may not see its files.
    let begun = matches!(place, Place::Named(directory) if files::present(&directory.checkpoint()));
    let begun = ranks.broadcast(vec![u8::from(begun)]) == [1];
    let Some(start) = settings.start.as_ref().filter(|_| !begun) else { return Ok(()) };
    // What ranks have parts of comes together here, so that none of them may be missing.
    let exported = learner.export().map_err(ExperimentError::from);
    let taken = exported.and_then(|mut state| {
        let description = settings.describe(dataset.shape, dataset.classes).map_err(LearnerError::backend)?;
        let left = start_from(start, &description, &mut state)?;
        learner.import(&state)?;
        Ok(left)
    });
    let left = agreed(ranks, taken)?;
    if !left.is_empty() && ranks.is_first() {
        note(format_args!(
            "note: {}: not taken, and started afresh: {}",
            start.file.display(),
            left.join(", ")
        ));
    }
    Ok(())
}

/// The data of a run and a network on it, once it is known that both are to be had. Ranks send no message in this.
fn prepared(config: &mut Config, call: Call<'_>) -> Result<(Dataset, Box<dyn Learner>), ExperimentError> {
    let settings = &config.run;
    config.machine.backend.check(settings)?;
    let found = settings.data.load(config.machine.data_dir.as_deref())?;
    if call.ranks.is_first() {
        super::tell(&found);
    }
    let dataset = super::cached(found.dataset, &config.machine, call.ranks.is_first())?;
    check_batch(settings, &dataset)?;
    let (shape, classes) = (dataset.shape, dataset.classes);
    memory::check(settings, memory::of_run(config, &dataset, call.ranks.size()))?;
    let Machine { backend, device, threads, .. } = config.machine;
    let backend = Backend::open_on(backend, device, threads, &**call.ranks)?;
    let backend = backend.with_precision(config.machine.precision)?;
    let backend = backend.with_kernels(config.machine.kernels)?;
    let ranks = config.machine.shard_state.of(&config.machine.overlap.of(call.ranks));
    let learner = backend.learner_on(settings, shape, classes, &ranks)?;
    config.machine.data_dir = config.machine.data_dir.as_deref().map(kept).transpose()?;
    Ok((dataset, learner))
}

/// The first directory of this stem with a number that is free, made by the first rank.
fn numbered(stem: &str, ranks: &dyn Ranks) -> Result<PathBuf, ExperimentError> {
    let path = from_first::<ExperimentError>(ranks, || {
        let directory = RunDirectory::create_free(stem)?;
        Ok(directory.path().as_os_str().as_encoded_bytes().to_vec())
    })?;
    Ok(String::from_utf8_lossy(&path).into_owned().into())
}

/// A directory of data as `config.toml` keeps it: the run may be resumed from elsewhere.
fn kept(directory: &Path) -> Result<PathBuf, ExperimentError> {
    if directory.to_str().is_none() {
        let expected = "a path in UTF-8, which config.toml can hold";
        return Err(InvalidSetting::new("data-dir", expected, directory.display()).into());
    }
    Ok(std::path::absolute(directory).map_err(FileError::of(directory, "found"))?)
}

/// Where a run goes.
enum Place {
    /// To this directory.
    Named(RunDirectory),
    /// To the first directory of this stem with a number that is free.
    Numbered(String),
}

impl TrainArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.settings().map(drop)
    }

    fn settings(&self) -> Result<Settings, InvalidSetting> {
        self.data.check()?;
        let method = self.method.choice()?;
        let method = if self.method.gives("rho") { method } else { method.of_model(&self.training.model) };
        let mut settings = self.training.settings(&self.data, method, self.label_noise)?;
        settings.ascent = self.ascent.settings();
        settings.patience = self.patience;
        settings.average =
            AverageSettings { ema: self.ema, ema_from: self.ema_from, swa_from: self.swa_from };
        settings.check()?;
        Ok(settings)
    }
}

/// The groups of a run on several ranks that says nothing of them: those that m-sharpness has, else one for each rank.
fn usual_groups(settings: &Settings, ranks: usize) -> usize {
    match settings.method {
        Method::MSharpness { m, .. } => settings.batch.largest().div_ceil(m),
        _ => ranks,
    }
}

/// The place and settings of a new run; nothing is written yet.
fn started(args: &TrainArgs, ranks: &dyn Ranks) -> Result<(Place, Config), ExperimentError> {
    let mut machine = args.machine.machine(&args.data);
    machine.overlap = args.overlap.unwrap_or_default();
    machine.shard_state = args.shard_state.unwrap_or_default();
    let mut action = args.on_nonfinite.unwrap_or_default();
    let mut settings = match &args.config {
        None => {
            let start = args.weights.as_deref().map(Start::of).transpose()?;
            Settings { start, ..args.settings()? }
        }
        Some(path) => {
            args.data.check()?;
            let file = Config::load(path)?;
            action = args.on_nonfinite.unwrap_or(file.on_nonfinite);
            if !args.given.has("data") {
                machine.data_dir = machine.data_dir.or(file.machine.data_dir);
            }
            let mut settings = args.given.onto(args, file.run)?;
            if let Some(path) = &args.weights {
                settings.start = Some(Start::of(path)?);
            }
            settings.check()?;
            settings
        }
    };
    if !ranks.is_alone() && settings.groups.is_none() {
        settings.groups = Some(usual_groups(&settings, ranks.size()));
        settings.check()?;
    }
    if args.machine.threads.is_none() {
        machine.threads = (machine.threads / ranks.on_this_machine()).max(1);
    }
    let place = match &args.out {
        Some(path) => {
            let directory = RunDirectory::new(path);
            directory.check_free()?;
            Place::Named(directory)
        }
        None => {
            let Settings { data, model, method, .. } = &settings;
            Place::Numbered(format!("runs/train-{}-{model}-{}", data.title(), method.name()))
        }
    };
    Ok((
        place,
        Config {
            on_nonfinite: action,
            recipe: args.recipe.followed().map(|followed| followed.to_string()),
            machine,
            run: settings,
        },
    ))
}

/// The directory and settings of a run that was begun before, on the machine that the arguments describe.
fn resumed(args: &TrainArgs, path: &Path, ranks: &dyn Ranks) -> Result<(Place, Config), ExperimentError> {
    let directory = RunDirectory::new(path);
    // Others than the first may not see its files.
    let text = from_first::<ExperimentError>(ranks, || {
        let path = directory.config();
        if !files::present(&path) {
            return Err(ExperimentError::NoRun { path: directory.path().to_owned() });
        }
        Ok(files::read_text(&path).map_err(FileError::of(&path, "read"))?.into_bytes())
    })?;
    let config = Config::decode(&directory.config(), &String::from_utf8_lossy(&text))?;
    agreed(ranks, on_this_machine(args, config)).map(|config| (Place::Named(directory), config))
}

/// The configuration of a run that goes on where the arguments say.
fn on_this_machine(args: &TrainArgs, mut config: Config) -> Result<Config, ExperimentError> {
    config.run = args.given.resumed(args, &config.run)?;
    config.run.check()?;
    let MachineArgs { backend, device, precision, kernels, threads } = &args.machine;
    if let Some(threads) = threads {
        config.machine.threads = threads.get();
    }
    match *backend {
        Some(backend) => config.machine.backend = backend,
        // A file that somebody else may have written must not have a library loaded and run.
        None if config.machine.backend == BackendName::Cuda && env::var_os(DRIVER).is_some() => {
            let expected =
                format!("cuda to be asked for here too, since {DRIVER} names a library that would be run");
            return Err(InvalidSetting::new("backend", expected, "nothing").into());
        }
        None => {}
    }
    config.machine.device = device.unwrap_or(config.machine.device);
    config.machine.precision = precision.unwrap_or(config.machine.precision);
    config.machine.kernels = kernels.unwrap_or(config.machine.kernels);
    config.machine.overlap = args.overlap.unwrap_or(config.machine.overlap);
    config.machine.picture_cache = args.data.picture_cache.or(config.machine.picture_cache);
    config.machine.shard_state = args.shard_state.unwrap_or(config.machine.shard_state);
    config.on_nonfinite = args.on_nonfinite.unwrap_or(config.on_nonfinite);
    if args.data.data_dir.is_some() {
        config.machine.data_dir.clone_from(&args.data.data_dir);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::given::settled;

    #[test]
    fn a_resumed_run_takes_the_arguments_that_its_help_names_and_no_others() {
        let command = TrainArgs::augment_args(clap::Command::new("train"));
        let arguments: Vec<&str> =
            command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
        let free: Vec<&str> = arguments
            .iter()
            .copied()
            .filter(|argument| settled().all(|settled| settled != *argument))
            .collect();
        let named = [
            "data_dir",
            "picture_cache",
            "backend",
            "device",
            "precision",
            "kernels",
            "threads",
            "weights",
            "overlap",
            "shard_state",
            "out",
            "on_nonfinite",
        ];
        let rest = ["resume", "config", "live", "tensorboard"];
        assert_eq!(free, [&named[..7], &["recipe", "scale"], &named[7..], &rest].concat());
        assert!(settled().all(|settled| arguments.contains(&settled)));
        command.debug_assert();
    }
}
