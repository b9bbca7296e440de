//! Figures 4 and 5, appendix C.4: with and without the term of second order.

use sam_backend_ndarray::Dual64;
use sam_core::Rule;

use super::{error_figure, error_table};
use crate::{
    analysis::{
        model::Model,
        update::{cosine_with_second_order, perturbed_error},
    },
    experiment::{
        ExperimentError,
        arms::{self, Arm},
        design::{Design, Experiment},
        findings::{Findings, Picture},
        runner::{Job, Runner},
        snapshots,
    },
    report::{
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::{Table, significant},
        statistics::Estimate,
    },
    training::settings::Method,
};

/// Epochs looked at.
const LOOKS: usize = 10;
/// Batches of training images that cosines are the mean over.
const BATCHES: usize = 4;

/// SAM of first and of second order, and the cosine of their updates along both trajectories.
#[derive(Debug, Clone)]
pub struct SecondOrderAblation;

/// The cosine at a run's weights after `epoch` epochs, mean over batches of training images.
fn cosine(runner: &Runner<'_>, job: &Job<'_>, epoch: usize, rho: f64) -> Result<f64, ExperimentError> {
    let cosine = |model: &mut Model<Dual64>, weights: &[Dual64]| {
        Ok([cosine_with_second_order(model, weights, &Rule::l2(rho))?])
    };
    Ok(snapshots::mean_over_batches(runner, job, epoch, BATCHES, cosine)?[0])
}

/// The training error at the point that SAM climbs to from a run's weights after `epoch` epochs, in percent: mean over batches.
fn error_above(runner: &Runner<'_>, job: &Job<'_>, epoch: usize, rho: f64) -> Result<f64, ExperimentError> {
    let error =
        |model: &mut Model<f64>, weights: &[f64]| Ok([perturbed_error(model, weights, &Rule::l2(rho))?]);
    Ok(snapshots::mean_over_batches(runner, job, epoch, BATCHES, error)?[0])
}

impl Experiment for SecondOrderAblation {
    const NAME: &'static str = "ablate-second-order";
    const PAPER: &'static str = "Figures 4 and 5, appendix C.4";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let rho = design.rho();
        let epochs = snapshots::epochs(design.base.epochs, LOOKS);
        let arms = [Method::sam(rho), Method::SecondOrderSam { rho }, Method::Sgd]
            .map(|method| Arm::new(design.named(&method.title()), design.with(method)));
        let jobs = arms::jobs(&arms[..2], design.seeds, &design.data, &epochs);
        runner.runs("training", &jobs)?;
        let results = arms::compare(runner, &arms, design, &design.data)?;

        let title = format!("The term of second order: {}, rho {rho}", design.subject());
        let mut findings =
            Findings { tables: vec![error_table(title.clone(), &results)], ..Findings::default() };
        let mut table = Table::new(
            "Cosine of the first-order and the second-order gradient, mean over training batches",
            &["trajectory of", "first look", "middle", "end"],
        );
        let mut errors = Table::new(
            "Training error at w + eps-hat (%), mean over training batches",
            &["trajectory of", "first look", "middle", "end"],
        );
        let (mut series, mut error_series) = (Vec::new(), Vec::new());
        for (color, result) in results[..2].iter().enumerate() {
            let (mut cosines, mut above) = (Vec::new(), Vec::new());
            for seed in 0..design.seeds {
                runner.check_interrupt()?;
                let job = &jobs[2 * seed + color];
                let at = |&epoch: &usize| cosine(runner, job, epoch, rho);
                cosines.push(epochs.iter().map(at).collect::<Result<Vec<f64>, _>>()?);
                let at = |&epoch: &usize| error_above(runner, job, epoch, rho);
                above.push(epochs.iter().map(at).collect::<Result<Vec<f64>, _>>()?);
            }
            let curve = snapshots::along(design, &epochs, &cosines);
            let error_curve = snapshots::along(design, &epochs, &above);
            for (table, series, curve) in
                [(&mut table, &mut series, &curve), (&mut errors, &mut error_series, &error_curve)]
            {
                let cell = |at: usize| {
                    curve.get(at).map_or(String::new(), |(epoch, Estimate { mean, .. })| {
                        format!("{} (epoch {epoch})", significant(*mean))
                    })
                };
                table.row(vec![result.name.clone(), cell(0), cell(curve.len() / 2), cell(curve.len() - 1)]);
                let points = curve.iter().map(|&(epoch, y)| Point { x: epoch as f64, y }).collect();
                series.push(Series { name: result.name.clone(), color, style: Style::Line, points });
            }
            findings.line(&serde_json::json!({
                "result": result, "cosine": curve, "training_error_at_perturbed": error_curve,
            }));
        }
        findings.line(&serde_json::json!({ "result": results[2] }));
        findings.tables.extend([table, errors]);
        findings.sentences = arms::sentences([(&results[1], &results[0]), (&results[0], &results[2])]);
        let mut panels = error_figure(String::new(), &results).panels;
        panels.push(Panel {
            title: "Cosine of both updates along each trajectory".into(),
            x: Horizontal::Quantity("epoch".into()),
            y: "cosine".into(),
            from_zero: false,
            logarithmic: false,
            series,
        });
        panels.push(Panel {
            title: "Training error where SAM climbs to".into(),
            x: Horizontal::Quantity("epoch".into()),
            y: "training error at w + eps-hat (%)".into(),
            from_zero: true,
            logarithmic: false,
            series: error_series,
        });
        findings.pictures.push(Picture::figure("second-order", Figure { title, panels }));
        Ok(findings)
    }
}
