//! `sam ablate`: one thing changed at a time.

use clap::{Args, Subcommand};

use super::{
    Call,
    experiment::{self, ExperimentArgs, positive, radii},
};
use crate::{
    experiment::{
        ExperimentError,
        ablate::{
            inner_steps::InnerSteps, m::MAblation, norm::NormAblation, rho_default::RhoDefault,
            second_order::SecondOrderAblation, variants::VariantAblation,
        },
    },
    training::settings::InvalidSetting,
};

/// SAM with one thing changed: m, norm, inner-steps, rho-default, second-order, variants.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct AblateArgs {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  sam ablate norm
  sam ablate m --m 1,8,64 --rhos 0.05,0.2 --seeds 3
  sam ablate inner-steps --steps 1,2,3,5 --json
  sam ablate variants --data fashion-mnist --limit 10000 --model lenet --rho 0.1 --epochs 20 --seeds 3";

#[derive(Debug, Clone, Subcommand)]
enum What {
    M(MArgs),
    Norm(NormArgs),
    InnerSteps(InnerStepsArgs),
    RhoDefault(RhoDefaultArgs),
    SecondOrder(SecondOrderArgs),
    Variants(VariantsArgs),
}

/// How many images share a perturbation (figure 3, middle): test error against rho for each m.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(mut_arg("rho", |arg| arg.hide(true)), mut_arg("m", |arg| arg.long("one-m").hide(true)), allow_negative_numbers = true)]
struct MArgs {
    /// Images in a group, with commas between; a batch at most.
    #[arg(long = "m", value_name = "M,..", value_delimiter = ',', default_value = "4,16,64")]
    ms: Vec<usize>,
    /// Radii, with commas between.
    #[arg(long, value_name = "RHO,..", value_delimiter = ',', default_value = "0.02,0.05,0.1,0.2,0.5")]
    rhos: Vec<f64>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

/// The norm of the neighbourhood (figure 6): p = 1, 2, inf, and a random perturbation.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(allow_negative_numbers = true)]
struct NormArgs {
    /// Radius in the 1-norm [default: --rho]
    #[arg(long, value_name = "RHO")]
    rho_1: Option<f64>,
    /// Radius in the infinity norm [default: --rho over the square root of the number of weights]
    #[arg(long, value_name = "RHO")]
    rho_inf: Option<f64>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

/// Several ascent steps (figure 7, table 12): test error, estimated sharpness, highest loss along training.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(allow_negative_numbers = true)]
struct InnerStepsArgs {
    /// Numbers of ascent steps, with commas between.
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,2,3,5")]
    steps: Vec<usize>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

/// rho = 0.05 against the rho that a validation set chooses (tables 10 and 11).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(mut_arg("rho", |arg| arg.hide(true)), allow_negative_numbers = true)]
struct RhoDefaultArgs {
    /// Radii to choose from, with commas between.
    #[arg(long, value_name = "RHO,..", value_delimiter = ',', default_value = "0.01,0.02,0.05,0.1,0.2,0.5")]
    rhos: Vec<f64>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

/// The term of second order (figures 4 and 5): errors, and the cosine of both updates along training.
///
/// Products with the Hessian are derivatives of the gradient in double precision, exact up to rounding.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(allow_negative_numbers = true)]
struct SecondOrderArgs {
    #[command(flatten)]
    experiment: ExperimentArgs,
}

/// SAM's relatives: error, time, gradients and buffers of SGD, SAM, ASAM, GSAM, LookSAM, WSAM, Friendly SAM, Momentum SAM
/// and ESAM (its stochastic perturbation of weights only).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
#[command(allow_negative_numbers = true)]
struct VariantsArgs {
    /// ASAM's radius [default: ten times --rho]
    #[arg(long, value_name = "RHO")]
    rho_asam: Option<f64>,
    /// Momentum SAM's radius [default: --rho]
    #[arg(long, value_name = "RHO")]
    rho_momentum: Option<f64>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

impl AblateArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        match &self.what {
            What::M(args) => {
                args.experiment.check(0.0)?;
                radii("rhos", &args.rhos)?;
                args.ms.iter().try_for_each(|&m| positive("m", m))
            }
            What::Norm(args) => {
                args.experiment.check(0.0)?;
                args.experiment.check_no_groups()?;
                radii("rho-1", args.rho_1.as_slice())?;
                radii("rho-inf", args.rho_inf.as_slice())
            }
            What::InnerSteps(args) => {
                args.experiment.check(0.0)?;
                args.experiment.check_no_groups()?;
                args.steps.iter().try_for_each(|&steps| positive("steps", steps))
            }
            What::RhoDefault(args) => {
                args.experiment.check(0.0)?;
                radii("rhos", &args.rhos)
            }
            What::SecondOrder(args) => {
                args.experiment.check(0.0)?;
                args.experiment.check_no_groups()
            }
            What::Variants(args) => {
                args.experiment.check(0.0)?;
                args.experiment.check_no_groups()?;
                radii("rho-asam", args.rho_asam.as_slice())?;
                radii("rho-momentum", args.rho_momentum.as_slice())
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run(args: &AblateArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    args.check()?;
    match &args.what {
        What::M(MArgs { experiment, ms, rhos }) => {
            let ablation = MAblation { ms: ms.clone(), rhos: rhos.clone() };
            experiment::run(&ablation, experiment, 0.0, call)
        }
        What::Norm(NormArgs { experiment, rho_1, rho_inf }) => {
            let ablation = NormAblation { rho_1: *rho_1, rho_inf: *rho_inf };
            experiment::run(&ablation, experiment, 0.0, call)
        }
        What::InnerSteps(InnerStepsArgs { experiment, steps }) => {
            experiment::run(&InnerSteps { steps: steps.clone() }, experiment, 0.0, call)
        }
        What::RhoDefault(RhoDefaultArgs { experiment, rhos }) => {
            experiment::run(&RhoDefault { rhos: rhos.clone() }, experiment, 0.0, call)
        }
        What::SecondOrder(SecondOrderArgs { experiment }) => {
            experiment::run(&SecondOrderAblation, experiment, 0.0, call)
        }
        What::Variants(VariantsArgs { experiment, rho_asam, rho_momentum }) => {
            let ablation = VariantAblation { rho_asam: *rho_asam, rho_momentum: *rho_momentum };
            experiment::run(&ablation, experiment, 0.0, call)
        }
    }
}
