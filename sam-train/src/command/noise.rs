//! `sam noise`.

use clap::Args;

use super::{
    Call,
    experiment::{self, ExperimentArgs, in_range, radii},
};
use crate::{
    experiment::{ExperimentError, noise::Noise},
    training::settings::InvalidSetting,
};

/// Label noise (table 4): SGD, mixup, SAM and ASAM, each also bootstrapped; accuracy on clean test labels.
///
/// Each training label is replaced, with the given probability, by one drawn uniformly from all classes. Bootstrap: the
/// network is trained again from scratch on the labels that the first one predicts. mixup gets the best of --alpha at
/// each rate. The best epoch is chosen by the test set: it bounds what any rule for stopping early could reach.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(allow_negative_numbers = true, after_help = EXAMPLES)]
pub struct NoiseArgs {
    /// Probabilities, with commas between.
    #[arg(long, value_name = "P,..", value_delimiter = ',', default_value = "0.2,0.4,0.6,0.8")]
    rates: Vec<f64>,

    /// mixup's alpha, with commas between.
    #[arg(long, value_name = "A,..", value_delimiter = ',', default_value = "1,8,16,32")]
    alpha: Vec<f64>,

    /// Radii of SAM, with commas between, of which each rate gets the one with the lowest validation error of bootstrapped SAM on a
    /// tenth of the training images, whose labels stay clean (table 9); 0 is SGD [default: --rho for all rates]
    #[arg(long, value_name = "RHO,..", value_delimiter = ',')]
    rhos: Vec<f64>,

    /// ASAM's radius [default: ten times --rho]
    #[arg(long, value_name = "RHO")]
    rho_asam: Option<f64>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const EXAMPLES: &str = "\
Examples:
  sam noise
  sam noise --rates 0.4,0.8 --seeds 3 --json
  sam noise --data fashion-mnist --limit 10000 --model lenet --rho 0.1 --epochs 20 --seeds 3";

impl NoiseArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.experiment.check(0.0)?;
        for rate in &self.rates {
            in_range("rates", (0.0..=1.0).contains(rate), "probabilities, 0 to 1", rate)?;
        }
        for rho in &self.rhos {
            in_range("rhos", *rho >= 0.0 && rho.is_finite(), "numbers from 0 up", rho)?;
        }
        radii("rho-asam", self.rho_asam.as_slice())?;
        radii("alpha", &self.alpha)
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run(args: &NoiseArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    args.check()?;
    let rho = args.experiment.method().rho().unwrap_or(0.0);
    let rho_asam = args.rho_asam.unwrap_or(10.0 * rho);
    let noise =
        Noise { rates: args.rates.clone(), alphas: args.alpha.clone(), rhos: args.rhos.clone(), rho_asam };
    experiment::run(&noise, &args.experiment, 0.0, call)
}
