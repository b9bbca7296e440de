//! `sam grid`.

use clap::Args;

use super::{
    Call,
    experiment::{self, ExperimentArgs, radii},
};
use crate::{
    experiment::{ExperimentError, grid::Grid},
    training::settings::InvalidSetting,
};

/// The radius by grid search (section 3.1, table 9): a tenth of the training images chooses, the test set judges.
///
/// Validation images are drawn at random by --seed and keep their true labels; --label-noise falls on the others only.
/// The test errors are those of networks trained on all training images.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(mut_arg("rho", |arg| arg.long("one-rho").hide(true)), allow_negative_numbers = true, after_help = EXAMPLES)]
pub struct GridArgs {
    /// Radii to try, with commas between.
    #[arg(
        long = "rho",
        alias = "rhos",
        value_name = "RHO,..",
        value_delimiter = ',',
        default_value = "0.01,0.02,0.05,0.1,0.2,0.5"
    )]
    rhos: Vec<f64>,

    /// Probability with which each training label is replaced by a random one.
    #[arg(long, value_name = "P", default_value_t = 0.0, help_heading = "Data")]
    label_noise: f64,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const EXAMPLES: &str = "\
Examples:
  sam grid
  sam grid --rho 0.05,0.1,0.2 --label-noise 0.4 --json
  sam grid --data fashion-mnist --limit 10000 --model lenet --epochs 20 --seeds 3";

impl GridArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.experiment.check(self.label_noise)?;
        radii("rho", &self.rhos)
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run(args: &GridArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    args.check()?;
    let grid = Grid { rhos: args.rhos.clone() };
    experiment::run(&grid, &args.experiment, args.label_noise, call)
}
