//! Table 9, appendix C.1: the radius for each noise rate, by the validation error of bootstrapped SAM on images with clean labels.

use super::bootstrap;
use crate::{
    experiment::{
        ExperimentError,
        arms::{Arm, ArmResult},
        design::Design,
        grid,
        run_store::FinishedRun,
        runner::{Job, Runner},
    },
    report::markdown::Table,
    training::settings::Settings,
};

/// What bootstrapped SAM gave on the held-out images at each noise rate and radius.
pub struct Radii {
    /// What a radius of 0 is called.
    plain: String,
    rhos: Vec<f64>,
    /// Rate by rate, and in each radius by radius.
    results: Vec<(f64, Vec<ArmResult>)>,
}

impl Radii {
    /// Trains, and trains again on what was predicted, for each of `rates` and `rhos`, on nine tenths of the training images whose
    /// labels are noisy; the other tenth, drawn at random by the seed, keeps its labels and judges. Radius 0 is SGD.
    ///
    /// # Errors
    /// As [`Runner::runs`].
    pub fn of(
        runner: &mut Runner<'_>,
        design: &Design,
        rates: &[f64],
        rhos: &[f64],
    ) -> Result<Self, ExperimentError> {
        let data = grid::held_out(&design.data.dataset, design.base.seed)?;
        let held_out = Design { base: design.base.clone(), data, ..*design };
        let results = rates.iter().map(|&rate| {
            let arms: Vec<Arm> = rhos.iter().map(|&rho| arm(&held_out, rate, rho)).collect();
            let jobs = |arm: &Arm| -> Vec<Job<'_>> {
                let job = |seed| arm.job(seed, &held_out.data).with_snapshots(vec![arm.settings.epochs]);
                (0..design.seeds).map(job).collect()
            };
            runner.runs("choosing the radius", &arms.iter().flat_map(jobs).collect::<Vec<_>>())?;
            let results = arms.iter().map(|arm| {
                let again = bootstrap(runner, &held_out, &jobs(arm))?;
                let runs: Vec<&FinishedRun> = again.iter().map(|(run, _)| run).collect();
                Ok(ArmResult::new(&arm.name, &runs))
            });
            Ok((rate, results.collect::<Result<_, ExperimentError>>()?))
        });
        Ok(Self {
            plain: design.named("SGD"),
            rhos: rhos.to_vec(),
            results: results.collect::<Result<_, ExperimentError>>()?,
        })
    }

    /// The radius that [`grid::best`] chooses at the rate number `i`.
    pub fn chosen(&self, i: usize) -> Option<f64> {
        grid::best(self.rhos.iter().copied().zip(&self.results.get(i)?.1))
    }

    /// Radius by radius, a column for each rate, as the paper prints it.
    pub fn table(&self) -> Table {
        let percent = |rate: f64| format!("{} % random labels", (rate * 1e4).round() / 1e2);
        let mut columns = vec![format!("rho (0: {})", self.plain)];
        columns.extend(self.results.iter().map(|(rate, _)| percent(*rate)));
        let title = "Validation error of bootstrapped SAM on images with clean labels (%)".to_owned();
        let row = |(i, rho): (usize, &f64)| {
            let cells = self.results.iter().map(|(_, results)| results[i].outcome.cell());
            [rho.to_string()].into_iter().chain(cells).collect()
        };
        Table { title, columns, rows: self.rhos.iter().enumerate().map(row).collect() }
    }

    /// An object for each rate and radius.
    pub fn lines(&self) -> impl Iterator<Item = serde_json::Value> {
        self.results.iter().enumerate().flat_map(move |(i, (rate, results))| {
            self.rhos.iter().zip(results).map(move |(rho, result)| {
                serde_json::json!({
                    "rate": rate, "rho": rho, "chosen": self.chosen(i) == Some(*rho),
                    "bootstrapped_validation_error": result.outcome,
                })
            })
        })
    }
}

fn arm(design: &Design, rate: f64, rho: f64) -> Arm {
    let mut settings: Settings = design.with(grid::method(design, rho));
    settings.data.label_noise = rate;
    Arm::new(rho.to_string(), settings)
}
