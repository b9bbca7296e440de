//! `sam tune`.

use clap::Args;

use super::{
    Call,
    experiment::{self, ExperimentArgs, in_range},
};
use crate::{
    experiment::{ExperimentError, tune::Tune},
    training::settings::{InvalidSetting, Settings},
};

/// Radius and learning rate by successive halving on held-out training images; the test set is not looked at.
///
/// Every radius with every rate is trained for a quarter of --epochs, the better half for half of them, the better half of those for
/// all; the best SGD and the best radius always go on, to be compared. --validation is the share held out of each class. Finished
/// runs are kept in DIR/runs.jsonl: the same command goes on where it was stopped. At the end it says which settings are lowest, and
/// which cannot be told apart from them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(
    mut_arg("rho", |arg| arg.long("one-rho").hide(true)), mut_arg("lr", |arg| arg.long("one-lr").hide(true)),
    mut_arg("seeds", |arg| arg.default_value("3")),
    mut_arg("validation", |arg| arg.default_value("0.2")), allow_negative_numbers = true, after_help = EXAMPLES
)]
pub struct TuneArgs {
    /// Radii to try, with commas between; 0 is SGD [default: 0, and half, once, twice and four times the network's]
    #[arg(long = "rho", value_name = "RHO,..", value_delimiter = ',')]
    rhos: Vec<f64>,

    /// Learning rates to try each radius with, with commas between [default: half, once and twice the usual one]
    #[arg(long = "lr", value_name = "RATE,..", value_delimiter = ',')]
    lrs: Vec<f64>,

    /// How often a choice is made, each time with twice the epochs of the time before.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rungs: usize,

    /// Probability with which each training label is replaced by a random one; held-out labels are replaced by none.
    #[arg(long, value_name = "P", default_value_t = 0.0, help_heading = "Data")]
    label_noise: f64,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

const EXAMPLES: &str = "\
Examples:
  sam tune
  sam tune --data photos --size 32x32 --model resnet-8 --augment basic --epochs 40
  sam tune --data fashion-mnist --limit 10000 --model lenet --rho 0,0.02,0.05,0.1 --lr 0.05 --epochs 20";

impl TuneArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.tune().map(drop)
    }

    fn tune(&self) -> Result<(Tune, Settings), InvalidSetting> {
        self.experiment.check(self.label_noise)?;
        let settings = self.experiment.settings(self.label_noise)?;
        let from_zero = |setting, values: &[f64]| {
            let wrong = values.iter().find(|value| !(**value >= 0.0 && value.is_finite()));
            wrong.map_or(Ok(()), |value| in_range(setting, false, "numbers from 0 up", value))
        };
        from_zero("rho", &self.rhos)?;
        from_zero("lr", &self.lrs)?;
        in_range("rungs", (1..=20).contains(&self.rungs), "a number from 1 up to 20", self.rungs)?;
        let times = |usual: f64, factors: &[f64]| factors.iter().map(|factor| usual * factor).collect();
        let or = |given: &Vec<f64>, usual: Vec<f64>| if given.is_empty() { usual } else { given.clone() };
        let rho = settings.method.rho().unwrap_or(0.0);
        let tune = Tune {
            rhos: or(&self.rhos, times(rho, &[0.0, 0.5, 1.0, 2.0, 4.0])),
            lrs: or(&self.lrs, times(settings.sgd.lr, &[0.5, 1.0, 2.0])),
            rungs: self.rungs,
        };
        Ok((tune, settings))
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run(args: &TuneArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let (tune, settings) = args.tune()?;
    experiment::run_with(&tune, &args.experiment, Some(settings), args.label_noise, call)
}
