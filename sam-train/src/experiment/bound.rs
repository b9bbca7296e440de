//! Theorem 2, appendix A.1: the PAC-Bayes bound of trained networks.

use rand::RngExt;
use rand_distr::StandardNormal;
use sam_core::Rule;
use serde::Serialize;

use super::{
    ExperimentError,
    arms::Arm,
    design::{Design, Experiment},
    findings::Findings,
    runner::{Job, Runner},
    snapshots,
};
use crate::{
    analysis::{
        model::Model,
        pac_bayes::{Bound, Setting},
        sharpness::climb,
    },
    random::{Purpose, stream},
    report::markdown::{Table, significant},
    training::{learner::LearnerError, settings::Method, state::State},
};

/// The bound for networks trained with SGD and with SAM, or for one given.
///
/// The theorem is about a loss in [0, 1]: the share of images misclassified. Its maximum in the ball is replaced by what
/// projected ascent of the cross-entropy finds, from below: the true bound is at least the value shown.
#[derive(Debug, Clone)]
pub struct BoundExperiment {
    /// Probability that the bound does not hold.
    pub delta: f64,
    /// Radii at which it is evaluated.
    pub rhos: Vec<f64>,
    /// Ascent steps.
    pub steps: usize,
    /// Draws of noise that means over it are of.
    pub draws: usize,
    /// A network trained elsewhere; its settings are the design's.
    pub trained: Option<State>,
}

/// What noise on all weights does to a network's errors, as shares: means over the draws.
#[derive(Debug, Clone, Copy, Serialize)]
struct Noisy {
    /// On the training images, with the deviation of equation 13.
    train: f64,
    /// On the test images, without noise.
    test: f64,
    /// On the test images, with the radius as the deviation: the theorem holds where it is no less than the one without.
    test_at_radius: f64,
}

impl BoundExperiment {
    /// The errors under noise at one radius.
    fn noisy(&self, job: &Job<'_>, state: &State, setting: &Setting) -> Result<Noisy, ExperimentError> {
        let dataset = &job.data.dataset;
        let error = |model: &mut Model<f64>, weights: &[f64]| -> Result<f64, ExperimentError> {
            let found = model.evaluate(weights).map_err(LearnerError::backend)?;
            Ok((found.count - found.correct) as f64 / found.count as f64)
        };
        let mean = |model: &mut Model<f64>, deviation: f64| -> Result<f64, ExperimentError> {
            let weights = model.weights(state)?;
            let mut sum = 0.0;
            for draw in 0..self.draws {
                let mut random = stream(job.settings.seed, Purpose::Direction, 0, draw as u64);
                let noise = |w: &f64| w + deviation * random.sample::<f64, _>(StandardNormal);
                let noisy: Vec<f64> = weights.iter().map(noise).collect();
                sum += error(model, &noisy)?;
            }
            Ok(sum / self.draws as f64)
        };
        let mut train = snapshots::training_model::<f64>(job, usize::MAX)?;
        let labels = dataset.test.labels.clone();
        let mut test = Model::<f64>::new(&job.settings, dataset, &dataset.test, labels)?;
        let weights = test.weights(state)?;
        Ok(Noisy {
            train: mean(&mut train, setting.sigma())?,
            test: error(&mut test, &weights)?,
            test_at_radius: mean(&mut test, setting.rho)?,
        })
    }

    /// The bound at one radius, with the setting it is of.
    fn evaluate(&self, job: &Job<'_>, state: &State, rho: f64) -> Result<(Setting, Bound), ExperimentError> {
        let mut model = snapshots::training_model::<f64>(job, usize::MAX)?;
        let weights = model.weights(state)?;
        let found = climb(&mut model, &weights, &Rule::l2(rho), self.steps, rho / 2.0)?;
        let clean = model.evaluate(&weights).map_err(LearnerError::backend)?;
        let perturbed = model.evaluate(&found.at).map_err(LearnerError::backend)?;
        let setting = Setting {
            n: model.len(),
            k: model.parameter_count(),
            squared_norm: weights.iter().map(|w| w * w).sum(),
            rho,
            delta: self.delta,
        };
        let error = |e: sam_model::Evaluation| (e.count - e.correct) as f64 / e.count as f64;
        Ok((setting, setting.bound(error(perturbed).max(error(clean)))))
    }
}

impl Experiment for BoundExperiment {
    const NAME: &'static str = "bound";
    const PAPER: &'static str = "Theorem 2, appendix A.1";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let arms = [Method::Sgd, design.sam(design.rho())]
            .map(|method| Arm::new(design.named(&method.title()), design.with(method)));
        let mut networks = Vec::new();
        match &self.trained {
            Some(state) => networks.push((design.base.procedure(), design.job(), state.clone())),
            None => {
                let last = vec![design.base.epochs];
                let jobs = arms.iter().map(|arm| arm.job(0, &design.data).with_snapshots(last.clone()));
                let jobs: Vec<Job<'_>> = jobs.collect();
                runner.runs("training", &jobs)?;
                for (arm, job) in arms.iter().zip(jobs) {
                    let state = runner.state(&job, design.base.epochs)?;
                    networks.push((arm.name.clone(), job, state));
                }
            }
        }
        let title = format!("Bound on the test error, delta {}: {}", self.delta, design.subject());
        let columns = [
            "network, rho",
            "max error in the ball",
            "weights",
            "confidence",
            "O(1)",
            "square root",
            "bound",
            "images needed",
        ];
        let mut table = Table::new(title, &columns);
        let evaluated_on = design.data.evaluated_on;
        let mut findings = Findings::default();
        let columns = [
            "network, rho",
            "sigma",
            "training error under noise",
            "square root",
            "bound",
            &format!("{evaluated_on} error"),
            &format!("{evaluated_on} error, noise of rho"),
            "condition",
        ];
        let title = format!("Equation 13, and the theorem's condition on the {evaluated_on} images");
        let mut tighter = Table::new(title, &columns);
        let (mut vacuous, mut unmet) = (0, 0);
        for (name, job, state) in &networks {
            for &rho in &self.rhos {
                runner.check_interrupt()?;
                let (setting, bound) = self.evaluate(job, state, rho)?;
                vacuous += usize::from(bound.is_vacuous());
                table.row(vec![
                    format!("{name}, {rho}"),
                    significant(bound.perturbed_loss),
                    significant(bound.weights),
                    significant(bound.confidence),
                    significant(bound.union),
                    significant(bound.complexity()),
                    significant(bound.value()),
                    setting.least_images().to_string(),
                ]);
                let noisy = self.noisy(job, state, &setting)?;
                let expected = setting.expected_bound(noisy.train);
                let met = noisy.test <= noisy.test_at_radius;
                unmet += usize::from(!met);
                tighter.row(vec![
                    format!("{name}, {rho}"),
                    significant(setting.sigma()),
                    significant(noisy.train),
                    significant(expected.complexity()),
                    significant(expected.value()),
                    significant(noisy.test),
                    significant(noisy.test_at_radius),
                    if met { "met" } else { "not met" }.to_owned(),
                ]);
                findings.line(&serde_json::json!({
                    "equation_13": expected, "equation_13_bound": expected.value(), "sigma": setting.sigma(),
                    "noisy_errors": noisy, "condition_met": met,
                    "network": name, "setting": setting, "terms": bound, "complexity": bound.complexity(),
                    "bound": bound.value(), "vacuous": bound.is_vacuous(),
                    "least_images": setting.least_images(),
                }));
            }
        }
        findings.tables.extend([table, tighter]);
        let count = networks.len() * self.rhos.len();
        findings.sentences.push(format!(
            "{vacuous} of {count} bounds are vacuous: they say no more than that an error is at most 1. \"Images needed\" is \
             how many it would take for the square root alone to be below 1, with these weights."
        ));
        findings.sentences.push(format!(
            "The theorem asks that noise of the deviation rho does not lower the expected error. On the {evaluated_on} images that is so at {} of \
             {count}.",
            count - unmet
        ));
        Ok(findings)
    }
}
