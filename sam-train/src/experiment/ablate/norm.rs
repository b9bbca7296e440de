//! Figure 6, appendix C.5: which norm the neighbourhood is measured in, and a random perturbation.

use sam_core::Norm;

use super::{error_figure, error_table};
use crate::{
    experiment::{
        ExperimentError,
        arms::{self, Arm},
        design::{Design, Experiment},
        findings::{Findings, Picture},
        runner::Runner,
    },
    training::settings::{Method, NormExponent},
};

/// SAM in three norms against a random perturbation.
///
/// One radius cannot serve three norms: a perturbation of largest entry `rho` is `sqrt(weights)` times longer than one
/// of Euclidean length `rho`. So each norm has a radius of its own; the infinity norm's default has the Euclidean length
/// of the 2-norm's in `weights` equal entries.
#[derive(Debug, Clone)]
pub struct NormAblation {
    /// Radius in the 1-norm: all of it goes to one weight. `None`: that of the 2-norm.
    pub rho_1: Option<f64>,
    /// Radius in the infinity norm. `None`: that of the 2-norm over the square root of the number of weights.
    pub rho_inf: Option<f64>,
}

impl Experiment for NormAblation {
    const NAME: &'static str = "ablate-norm";
    const PAPER: &'static str = "Figure 6, appendix C.5";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let rho = design.rho();
        let weights = runner.parameter_count(design)? as f64;
        let rho_1 = self.rho_1.unwrap_or(rho);
        let rho_inf = self.rho_inf.unwrap_or(rho / weights.sqrt());
        let sam = |rho, norm| Method::Sam { rho, norm: NormExponent(norm) };
        let arms = [
            (design.named("SGD"), Method::Sgd),
            (format!("random, {rho}"), Method::RandomSam { rho }),
            (format!("p = 1, {rho_1}"), sam(rho_1, Norm::L1)),
            (format!("p = 2, {rho}"), sam(rho, Norm::L2)),
            (format!("p = inf, {rho_inf:.2e}"), sam(rho_inf, Norm::LInf)),
        ];
        let arms = arms.map(|(name, method)| Arm::new(name, design.with(method)));
        let results = arms::compare(runner, &arms, design, &design.data)?;
        let title = format!("Norm of the neighbourhood (with its radius): {}", design.subject());
        let picture = Picture::figure("norm", error_figure(title.clone(), &results));
        let mut findings = Findings {
            tables: vec![error_table(title, &results)],
            pictures: vec![picture],
            ..Findings::default()
        };
        findings.sentences = arms::sentences([0, 1, 2, 4].map(|other| (&results[3], &results[other])));
        results.iter().for_each(|result| findings.line(result));
        Ok(findings)
    }
}
