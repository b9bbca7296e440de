//! Figure 7 and table 12, appendix C.6: several steps in the inner maximisation.

use sam_core::{GradientOracle as _, Pass, Rule};

use super::error_table;
use crate::{
    analysis::{model::Model, sharpness::climb},
    experiment::{
        ExperimentError,
        arms::{self, Arm},
        design::{Design, Experiment},
        findings::{Findings, Picture},
        runner::{Job, Runner},
        snapshots,
    },
    report::{
        counted,
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::{self, Table},
        statistics::Estimate,
    },
    training::{learner::LearnerError, settings::Method},
};

/// Epochs looked at.
const LOOKS: usize = 10;
/// Batches of training images that sharpness is the mean over.
const BATCHES: usize = 4;

/// SAM with several ascent steps.
#[derive(Debug, Clone)]
pub struct InnerSteps {
    /// Numbers of steps.
    pub steps: Vec<usize>,
}

impl InnerSteps {
    /// The rise of the loss within the radius that a run's own number of steps finds and that the largest number finds,
    /// the highest loss met with its own, and the rise of the error rate, in points, to where that was met; at its weights after
    /// `epoch` epochs.
    fn look(
        runner: &Runner<'_>,
        job: &Job<'_>,
        epoch: usize,
        (own, most): (usize, usize),
        rho: f64,
    ) -> Result<[f64; 4], ExperimentError> {
        let rise = |model: &mut Model<f64>, weights: &[f64]| {
            let found = climb(model, weights, &Rule::l2(rho), own, rho)?;
            let by_most = climb(model, weights, &Rule::l2(rho), most, rho)?;
            let mut gradient = vec![0.0; weights.len()];
            let mut error = |weights: &[f64]| -> Result<f64, LearnerError> {
                model.gradient(weights, &mut gradient, Pass::Perturbed).map_err(LearnerError::backend)?;
                Ok(model.error())
            };
            let rise = error(&found.at)? - error(weights)?;
            Ok([found.sharpness(), by_most.sharpness(), found.highest, rise])
        };
        snapshots::mean_over_batches(runner, job, epoch, BATCHES, rise)
    }
}

impl Experiment for InnerSteps {
    const NAME: &'static str = "ablate-inner-steps";
    const PAPER: &'static str = "Figure 7, table 12, appendix C.6";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let rho = design.rho();
        let most = self.steps.iter().copied().max().unwrap_or(1);
        let epochs = snapshots::epochs(design.base.epochs, LOOKS);
        let method = |steps| Method::MultiStepSam { rho, steps };
        let arms: Vec<Arm> =
            self.steps.iter().map(|&steps| Arm::new(steps.to_string(), design.with(method(steps)))).collect();
        let jobs = arms::jobs(&arms, design.seeds, &design.data, &epochs);
        runner.runs("training", &jobs)?;
        let results = arms::compare(runner, &arms, design, &design.data)?;

        let title = format!("Ascent steps: {}, rho {rho}", design.subject());
        let columns = [
            "ascent steps",
            "estimated sharpness (error rate, points)",
            "estimated sharpness (nats)",
            &format!("sharpness by {most} steps (nats)"),
            "max loss (nats)",
        ];
        let mut table = Table::new("At the end of training, mean over training batches", &columns);
        let mut findings =
            Findings { tables: vec![error_table(title.clone(), &results)], ..Findings::default() };
        let (mut rises, mut tops, mut error_rises) = (Vec::new(), Vec::new(), Vec::new());
        for (color, (&steps, result)) in self.steps.iter().zip(&results).enumerate() {
            let mut looks: [Vec<Vec<f64>>; 4] = std::array::from_fn(|_| Vec::new());
            for seed in 0..design.seeds {
                runner.check_interrupt()?;
                let job = &jobs[seed * arms.len() + color];
                let rise = |&epoch: &usize| Self::look(runner, job, epoch, (steps, most), rho);
                let rises = epochs.iter().map(rise).collect::<Result<Vec<[f64; 4]>, _>>()?;
                for (i, values) in looks.iter_mut().enumerate() {
                    values.push(rises.iter().map(|rise| rise[i]).collect());
                }
            }
            let curves = looks.map(|values| snapshots::along(design, &epochs, &values));
            let last = |i: usize| curves[i].last().map_or(Estimate::exact(f64::NAN), |last| last.1);
            let cell = |i: usize| markdown::significant_estimate(&last(i));
            table.row(vec![steps.to_string(), cell(3), cell(0), cell(1), cell(2)]);
            let series = |i: usize| Series {
                name: counted(steps, "step"),
                color,
                style: Style::Line,
                points: curves[i].iter().map(|&(epoch, y)| Point { x: epoch as f64, y }).collect(),
            };
            rises.push(series(0));
            tops.push(series(2));
            error_rises.push(series(3));
            findings.line(&serde_json::json!({
                "steps": steps, "result": result, "sharpness": last(0), "error_sharpness": last(3),
                "sharpness_by_most_steps": last(1), "max_loss": last(2), "along_training": curves,
            }));
        }
        findings.tables.push(table);
        if let Some(one) = self.steps.iter().position(|&steps| steps == 1) {
            let others = (0..results.len()).filter(|&i| i != one);
            let named: Vec<_> = self
                .steps
                .iter()
                .zip(&results)
                .map(|(&steps, result)| result.named(counted(steps, "ascent step")))
                .collect();
            findings.sentences = arms::sentences(others.map(|i| (&named[i], &named[one])));
        }
        let panel = |title: &str, y: &str, series| Panel {
            title: title.into(),
            x: Horizontal::Quantity("epoch".into()),
            y: y.into(),
            from_zero: true,
            logarithmic: false,
            series,
        };
        let panels = vec![
            panel("Rise of the error rate (figure 7)", "max L(w + eps) - L(w) (points)", error_rises),
            panel("Rise of the loss that the ascent finds", "max L(w + eps) - L(w) (nats)", rises),
            panel("Highest loss that it finds", "max L(w + eps) (nats)", tops),
        ];
        findings.pictures.push(Picture::figure("inner-steps", Figure { title, panels }));
        Ok(findings)
    }
}
