//! Table 4, section 3.3: symmetric label noise.

mod radius;

use super::{
    ExperimentError,
    arms::{self, Arm, ArmResult},
    design::{Design, Experiment},
    findings::{Findings, Picture},
    run_store::FinishedRun,
    runner::{Job, LoadedData, Runner},
    snapshots,
};
use crate::{
    report::{
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::{self, Table},
        statistics::Estimate,
    },
    training::{
        evaluated::Evaluated,
        learner::LearnerError,
        settings::{Method, Settings},
    },
};
use radius::Radii;

/// Methods under label noise, each also bootstrapped: trained again from scratch on the labels that the first network
/// predicts for the training images.
///
/// As in the paper, mixup is tried with several `alpha` and reported with the one of the lowest test error at each rate,
/// in mixup's favour.
#[derive(Debug, Clone)]
pub struct Noise {
    /// Probabilities with which a label is replaced by one drawn from all classes.
    pub rates: Vec<f64>,
    /// Mixup's `alpha`.
    pub alphas: Vec<f64>,
    /// Radii of SAM to choose from at each rate, by bootstrapped SAM on held-out images with clean labels (table 9); none for the
    /// base settings'.
    pub rhos: Vec<f64>,
    /// ASAM's radius.
    pub rho_asam: f64,
}

/// The methods, by what the names of their arms begin with.
const METHODS: [&str; 4] = ["SGD", "mixup", "SAM", "ASAM"];

/// What one method gave at one rate.
struct Cell {
    result: ArmResult,
    /// Mean share of the labels trained on that were wrong, in percent.
    wrong: f64,
}

impl Noise {
    fn arms(&self, design: &Design, rate: f64, rho: f64) -> Vec<Arm> {
        let with = |method| {
            let mut settings = design.with(method);
            settings.data.label_noise = rate;
            settings
        };
        let mixup = |&alpha: &f64| {
            Arm::new(design.named(&format!("mixup, alpha {alpha}")), with(Method::Mixup { alpha }))
        };
        // Where the radius is chosen, each rate has its own.
        let sam = if self.rhos.is_empty() { "SAM".to_owned() } else { format!("SAM, rho {rho}") };
        let rest = [
            Arm::new(design.named(&sam), with(design.sam(rho))),
            Arm::new(design.named("ASAM"), with(Method::ASAM_WEIGHTS.with_rho(self.rho_asam))),
        ];
        [Arm::new(design.named("SGD"), with(Method::Sgd))]
            .into_iter()
            .chain(self.alphas.iter().map(mixup))
            .chain(rest)
            .flat_map(|arm| arm.lengths(design.sgd_epochs))
            .collect()
    }

    /// All methods at one rate, the bootstrapped ones last.
    fn at_rate(
        &self,
        runner: &mut Runner<'_>,
        design: &Design,
        (rate, rho): (f64, f64),
    ) -> Result<Vec<Cell>, ExperimentError> {
        let arms = self.arms(design, rate, rho);
        let jobs = |arm: &Arm| -> Vec<Job<'_>> {
            let job = |seed| arm.job(seed, &design.data).with_snapshots(vec![arm.settings.epochs]);
            (0..design.seeds).map(job).collect()
        };
        let all: Vec<Job<'_>> = arms.iter().flat_map(&jobs).collect();
        let runs = runner.runs("training", &all)?;
        let results: Vec<ArmResult> = arms
            .iter()
            .zip(runs.chunks(design.seeds))
            .map(|(arm, runs)| ArmResult::new(&arm.name, &runs.iter().collect::<Vec<_>>()))
            .collect();
        // The best of each method's lengths and shares.
        let chosen: Vec<usize> = METHODS
            .iter()
            .filter_map(|method| {
                let method = if *method == "SGD" { design.named(method) } else { (*method).to_owned() };
                let of = |&i: &usize| arms[i].name.starts_with(&method);
                let by_error = |&a: &usize, &b: &usize| results[a].outcome.by_error(&results[b].outcome);
                (0..arms.len()).filter(of).min_by(by_error)
            })
            .collect();
        let cell = |&i: &usize| Cell { result: results[i].clone(), wrong: 100.0 * results[i].wrong_labels };
        let mut cells: Vec<Cell> = chosen.iter().map(cell).collect();
        for (place, &i) in chosen.iter().enumerate() {
            let bootstrapped = bootstrap(runner, design, &jobs(&arms[i]))?;
            let runs: Vec<&FinishedRun> = bootstrapped.iter().map(|(run, _)| run).collect();
            let name = format!("bootstrap + {}", cells[place].result.name);
            let wrong = Estimate::of(&bootstrapped.iter().map(|(_, wrong)| *wrong).collect::<Vec<_>>()).mean;
            cells.push(Cell { result: ArmResult::new(&name, &runs), wrong });
        }
        Ok(cells)
    }
}

/// Trains again from scratch, seed by seed, on what the networks of `first` predict for the training images. With each
/// run the percentage of labels it trained on that were wrong.
fn bootstrap(
    runner: &mut Runner<'_>,
    design: &Design,
    first: &[Job<'_>],
) -> Result<Vec<(FinishedRun, f64)>, ExperimentError> {
    let truth = &design.data.dataset.train.labels;
    let mut data_sets = Vec::new();
    for job in first {
        runner.check_interrupt()?;
        let mut model = snapshots::training_model::<f32>(job, truth.len())?;
        let weights = model.weights(&runner.state(job, job.settings.epochs)?)?;
        let mut dataset = design.data.dataset.clone();
        dataset.train.labels = model.predict(&weights, dataset.classes).map_err(LearnerError::backend)?;
        let wrong = dataset.train.labels.iter().zip(truth).filter(|(found, truth)| found != truth).count();
        let data = LoadedData::new(dataset)?.evaluated_on(design.data.evaluated_on);
        data_sets.push((data, 100.0 * wrong as f64 / truth.len() as f64));
    }
    let clean = |settings: &Settings| {
        let mut settings = settings.clone();
        settings.data.label_noise = 0.0;
        settings
    };
    let jobs: Vec<Job<'_>> =
        first.iter().zip(&data_sets).map(|(job, (data, _))| Job::new(clean(&job.settings), data)).collect();
    let runs = runner.runs("training again", &jobs)?;
    Ok(runs.into_iter().zip(data_sets.into_iter().map(|(_, wrong)| wrong)).collect())
}

impl Experiment for Noise {
    const NAME: &'static str = "noise";
    const PAPER: &'static str = "Table 4, section 3.3";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let title = format!("Label noise: {}", design.subject());
        let mut findings = Findings::default();
        let radii = match self.rhos.is_empty() {
            true => None,
            false => Some(Radii::of(runner, design, &self.rates, &self.rhos)?),
        };
        let rho = |i: usize| radii.as_ref().and_then(|radii| radii.chosen(i)).unwrap_or_else(|| design.rho());
        let rates = self
            .rates
            .iter()
            .enumerate()
            .map(|(i, &rate)| Ok((rate, self.at_rate(runner, design, (rate, rho(i)))?)));
        let rates = rates.collect::<Result<Vec<(f64, Vec<Cell>)>, ExperimentError>>()?;
        let (mut compared, evaluated_on) = (Vec::new(), design.data.evaluated_on);
        for (rate, cells) in &rates {
            let columns = [
                "method",
                "accuracy, last epoch (%)",
                "accuracy, best epoch (%)",
                "labels wrong (%)",
                &evaluated_on.alone(),
            ];
            let percent = (rate * 1e4).round() / 1e2;
            let mut table = Table::new(format!("{percent} % of the training labels random"), &columns);
            for Cell { result, wrong } in cells {
                table.row(vec![
                    result.name.clone(),
                    result.outcome.cell_of(&result.outcome.error.complement()),
                    markdown::estimate(&result.best_error.complement()),
                    format!("{wrong:.1}"),
                    result
                        .outcome
                        .test_set
                        .map_or(String::new(), |[low, high]| markdown::between([100.0 - high, 100.0 - low])),
                ]);
                findings.line(&serde_json::json!({ "rate": rate, "wrong_labels": wrong, "result": result }));
            }
            findings.tables.push(table);
            // SAM against SGD at each rate, by names that tell the rates apart.
            let at = |i: usize| {
                cells[i].result.named(format!("{percent} % random labels, {}", cells[i].result.name))
            };
            compared.push((at(2), at(0)));
        }
        if let Some(radii) = &radii {
            findings.tables.insert(0, radii.table());
            findings.lines.extend(radii.lines());
        }
        findings.sentences = arms::sentences(compared.iter().map(|(sam, sgd)| (sam, sgd)));
        findings.pictures.push(Picture::figure(
            "noise",
            picture_of(title, evaluated_on, &rates, &METHODS.map(|name| design.named(name))),
        ));
        Ok(findings)
    }
}

fn picture_of(
    title: String,
    evaluated_on: Evaluated,
    rates: &[(f64, Vec<Cell>)],
    methods: &[String],
) -> Figure {
    let names: Vec<String> =
        rates.iter().map(|(rate, _)| format!("{} %", (rate * 1e4).round() / 1e2)).collect();
    let series = |first: usize| -> Vec<Series> {
        let line = |(i, name): (usize, &String)| {
            let at = |(x, (_, cells)): (usize, &(f64, Vec<Cell>))| {
                let y = cells.get(first + i)?.result.outcome.error.complement();
                Some(Point { x: x as f64, y })
            };
            let points = rates.iter().enumerate().filter_map(at).collect();
            Series { name: name.clone(), color: i, style: Style::Line, points }
        };
        methods.iter().enumerate().map(line).collect()
    };
    let panel = |title: &str, first| Panel {
        title: title.to_owned(),
        x: Horizontal::Categories("training labels replaced".to_owned(), names.clone()),
        y: format!("{evaluated_on} accuracy after the last epoch (%)"),
        from_zero: false,
        logarithmic: false,
        series: series(first),
    };
    let panels = vec![panel("Trained once", 0), panel("Bootstrapped", methods.len())];
    Figure { title, panels }
}
