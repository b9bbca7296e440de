//! Figure 3, left; section 4.2: the spectrum of the Hessian along training.

use rand::RngExt;
use sam_backend_ndarray::Dual64;

use super::{
    ExperimentError,
    arms::{self, Arm},
    design::{Design, Experiment},
    findings::{Findings, Picture},
    outcome::Outcome,
    runner::{Job, Runner},
    snapshots,
};
use crate::{
    analysis::lanczos::{Hessian, Ritz, density, lanczos},
    random::{Purpose, stream},
    report::{
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::{self, Table, significant},
        statistics::Estimate,
        verdict::{Difference, judged},
    },
    training::settings::Method,
};

/// Points of a density's curve.
const POINTS: usize = 400;
/// Deviation of the normal distributions that make a density smooth, as a share of the range shown.
const WIDTH: f64 = 0.01;

/// SGD's spectra against SAM's at several epochs.
#[derive(Debug, Clone)]
pub struct Spectrum {
    /// Epochs looked at.
    pub looks: usize,
    /// Steps of Lanczos' method.
    pub steps: usize,
    /// Start vectors a network.
    pub probes: usize,
    /// Training images that the Hessian is of, at most.
    pub images: usize,
}

/// What was found at one epoch of one method: for each seed its probes.
struct EpochSpectrum {
    epoch: usize,
    seeds: Vec<Vec<Ritz>>,
}

impl EpochSpectrum {
    /// The mean over seeds of a function of each seed's first probe.
    fn estimate(&self, value: impl Fn(&Ritz) -> f64) -> Estimate {
        Estimate::of(&self.seeds.iter().map(|probes| value(&probes[0])).collect::<Vec<_>>())
    }
}

impl Spectrum {
    fn look(&self, runner: &Runner<'_>, job: &Job<'_>, epoch: usize) -> Result<Vec<Ritz>, ExperimentError> {
        let mut model = snapshots::training_model::<Dual64>(job, self.images)?;
        let weights = model.weights(&runner.state(job, epoch)?)?;
        let mut random = stream(job.settings.seed, Purpose::Direction, epoch as u64, 0);
        let mut hessian = Hessian::new(&mut model, &weights);
        let mut probe = || {
            runner.check_interrupt()?;
            // Entries of 1 and -1: their quadrature has the least variance.
            let start = weights.iter().map(|_| if random.random::<bool>() { 1.0 } else { -1.0 }).collect();
            Ok(lanczos(|x, out| hessian.product(x, out), start, self.steps)?)
        };
        (0..self.probes).map(|_| probe()).collect()
    }
}

impl Experiment for Spectrum {
    const NAME: &'static str = "spectrum";
    const PAPER: &'static str = "Figure 3 (left), section 4.2";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let epochs = snapshots::epochs(design.base.epochs, self.looks);
        let arms = [Method::Sgd, design.sam(design.rho())]
            .map(|method| Arm::new(design.named(&method.title()), design.with(method)));
        let jobs = arms::jobs(&arms, design.seeds, &design.data, &epochs);
        let runs = runner.runs("training", &jobs)?;
        let mut methods: Vec<Vec<EpochSpectrum>> = Vec::new();
        for (i, _) in arms.iter().enumerate() {
            let look = |&epoch: &usize| {
                let seeds = (0..design.seeds).map(|seed| self.look(runner, &jobs[2 * seed + i], epoch));
                Ok(EpochSpectrum { epoch, seeds: seeds.collect::<Result<_, ExperimentError>>()? })
            };
            methods.push(epochs.iter().map(look).collect::<Result<_, ExperimentError>>()?);
        }

        let title = format!("Spectrum of the Hessian: {}, rho {}", design.subject(), design.rho());
        let columns = ["method, epoch", "lambda max", "lambda max / lambda 5", "most negative"];
        let mut table = Table::new(title.clone(), &columns);
        let mut findings = Findings::default();
        let ratio = |ritz: &Ritz| ritz.eigenvalue(1) / ritz.eigenvalue(5);
        let least = |ritz: &Ritz| ritz.values.last().map_or(f64::NAN, |value| value.0);
        for (arm, looks) in arms.iter().zip(&methods) {
            for look in looks {
                let [largest, ratio, least] =
                    [look.estimate(|ritz| ritz.eigenvalue(1)), look.estimate(ratio), look.estimate(least)];
                let cell = |estimate: Estimate| markdown::significant_estimate(&estimate);
                table.row(vec![
                    format!("{}, {}", arm.name, look.epoch),
                    cell(largest),
                    cell(ratio),
                    cell(least),
                ]);
                findings.line(&serde_json::json!({
                    "method": arm.name, "epoch": look.epoch, "lambda_max": largest, "lambda_max_over_5": ratio,
                    "least": least,
                    "eigenvalues": look.seeds.iter().map(|probes| &probes[0].values).collect::<Vec<_>>(),
                }));
            }
        }
        findings.tables.push(table);
        let last = |looks: &[EpochSpectrum]| -> Vec<f64> {
            looks.last().map_or(Vec::new(), |look| look.seeds.iter().map(|p| p[0].eigenvalue(1)).collect())
        };
        let pairs: Vec<(f64, f64)> = last(&methods[1]).into_iter().zip(last(&methods[0])).collect();
        let judged = judged(&[Difference::of(&pairs)])[0];
        let mean = judged.difference.estimate.mean;
        let direction = if mean < 0.0 { "smaller" } else { "larger" };
        findings.sentences.push(format!(
            "At the end of training SAM's largest eigenvalue is {} {direction} than {}'s{}",
            significant(mean.abs()),
            arms[0].name,
            judged.words()
        ));
        for (i, arm) in arms.iter().enumerate() {
            let outcome = Outcome::of(&runs.iter().skip(i).step_by(arms.len()).collect::<Vec<_>>());
            findings.sentences.extend(outcome.lost_of(&arm.name));
        }
        findings.pictures.push(Picture::figure("spectrum", picture_of(title, &arms, &methods)));
        Ok(findings)
    }
}

fn picture_of(title: String, arms: &[Arm], methods: &[Vec<EpochSpectrum>]) -> Figure {
    let all = || methods.iter().flatten().flat_map(|look| look.seeds.iter().flatten());
    let ends = all().flat_map(|ritz| ritz.values.iter().map(|value| value.0));
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let width = WIDTH * (high - low);
    let at = |i: usize| low - 3.0 * width + (high - low + 6.0 * width) * i as f64 / (POINTS - 1) as f64;
    let panels = arms.iter().zip(methods).map(|(arm, looks)| {
        let series = looks.iter().enumerate().map(|(i, look)| {
            let probes: Vec<Ritz> = look.seeds.iter().flatten().cloned().collect();
            // What is below is the tails of the widening: nothing is drawn there.
            let y =
                |x| Some(density(&probes, x, width)).filter(|density| *density >= 1e-5).unwrap_or(f64::NAN);
            let points = (0..POINTS).map(|i| Point::exact(at(i), y(at(i)))).collect();
            // The lightest yellow would hardly be seen on white.
            let style = Style::Shaded(i as f64 / (looks.len() - 1).max(1) as f64);
            Series { name: format!("epoch {}", look.epoch), color: i, style, points }
        });
        Panel {
            title: arm.name.clone(),
            x: Horizontal::Quantity("eigenvalue of the Hessian".into()),
            y: "density".into(),
            from_zero: false,
            logarithmic: true,
            series: series.collect(),
        }
    });
    let mut panels: Vec<Panel> = panels.collect();
    let largest = arms.iter().zip(methods).enumerate().map(|(color, (arm, looks))| {
        let point = |look: &EpochSpectrum| Point {
            x: look.epoch as f64,
            y: look.estimate(|ritz| ritz.eigenvalue(1)),
        };
        let points = looks.iter().map(point).collect();
        Series { name: arm.name.clone(), color, style: Style::Line, points }
    });
    panels.push(Panel {
        title: "Largest eigenvalue (band: 95 %)".into(),
        x: Horizontal::Quantity("epoch".into()),
        y: "lambda max".into(),
        from_zero: true,
        logarithmic: false,
        series: largest.collect(),
    });
    Figure { title, panels }
}
