//! `sam bench`.

use std::time::Duration;

use clap::Args;
use sam_model::ImageShape;

use super::{Call, args::MachineArgs, output::print};
use crate::{
    data::DataSource,
    experiment::{
        ExperimentError,
        bench::{Bench, BenchResult, CLASSES, FEWEST_STEPS, Length, MOST_STEPS},
    },
    json,
    training::{
        memory,
        settings::{
            InvalidSetting, Method, Model, NormExponent, ScheduleSettings, ScheduleShape, Settings,
            SgdSettings,
        },
    },
};

/// Time of an SGD step and of a SAM step, made in turn on one random batch.
///
/// Medians over the steps that fit into --seconds, after a few to warm up; where the machine did something else meanwhile, it is
/// said, and the ratio of both is a range. A step takes a batch, computes one gradient (SGD) or two (SAM) and
/// updates the weights with Nesterov momentum and weight decay.
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
        self.bench().map(drop)
    }

    fn bench(&self) -> Result<Bench, InvalidSetting> {
        let method = Method::Sam { rho: self.rho, norm: self.norm };
        let settings = Settings {
            epochs: 1,
            batch: self.batch.into(),
            // A rate at which no network diverges on random labels in as many steps as anybody times.
            sgd: SgdSettings::new(1e-3),
            schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
            ..Settings::new(self.model.clone(), DataSource::Digits, method)
        };
        settings.check()?;
        Ok(Bench { settings, shape: self.image, length: self.length()?, threads: self.machine.threads() })
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
    let bench = args.bench()?;
    let backend = args.machine.backend.unwrap_or_default();
    let of = |settings: &_| backend.on_host(memory::of_learner(settings, bench.shape, CLASSES));
    let sgd = Settings { method: Method::Sgd, ..bench.settings.clone() };
    let images = (bench.settings.batch.largest() as u128).saturating_mul(bench.shape.len() as u128 * 4);
    memory::check(&bench.settings, (of(&bench.settings) + of(&sgd)).saturating_add(images))?;
    let backend = args.machine.open(bench.threads)?;
    let learner = |settings: &_| backend.learner(settings, bench.shape, CLASSES);
    let result = bench.run(call.host, learner)?;
    print(if call.as_json { json::line(&result) } else { text(&result, bench.shape) })?;
    Ok(())
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
         SAM/SGD   {ratio} {outside:.2} % of the SAM step is not its two gradients; {steps} steps of each kind{}{warning}",
        kernels(result)
    )
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
