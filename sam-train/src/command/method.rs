//! Training methods on the command line: one argument for the method, one for each hyper-parameter that any of them has.

use clap::{
    Args, ValueEnum,
    builder::{PossibleValue, RangedU64ValueParser},
};
use serde::Serialize;
use toml::Table;

use crate::training::settings::{InvalidSetting, Method, NormExponent};

/// The method, and those of its hyper-parameters that are not its defaults. Fields are called as in [`Method`].
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Method")]
pub struct MethodArgs {
    /// Which gradient is followed. The method's defaults stand behind it; only what it has may be given.
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = Method::SAM)]
    #[serde(skip)]
    optimizer: Method,

    /// Radius of the neighbourhood; SAM's paper tries 0.01 to 0.5. asam: relative to the weights.
    #[arg(long)]
    rho: Option<f64>,

    /// sam: the norm the radius is measured in, 2, inf, 1, or any p between.
    #[arg(long, value_name = "P")]
    norm: Option<NormExponent>,

    /// asam: what is added to each weight's size.
    #[arg(long)]
    eta: Option<f64>,

    /// mixup: both parameters of the Beta distribution of shares. gsam: weight of the surrogate gap. look-sam: share of
    /// the gradient's length that the reused part gets.
    #[arg(long)]
    alpha: Option<f64>,

    /// wsam: weight of sharpness, below 1; 0.5 is SAM.
    #[arg(long)]
    gamma: Option<f64>,

    /// multi-step-sam: ascent steps.
    #[arg(long, value_name = "N", value_parser = count())]
    steps: Option<u64>,

    /// m-sharpness: images that share a perturbation.
    #[arg(long, value_name = "N", value_parser = count())]
    m: Option<u64>,

    /// look-sam: steps from one SAM step to the next.
    #[arg(long, value_name = "N", value_parser = count())]
    k: Option<u64>,

    /// friendly-sam: share of the mean gradient that is taken out of the ascent.
    #[arg(long)]
    sigma: Option<f64>,

    /// friendly-sam: share of that mean that stays from step to step.
    #[arg(long)]
    lambda: Option<f64>,

    /// esam: share of the weights that are perturbed.
    #[arg(long)]
    beta: Option<f64>,
}

/// Counts that TOML and every machine can hold.
fn count() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=u64::from(u32::MAX))
}

impl MethodArgs {
    /// The method that the arguments describe.
    ///
    /// # Errors
    /// [`InvalidSetting`], when a hyper-parameter is given that the method does not have.
    pub fn method(&self) -> Result<Method, InvalidSetting> {
        let given = Table::try_from(self);
        let given = given.map_err(|error| InvalidSetting::new("optimizer", "hyper-parameters", error))?;
        self.optimizer.with(given)
    }
}

impl ValueEnum for Method {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let defaults = self.hyper_parameters();
        let defaults = defaults.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("--{name} {text}"),
            None => format!("--{name} {value}"),
        });
        let defaults = defaults.collect::<Vec<_>>().join(" ");
        let help = match defaults.as_str() {
            "" => self.summary().to_owned(),
            defaults => format!("{} [{defaults}]", self.summary()),
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}
