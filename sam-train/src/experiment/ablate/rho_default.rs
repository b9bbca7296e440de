//! Tables 10 and 11, appendix C.3: the radius 0.05 everywhere against a tuned one.

use super::{error_figure, error_table};
use crate::{
    experiment::{
        ExperimentError,
        arms::{self, Arm},
        design::{Design, Experiment},
        findings::{Findings, Picture},
        grid,
        runner::Runner,
    },
    training::settings::Method,
};

/// The radius that the paper recommends without tuning.
const DEFAULT: f64 = 0.05;

/// SGD, SAM at the default radius, and SAM at the radius that a validation set chooses.
#[derive(Debug, Clone)]
pub struct RhoDefault {
    /// Radii to choose from.
    pub rhos: Vec<f64>,
}

impl Experiment for RhoDefault {
    const NAME: &'static str = "ablate-rho-default";
    const PAPER: &'static str = "Tables 10 and 11, appendix C.3";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let (chosen, validation) = grid::choose(runner, design, &self.rhos)?;
        let mut arms =
            vec![("SGD".to_owned(), Method::Sgd), (format!("SAM, rho {DEFAULT}"), design.sam(DEFAULT))];
        arms.extend(chosen.map(|rho| (format!("SAM, tuned rho {rho}"), design.sam(rho))));
        let arm = |(name, method): (String, Method)| Arm::new(design.named(&name), design.with(method));
        let arms: Vec<Arm> = arms.into_iter().map(arm).collect();
        let results = arms::compare(runner, &arms, design, &design.data)?;
        let title = format!("Default radius against the tuned one: {}", design.subject());
        let picture = Picture::figure("rho-default", error_figure(title.clone(), &results));
        let mut findings = Findings {
            tables: vec![error_table(title, &results), grid::table(&design.named("SGD"), &validation, None)],
            pictures: vec![picture],
            ..Findings::default()
        };
        let mut pairs = vec![(&results[1], &results[0])];
        if let Some(tuned) = results.get(2) {
            pairs.extend([(tuned, &results[0]), (tuned, &results[1])]);
        }
        findings.sentences.push(grid::sentence(chosen));
        findings.sentences.extend(arms::sentences(pairs));
        results.iter().for_each(|result| findings.line(result));
        Ok(findings)
    }
}
