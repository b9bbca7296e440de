//! SAM's relatives side by side: error, time, gradients and buffers.

use super::error_figure;
use crate::{
    experiment::{
        ExperimentError,
        arms::{self, Arm},
        design::{Design, Experiment},
        findings::{Findings, Picture},
        outcome,
        runner::Runner,
    },
    report::markdown::{self, Table, significant},
    training::settings::Method,
};

/// All variants at the hyper-parameters of their papers.
///
/// Radii are SAM's, but for two methods whose radius means something else: ASAM's is relative to the weights, of about
/// ten times the size, and Momentum SAM's paper uses larger ones because the momentum is a poorer direction.
#[derive(Debug, Clone)]
pub struct VariantAblation {
    /// ASAM's radius. `None`: ten times SAM's.
    pub rho_asam: Option<f64>,
    /// Momentum SAM's radius. `None`: SAM's.
    pub rho_momentum: Option<f64>,
}

impl VariantAblation {
    fn methods(&self, rho: f64) -> [Method; 9] {
        let rho_asam = self.rho_asam.unwrap_or(10.0 * rho);
        let rho_momentum = self.rho_momentum.unwrap_or(rho);
        [
            Method::SGD,
            Method::SAM.with_rho(rho),
            Method::ASAM_WEIGHTS.with_rho(rho_asam),
            Method::GSAM.with_rho(rho),
            Method::LOOK_SAM.with_rho(rho),
            Method::WSAM.with_rho(rho),
            Method::FRIENDLY_SAM.with_rho(rho),
            Method::MOMENTUM_SAM.with_rho(rho_momentum),
            Method::ESAM.with_rho(rho),
        ]
    }
}

impl Experiment for VariantAblation {
    const NAME: &'static str = "ablate-variants";
    const PAPER: &'static str = "SAM's relatives; not in the paper";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let methods = self.methods(design.rho());
        let arms = methods.map(|method| Arm::new(design.named(&method.title()), design.with(method)));
        let results = arms::compare(runner, &arms, design, &design.data)?;
        let title = format!("Variants: {}", design.subject());
        let picture = Picture::figure("variants", error_figure(title.clone(), &results));
        let minus = [&results[0], &results[1]].map(|result| format!("minus {}", result.name));
        let columns = [
            "method",
            "rho",
            &design.data.evaluated_on.error_percent(),
            &minus[0],
            &minus[1],
            "ms a step",
            "gradients a step",
            "words a weight",
        ];
        let mut table = Table::new(title, &columns);
        let mut findings = Findings { pictures: vec![picture], ..Findings::default() };
        for (method, result) in methods.iter().zip(&results) {
            let minus = |other: usize| match other == 0 && matches!(method, Method::Sgd) {
                true => String::new(),
                false => markdown::difference(&result.minus(&results[other])),
            };
            table.row(vec![
                result.name.clone(),
                method.rho().map_or(String::new(), significant),
                result.outcome.cell(),
                minus(0),
                if matches!(method, Method::Sam { .. }) { String::new() } else { minus(1) },
                significant(result.ms_per_step),
                significant(result.gradients_per_step),
                method.buffers().to_string(),
            ]);
            findings.line(&serde_json::json!({
                "method": method, "result": result, "words_per_weight": method.buffers(),
            }));
        }
        outcome::add_test_set(&mut table, results.iter().map(|result| &result.outcome));
        findings.tables.push(table);
        findings.sentences = arms::sentences(results[1..].iter().map(|result| (result, &results[0])));
        Ok(findings)
    }
}
