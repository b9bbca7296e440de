//! `sam bench`.

use std::{rc::Rc, time::Duration};

use clap::Args;
use sam_model::ImageShape;

use super::{Call, args::MachineArgs, output::print};
use crate::{
    data::DataSource,
    experiment::{
        ExperimentError,
        bench::{Bench, BenchResult, CLASSES, Communication, FEWEST_STEPS, Length, MOST_STEPS},
    },
    json,
    ranks::{Alone, Ranks, agreement::agreed, timed::Timed},
    training::{
        memory,
        overlap::Overlap,
        settings::{
            InvalidSetting, Method, Model, NormExponent, ScheduleSettings, ScheduleShape, Settings,
            SgdSettings,
        },
        shard_state::ShardState,
    },
};

/// Time of an SGD step and of a SAM step, made in turn on one random batch.
///
/// Medians over the steps that fit into --seconds, after a few to warm up; where the machine did something else meanwhile, it is
/// said, and the ratio of both is a range. A step takes a batch, computes one gradient (SGD) or two (SAM) and
/// updates the weights with Nesterov momentum and weight decay. Several ranks share the batch out, and it is told how much of a step
/// was communication.
#[derive(Debug, Clone, Args)]
#[command(allow_negative_numbers = true, after_help = EXAMPLES)]
pub struct BenchArgs {
    /// A network by its name: mlp, lenet, wrn-16-4, shake-shake-26-2x32d, ...; `sam models` lists them.
    #[arg(long, default_value = "wrn-16-1")]
    model: Model,

    /// Images a step.
    #[arg(long, default_value_t = 128)]
    batch: usize,

    /// Size of the images: height x width x channels.
    #[arg(long, value_name = "HxWxC", default_value = "28x28x1", value_parser = parse_shape)]
    image: ImageShape,

    /// How long to time steps of both kinds; at least 9 of each are made.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,

    /// Timed steps of each kind, at least 9, instead of a time.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    steps: Option<usize>,

    /// SAM's radius.
    #[arg(long, default_value_t = 0.05)]
    rho: f64,

    /// The norm the radius is measured in: 2, inf, 1, or any p between.
    #[arg(long, value_name = "P", default_value = "2")]
    norm: NormExponent,

    /// Images that climb by themselves: SAM's steps are those of m-sharpness.
    #[arg(long)]
    m: Option<usize>,

    /// Groups that a batch is cut into, which several ranks share out [default: as many as --m gives, else one for each rank]
    #[arg(long)]
    groups: Option<usize>,

    /// Whether ranks add up the parts of a gradient that are there while the rest is computed: on or off.
    #[arg(long, value_name = "CHOICE", default_value = "on", help_heading = "Machine")]
    overlap: Overlap,

    /// Whether each rank keeps a part only of momentum, of the sums of gradients and of SAM's perturbed weights: on or off.
    #[arg(long, value_name = "CHOICE", default_value = "off", help_heading = "Machine")]
    shard_state: ShardState,

    #[command(flatten)]
    machine: MachineArgs,
}

const EXAMPLES: &str = "\
Examples:
  sam bench --model wrn-16-1 --batch 128 --threads 2
  sam bench --model wrn-16-4 --image 32x32x3 --json";

impl BenchArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.bench(&Alone).map(drop)
    }

    fn bench(&self, ranks: &dyn Ranks) -> Result<Bench, InvalidSetting> {
        let method = match self.m {
            Some(m) => Method::MSharpness { rho: self.rho, m },
            None => Method::Sam { rho: self.rho, norm: self.norm },
        };
        let usual =
            || (!ranks.is_alone()).then(|| self.m.map_or(ranks.size(), |m| self.batch.div_ceil(m.max(1))));
        let settings = Settings {
            epochs: 1,
            batch: self.batch.into(),
            groups: self.groups.or_else(usual),
            // A rate at which no network diverges on random labels in as many steps as anybody times.
            sgd: SgdSettings::new(1e-3),
            schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
            ..Settings::new(self.model.clone(), DataSource::Digits, method)
        };
        settings.check()?;
        let threads = self.machine.threads_on(ranks);
        Ok(Bench { settings, shape: self.image, length: self.length()?, threads })
    }

    fn length(&self) -> Result<Length, InvalidSetting> {
        match self.steps {
            Some(steps) if (FEWEST_STEPS..=MOST_STEPS).contains(&steps) => Ok(Length::Steps(steps)),
            Some(steps) => Err(InvalidSetting::new("steps", "a number from 9 up to 1000000", steps)),
            None if (0.0..=MOST_SECONDS).contains(&self.seconds) => {
                Ok(Length::Time(Duration::from_secs_f64(self.seconds)))
            }
            None => Err(InvalidSetting::new("seconds", "a number from 0 up to 86400", self.seconds)),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run(args: &BenchArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let timed = Rc::new(Timed::new(Rc::clone(call.ranks)));
    let ranks: Rc<dyn Ranks> = timed.clone();
    let prepared = || -> Result<_, ExperimentError> {
        let bench = args.bench(&*ranks)?;
        let backend = args.machine.backend.unwrap_or_default();
        let of = |settings: &_| backend.on_host(memory::of_learner(settings, bench.shape, CLASSES));
        let sgd = Settings { method: Method::Sgd, ..bench.settings.clone() };
        let images = (bench.settings.batch.largest() as u128).saturating_mul(bench.shape.len() as u128 * 4);
        memory::check(&bench.settings, (of(&bench.settings) + of(&sgd)).saturating_add(images))?;
        let backend = args.machine.open_on(bench.threads, &*ranks)?;
        Ok((bench, backend))
    };
    let (bench, backend) = agreed(&*ranks, prepared())?;
    let chosen = args.shard_state.of(&args.overlap.of(&ranks));
    let learner = |settings: &_| backend.learner_on(settings, bench.shape, CLASSES, &chosen);
    let result = bench.run_on(&timed, call.host, learner)?;
    let line = if call.as_json { json::line(&result) } else { text(&result, bench.shape) };
    agreed(&*ranks, if ranks.is_first() { print(line).map_err(ExperimentError::from) } else { Ok(()) })
}

fn text(result: &BenchResult, shape: ImageShape) -> String {
    let BenchResult {
        model,
        batch,
        threads,
        params,
        steps,
        sgd_ms,
        sam_ms,
        outside_gradients,
        disturbance,
        ..
    } = result;
    let [low, _, high] = disturbance.quartiles;
    let ratio = match disturbance.disturbed {
        true => format!("{:>13}", format!("{low:.2} to {high:.2}")),
        false => format!("{:>9.3}    ", result.sam_over_sgd),
    };
    let warning = disturbance.warning().map(|warning| format!("\nwarning   {warning}")).unwrap_or_default();
    let (sgd_images, sam_images) = (result.sgd_images_per_s, result.sam_images_per_s);
    let outside = 100.0 * outside_gradients;
    format!(
        "{model}, {params} parameters, batch {batch} of {shape}, {threads} threads\n\
         SGD step  {sgd_ms:>9.3} ms  {sgd_images:>9.0} images/s\n\
         SAM step  {sam_ms:>9.3} ms  {sam_images:>9.0} images/s\n\
         SAM/SGD   {ratio} {outside:.2} % of the SAM step is not its two gradients; {steps} steps of each kind{}{}{warning}",
        communication(result),
        kernels(result)
    )
}

/// A line of what ranks told each other, if there are several.
fn communication(result: &BenchResult) -> String {
    result.communication.map_or_else(String::new, |found| {
        let Communication { ranks, groups, sgd_communication, sam_communication } = found;
        let (sgd, sam) = (100.0 * sgd_communication, 100.0 * sam_communication);
        format!(
            "\nranks     {ranks} share out {groups} groups; communication, and waiting in it, is {sgd:.1} % of the SGD step, {sam:.1} % of the \
             SAM step"
        )
    })
}

/// A line that says whose kernels computed, where there is a choice.
fn kernels(result: &BenchResult) -> String {
    match result.kernels.len() {
        0 => String::new(),
        all => {
            format!("\nkernels   {} of {all} products are NVIDIA's; --json says why", result.vendor_kernels)
        }
    }
}

/// A day.
const MOST_SECONDS: f64 = 86_400.0;

/// Values of the largest image that is timed.
const MOST_PIXELS: usize = 1 << 24;

const fn values(height: usize, width: usize, channels: usize) -> usize {
    height.saturating_mul(width).saturating_mul(channels)
}

fn parse_shape(text: &str) -> Result<ImageShape, &'static str> {
    let extents: Option<Vec<usize>> = text.split('x').map(|extent| extent.parse().ok()).collect();
    match extents.as_deref() {
        Some(&[height, width, channels]) if (1..=MOST_PIXELS).contains(&values(height, width, channels)) => {
            Ok(ImageShape::new(height, width, channels))
        }
        _ => Err("expected height x width x channels, as in 28x28x1, and at most 16777216 values in all"),
    }
}
