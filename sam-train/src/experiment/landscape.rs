//! Figure 1, middle and right: the loss around SGD's and SAM's solutions.

use super::{
    ExperimentError,
    arms::Arm,
    design::{Design, Experiment},
    findings::{Drawing, Findings, Picture},
    runner::{Job, Runner},
    snapshots,
};
use crate::{
    analysis::surface::{filter_normalised, losses},
    report::{
        markdown::{Table, significant},
        surface::Surface,
    },
    training::{learner::LearnerError, settings::Method},
};

/// The training loss over a plane through the weights, in two random directions that are normalised filter by filter; the
/// same random numbers for both networks.
#[derive(Debug, Clone)]
pub struct Landscape {
    /// Points along each direction, odd and at least 3.
    pub points: usize,
    /// How far: 1 is as long as the weights, filter by filter.
    pub reach: f64,
    /// Training images, at most.
    pub images: usize,
}

impl Experiment for Landscape {
    const NAME: &'static str = "landscape";
    const PAPER: &'static str = "Figure 1";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let arms = [Method::Sgd, design.sam(design.rho())]
            .map(|method| Arm::new(design.named(&method.title()), design.with(method)));
        let last = design.base.epochs;
        let jobs = arms.iter().map(|arm| arm.job(0, &design.data).with_snapshots(vec![last]));
        let jobs: Vec<Job<'_>> = jobs.collect();
        let runs = runner.runs("training", &jobs)?;
        let half = (self.points / 2) as f64;
        let steps: Vec<f64> = (0..self.points).map(|i| self.reach * (i as f64 - half) / half).collect();
        let mut surfaces = Vec::new();
        let title = format!("Loss around the solutions: {}, rho {}", design.subject(), design.rho());
        let columns = [
            "solution",
            &design.data.evaluated_on.error_percent(),
            "training loss",
            "mean loss at a quarter of the reach",
            "mean loss at half of it",
            "mean loss on the border",
        ];
        let mut table = Table::new(title.clone(), &columns);
        let mut findings = Findings::default();
        for ((arm, job), run) in arms.iter().zip(&jobs).zip(&runs) {
            runner.check_interrupt()?;
            let mut model = snapshots::training_model::<f32>(job, self.images)?;
            let weights = model.weights(&runner.state(job, last)?)?;
            let [x, y] =
                [0, 1].map(|number| filter_normalised(&weights, model.tensors(), design.base.seed, number));
            let values = losses(&mut model, &weights, [&x, &y], &steps).map_err(LearnerError::backend)?;
            let surface = Surface { name: arm.name.clone(), steps: steps.clone(), losses: values };
            let ring = |share: f64| mean_on_ring(&surface, (share * half).round() as usize);
            table.row(vec![
                arm.name.clone(),
                format!("{:.2}", run.test_error),
                significant(ring(0.0)),
                significant(ring(0.25)),
                significant(ring(0.5)),
                significant(ring(1.0)),
            ]);
            findings.line(&serde_json::json!({
                "method": arm.name, "test_error": run.test_error, "steps": surface.steps,
                "losses": surface.losses, "center": ring(0.0), "quarter": ring(0.25), "half": ring(0.5),
                "border": ring(1.0),
            }));
            surfaces.push((ring(0.25), ring(0.5), surface));
        }
        findings.tables.push(table);
        let flatter = |sgd: f64, sam: f64| if sam < sgd { "lower" } else { "higher" };
        findings.sentences.push(format!(
            "One seed, one plane: a quarter of the way out the loss around SAM's solution is {} than around {}'s, half of \
             the way out it is {}.",
            flatter(surfaces[0].0, surfaces[1].0),
            arms[0].name,
            flatter(surfaces[0].1, surfaces[1].1)
        ));
        let surfaces: Vec<Surface> = surfaces.into_iter().map(|(_, _, surface)| surface).collect();
        findings.pictures.push(Picture::new("landscape", Drawing::Surfaces { title, surfaces }));
        Ok(findings)
    }
}

/// Mean loss over the square ring so many points away from the middle.
fn mean_on_ring(surface: &Surface, radius: usize) -> f64 {
    let size = surface.steps.len();
    let middle = size / 2;
    let distance = |i: usize| (i / size).abs_diff(middle).max((i % size).abs_diff(middle));
    let ring = surface.losses.iter().enumerate().filter(|(i, _)| distance(*i) == radius);
    let (sum, count) = ring.fold((0.0, 0.0), |(sum, count), (_, loss)| (sum + loss, count + 1.0));
    sum / count
}
