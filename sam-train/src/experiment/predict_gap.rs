//! Figure 3, right; section 4.1: how well m-sharpness predicts the generalisation gap.

use sam_core::Rule;

use super::{
    ExperimentError,
    design::{Design, Experiment},
    findings::{Findings, Picture},
    runner::{Job, Runner},
    snapshots,
};
use crate::{
    analysis::{
        association::{conditional_information, kendall_tau},
        sharpness::climb,
    },
    report::{
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::Table,
    },
    training::{
        learner::LearnerError,
        settings::{Method, Settings},
    },
};

/// Many networks trained by SGD with different hyper-parameters; for each m, Kendall's tau and the conditional mutual
/// information of m-sharpness and gap.
///
/// m-sharpness: the mean over groups of m training images of what one step of ascent adds to their loss. The gap: test
/// error minus training error, in points of percent.
#[derive(Debug, Clone)]
pub struct PredictGap {
    /// Sizes of groups.
    pub ms: Vec<usize>,
    /// Training images that sharpness is measured on, at most.
    pub images: usize,
    /// Learning rates, as multiples of the base settings'.
    pub rates: Vec<f64>,
    /// Batches.
    pub batches: Vec<usize>,
    /// Weight decays.
    pub decays: Vec<f64>,
}

impl PredictGap {
    /// Every combination, with the places of its values in their lists.
    fn grid(&self, base: &Settings) -> Vec<(Settings, Vec<usize>)> {
        let mut grid = Vec::new();
        for (i, &rate) in self.rates.iter().enumerate() {
            for (j, &batch) in self.batches.iter().enumerate() {
                for (k, &decay) in self.decays.iter().enumerate() {
                    let mut settings = Settings { batch: batch.into(), method: Method::Sgd, ..base.clone() };
                    settings.sgd.lr = base.sgd.lr * rate;
                    settings.sgd.weight_decay = decay;
                    grid.push((settings, vec![i, j, k]));
                }
            }
        }
        grid
    }

    /// Sharpness of a run for each m, and its gap.
    fn measure(
        &self,
        runner: &Runner<'_>,
        job: &Job<'_>,
        test_error: f64,
        rho: f64,
    ) -> Result<(Vec<f64>, f64), ExperimentError> {
        let mut model = snapshots::training_model::<f64>(job, usize::MAX)?;
        let weights = model.weights(&runner.state(job, job.settings.epochs)?)?;
        let train = model.evaluate(&weights).map_err(LearnerError::backend)?;
        let train_error = 100.0 * (train.count - train.correct) as f64 / train.count as f64;
        let images = self.images.min(model.len());
        let mut sharpness = Vec::new();
        for &m in &self.ms {
            let m = m.min(images);
            let groups = images / m;
            let mut sum = 0.0;
            for group in 0..groups {
                model.choose(group * m..(group + 1) * m);
                sum += climb(&mut model, &weights, &Rule::l2(rho), 1, rho)?.sharpness();
            }
            sharpness.push(sum / groups as f64);
        }
        Ok((sharpness, test_error - train_error))
    }
}

impl Experiment for PredictGap {
    const NAME: &'static str = "predict-gap";
    const PAPER: &'static str = "Figure 3 (right), section 4.1";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let rho = design.rho();
        let mut parameters = Vec::new();
        let mut jobs = Vec::new();
        for (settings, places) in self.grid(&design.base) {
            for seed in 0..design.seeds {
                let seeded = Settings { seed: settings.seed + seed as u64, ..settings.clone() };
                jobs.push(Job::new(seeded, &design.data).with_snapshots(vec![settings.epochs]));
                parameters.push(places.clone());
            }
        }
        let runs = runner.runs("training", &jobs)?;
        let mut measured: Vec<Vec<f64>> = vec![Vec::new(); self.ms.len()];
        let mut gaps = Vec::new();
        for (job, run) in jobs.iter().zip(&runs) {
            runner.check_interrupt()?;
            let (sharpness, gap) = self.measure(runner, job, run.test_error, rho)?;
            measured.iter_mut().zip(sharpness).for_each(|(all, one)| all.push(one));
            gaps.push(gap);
        }

        let title = format!("m-sharpness and gap: {}, {} networks, rho {rho}", design.subject(), jobs.len());
        let columns = ["m", "Kendall's tau", "mutual information, least of all conditions"];
        let mut table = Table::new(title.clone(), &columns);
        let mut findings = Findings::default();
        let mut taus = Vec::new();
        for (m, sharpness) in self.ms.iter().zip(&measured) {
            let tau = kendall_tau(sharpness, &gaps);
            let information = conditional_information(sharpness, &gaps, &parameters);
            table.row(vec![m.to_string(), format!("{tau:.3}"), format!("{information:.3}")]);
            findings.line(&serde_json::json!({
                "m": m, "kendall_tau": tau, "information": information, "sharpness": sharpness, "gaps": gaps,
            }));
            taus.push(tau);
        }
        findings.tables.push(table);
        let best = (0..taus.len()).max_by(|&a, &b| taus[a].total_cmp(&taus[b]));
        if let (Some(best), Some(first), Some(last)) = (best, taus.first(), taus.last()) {
            findings.sentences.push(format!(
                "Largest tau at m = {}: {:.3}; from {first:.3} at the smallest m to {last:.3} at the largest.",
                self.ms[best], taus[best]
            ));
        }
        let points = taus.iter().enumerate().map(|(i, &tau)| Point::exact(i as f64, tau)).collect();
        let names = self.ms.iter().map(usize::to_string).collect();
        let cloud = |color: usize, i: usize| {
            let points = measured[i].iter().zip(&gaps).map(|(&x, &gap)| Point::exact(x, gap)).collect();
            Series { name: format!("m = {}", self.ms[i]), color, style: Style::Dots, points }
        };
        let panels = vec![
            Panel {
                title: "Agreement of both orders".into(),
                x: Horizontal::Categories("m".into(), names),
                y: "Kendall's tau".into(),
                from_zero: true,
                logarithmic: false,
                series: vec![Series { name: String::new(), color: 0, style: Style::Line, points }],
            },
            Panel {
                title: "The networks".into(),
                x: Horizontal::Quantity("m-sharpness (nats)".into()),
                y: format!("{} error - training error (points)", design.data.evaluated_on),
                from_zero: false,
                logarithmic: false,
                series: vec![cloud(0, 0), cloud(1, self.ms.len() - 1)],
            },
        ];
        findings.pictures.push(Picture::figure("predict-gap", Figure { title, panels }));
        Ok(findings)
    }
}
