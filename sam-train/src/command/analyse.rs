//! `sam spectrum`, `landscape`, `predict-gap`, `bound` and `finetune`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{
    Call,
    experiment::{self, ExperimentArgs, in_range, positive, radii},
};
use crate::{
    experiment::{
        ExperimentError,
        bound::BoundExperiment,
        finetune::{Finetune, Start},
        landscape::Landscape,
        predict_gap::PredictGap,
        spectrum::Spectrum,
        train::RunDirectory,
    },
    import::weights::Weights,
    training::{
        checkpoint::Checkpoint,
        config::Config,
        settings::{InvalidSetting, Settings},
        start,
        state::State,
    },
};

/// The Hessian's spectrum along training (figure 3, left): stochastic Lanczos quadrature, SGD against SAM.
///
/// Products with the Hessian are derivatives of the gradient in double precision, exact up to rounding. Density curves are
/// the quadratures of all seeds, each eigenvalue widened to a normal distribution of 1 % of the range shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(
    mut_arg("seeds", |arg| arg.default_value("3")),
    allow_negative_numbers = true, after_help = SPECTRUM
)]
pub struct SpectrumArgs {
    /// Epochs looked at, evenly spaced.
    #[arg(long, value_name = "N", default_value_t = 4)]
    looks: usize,
    /// Steps of Lanczos' method.
    #[arg(long, value_name = "N", default_value_t = 40)]
    steps: usize,
    /// Random start vectors for each network.
    #[arg(long, value_name = "N", default_value_t = 1)]
    probes: usize,
    /// Training images that the Hessian is of, at most.
    #[arg(long, value_name = "N", default_value_t = 600)]
    images: usize,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const SPECTRUM: &str = "\
Examples:
  sam spectrum
  sam spectrum --steps 80 --probes 3 --images 1200
  sam spectrum --data fashion-mnist --limit 10000 --model lenet --rho 0.1 --epochs 20";

/// The loss around the solutions (figure 1): level lines and surfaces over a plane, SGD against SAM.
///
/// The plane's directions are random, and as long as the weights filter by filter (Li et al. 2018).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(
    mut_arg("seeds", |arg| arg.default_value("1").hide(true)),
    allow_negative_numbers = true, after_help = LANDSCAPE
)]
pub struct LandscapeArgs {
    /// Points along each direction, an odd number.
    #[arg(long, value_name = "N", default_value_t = 31)]
    points: usize,
    /// How far out: 1 is as far as the weights are long.
    #[arg(long, value_name = "R", default_value_t = 1.0)]
    reach: f64,
    /// Training images, at most.
    #[arg(long, value_name = "N", default_value_t = 1200)]
    images: usize,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const LANDSCAPE: &str = "\
Examples:
  sam landscape
  sam landscape --reach 0.5 --points 51";

/// How well m-sharpness predicts the gap between test and training error (figure 3, right).
///
/// Trains networks by SGD with all combinations of learning rate, batch and weight decay. Kendall's tau compares the
/// orders; mutual information is that of Jiang et al. (2020): conditioned on every set of at most two
/// hyper-parameters, the least counts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(
    mut_arg("seeds", |arg| arg.default_value("2")), mut_arg("m", |arg| arg.long("one-m").hide(true)),
    allow_negative_numbers = true, after_help = PREDICT_GAP
)]
pub struct PredictGapArgs {
    /// Sizes of groups, with commas between.
    #[arg(long = "m", value_name = "M,..", value_delimiter = ',', default_value = "1,4,16,64,256")]
    ms: Vec<usize>,
    /// Training images that sharpness is measured on, at most.
    #[arg(long, value_name = "N", default_value_t = 256)]
    images: usize,
    /// Learning rates, as multiples of --lr.
    #[arg(long, value_name = "X,..", value_delimiter = ',', default_value = "0.2,1,2")]
    rates: Vec<f64>,
    /// Batches.
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "16,64,256")]
    batches: Vec<usize>,
    /// Weight decays.
    #[arg(long, value_name = "X,..", value_delimiter = ',', default_value = "0,0.0005,0.005")]
    decays: Vec<f64>,
    /// Probability with which each training label is replaced by a random one.
    #[arg(long, value_name = "P", default_value_t = 0.0, help_heading = "Data")]
    label_noise: f64,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const PREDICT_GAP: &str = "\
Examples:
  sam predict-gap
  sam predict-gap --m 1,8,64 --seeds 5 --label-noise 0.2";

/// The PAC-Bayes bound of theorem 2, term by term: of networks trained with SGD and with SAM, or of one given.
///
/// The loss is the share of images misclassified, which lies in [0, 1] as the theorem wants. Its maximum in the ball is
/// what projected ascent of the cross-entropy finds: the true maximum may be larger. Equation 13, the tighter bound on the error under
/// Gaussian noise, is beside it, and whether the theorem's condition holds on the test images.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(
    mut_arg("seeds", |arg| arg.default_value("1").hide(true)),
    allow_negative_numbers = true, after_help = BOUND
)]
pub struct BoundArgs {
    /// Directory of a run of `sam train` whose network is judged; its settings take the place of the ones given here.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Probability that the bound does not hold.
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    delta: f64,
    /// Radii that it is evaluated at, with commas between.
    #[arg(long, value_name = "RHO,..", value_delimiter = ',', default_value = "0.05,0.5,5")]
    rhos: Vec<f64>,
    /// Ascent steps.
    #[arg(long, value_name = "N", default_value_t = 20)]
    steps: usize,
    /// Draws of Gaussian noise on the weights, for equation 13 and the theorem's condition.
    #[arg(long, value_name = "N", default_value_t = 10)]
    draws: usize,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const BOUND: &str = "\
Examples:
  sam bound
  sam bound --run runs/train-digits-mlp-128-64-sam-1 --rhos 0.1,1,10";

/// Fine-tuning (section 3.2): a new head on a trained network and a second task, SAM against SGD. The head starts at zero.
///
/// Without --init a network is trained on the first half of the data set's classes, and fine-tuned on the second half.
/// Statistics of batch normalisation are frozen in fine-tuning, as in the paper; --free-statistics tries both.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(
    // Where weights start from has the name here that it has in the paper's sense everywhere else: how they do.
    mut_arg("init", |arg| arg.long("scratch-init")),
    mut_arg("batch", |arg| arg.default_value("16")), mut_arg("weight_decay", |arg| arg.default_value("0.00001")), allow_negative_numbers = true, after_help = FINETUNE
)]
pub struct FinetuneArgs {
    /// Directory of a run of `sam train`, or a file of weights, to start from: a checkpoint, an export (safetensors or ONNX), or what others
    /// published with PyTorch's `torch.save` or as safetensors; --data is the second task.
    #[arg(id = "start", long = "init", value_name = "PATH")]
    start: Option<PathBuf>,
    /// Training images of the second task, at most, where there is no --init.
    #[arg(long, value_name = "N", default_value_t = 100)]
    images: usize,
    /// Epochs of fine-tuning.
    #[arg(long, value_name = "N", default_value_t = 40)]
    tune_epochs: usize,
    /// Epochs of SGD's second chance in fine-tuning [default: twice --tune-epochs, unless --sgd-epochs is 0]
    #[arg(long, value_name = "N")]
    tune_sgd_epochs: Option<usize>,
    /// Highest learning rate of fine-tuning.
    #[arg(long, value_name = "RATE", default_value_t = 0.016)]
    tune_lr: f64,
    /// Fine-tune with statistics of batch normalisation that follow the batches too (footnote 8).
    #[arg(long)]
    free_statistics: bool,
    /// Radii, with commas between, of which a tenth of the second task's training images chooses one; SAM at that one is fine-tuned beside SAM
    /// at --rho (table 11) [default: none]
    #[arg(long, value_name = "RHO,..", value_delimiter = ',')]
    rhos: Vec<f64>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const FINETUNE: &str = "\
Examples:
  sam finetune
  sam finetune --init runs/lenet --data mnist --model lenet --limit 500 --batch 32";

impl SpectrumArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.experiment.check(0.0)?;
        let &Self { looks, steps, probes, images, .. } = self;
        let counts = [("looks", looks), ("steps", steps), ("probes", probes), ("images", images)];
        counts.into_iter().try_for_each(|(name, value)| positive(name, value))
    }
}

impl LandscapeArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.experiment.check(0.0)?;
        let &Self { points, reach, images, .. } = self;
        in_range("points", points >= 3 && points % 2 == 1, "an odd number from 3 up", points)?;
        radii("reach", &[reach])?;
        positive("images", images)
    }
}

impl PredictGapArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.experiment.check(self.label_noise)?;
        self.ms.iter().try_for_each(|&m| positive("m", m))?;
        self.batches.iter().try_for_each(|&batch| positive("batches", batch))?;
        positive("images", self.images)?;
        radii("rates", &self.rates)?;
        self.decays.iter().try_for_each(|decay| {
            in_range("decays", *decay >= 0.0 && decay.is_finite(), "numbers from 0 up", decay)
        })
    }
}

impl BoundArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.experiment.check(0.0)?;
        radii("rhos", &self.rhos)?;
        positive("steps", self.steps)?;
        positive("draws", self.draws)?;
        let valid = self.delta > 0.0 && self.delta < 1.0;
        in_range("delta", valid, "a probability, above 0 and below 1", self.delta)
    }
}

impl FinetuneArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.experiment.check(0.0)?;
        positive("images", self.images)?;
        positive("tune-epochs", self.tune_epochs)?;
        let valid = self.tune_lr >= 0.0 && self.tune_lr.is_finite();
        in_range("tune-lr", valid, "a number from 0 up", self.tune_lr)?;
        if self.rhos.is_empty() { Ok(()) } else { radii("rhos", &self.rhos) }
    }
}

/// Runs `sam spectrum`.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn spectrum(args: &SpectrumArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let &SpectrumArgs { looks, steps, probes, images, .. } = args;
    args.check()?;
    experiment::run(&Spectrum { looks, steps, probes, images }, &args.experiment, 0.0, call)
}

/// Runs `sam landscape`.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn landscape(args: &LandscapeArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let &LandscapeArgs { points, reach, images, .. } = args;
    args.check()?;
    experiment::run(&Landscape { points, reach, images }, &args.experiment, 0.0, call)
}

/// Runs `sam predict-gap`.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn predict_gap(args: &PredictGapArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    args.check()?;
    let gap = PredictGap {
        ms: args.ms.clone(),
        images: args.images,
        rates: args.rates.clone(),
        batches: args.batches.clone(),
        decays: args.decays.clone(),
    };
    experiment::run(&gap, &args.experiment, args.label_noise, call)
}

/// Runs `sam bound`.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn bound(args: &BoundArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    args.check()?;
    let trained = args.run.as_deref().map(trained).transpose()?;
    let (settings, state) = trained.map_or((None, None), |(settings, state)| (Some(settings), Some(state)));
    let bound = BoundExperiment {
        delta: args.delta,
        rhos: args.rhos.clone(),
        steps: args.steps,
        draws: args.draws,
        trained: state,
    };
    experiment::run_with(&bound, &args.experiment, settings, 0.0, call)
}

/// Runs `sam finetune`.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn finetune(args: &FinetuneArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    args.check()?;
    let start = match &args.start {
        None => Start::FirstClasses { images: args.images },
        Some(path) if path.is_dir() => Start::File(Weights::new(start::Start::of(&run(path)?.checkpoint())?)),
        Some(path) => Start::File(Weights::new(start::Start::of(path)?)),
    };
    let finetune = Finetune {
        start,
        epochs: args.tune_epochs,
        sgd_epochs: args.tune_sgd_epochs,
        lr: args.tune_lr,
        free_statistics: args.free_statistics,
        rhos: args.rhos.clone(),
    };
    experiment::run(&finetune, &args.experiment, 0.0, call)
}

/// The run in the directory `path`.
fn run(path: &Path) -> Result<RunDirectory, ExperimentError> {
    let directory = RunDirectory::new(path);
    if !directory.config().exists() {
        return Err(ExperimentError::NoRun { path: path.to_owned() });
    }
    Ok(directory)
}

/// The settings and the state of the run in `path`.
fn trained(path: &Path) -> Result<(Settings, State), ExperimentError> {
    let directory = run(path)?;
    let config = Config::load(&directory.config())?;
    Ok((config.run, Checkpoint::load(&directory.checkpoint())?.state))
}
