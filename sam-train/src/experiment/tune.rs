//! Radius and learning rate by successive halving (Jamieson and Talwalkar, AISTATS 2016) on images held out of the training set.

use serde_json::json;

use super::{
    ExperimentError,
    arms::{Arm, ArmResult, jobs},
    design::{Design, Experiment},
    findings::{Findings, Picture},
    run_store::FinishedRun,
    runner::Runner,
};
use crate::{
    report::{
        counted,
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::{self, Table},
    },
    training::settings::{Method, Settings},
};

/// Candidates that are trained for longer and longer, the better half of them each time.
#[derive(Debug, Clone)]
pub struct Tune {
    /// Radii to try; 0 is the plain gradient.
    pub rhos: Vec<f64>,
    /// Learning rates to try each of them with.
    pub lrs: Vec<f64>,
    /// How often there is a choice: each time with twice the epochs, the last time with all of them.
    pub rungs: usize,
}

/// A radius with a learning rate, and what it gave so far.
#[derive(Debug, Clone)]
struct Candidate {
    rho: f64,
    lr: f64,
    /// After each rung that it was trained on.
    results: Vec<ArmResult>,
}

impl Candidate {
    fn name(&self) -> String {
        let Self { rho, lr, .. } = self;
        if *rho == 0.0 { format!("SGD, lr {lr}") } else { format!("rho {rho}, lr {lr}") }
    }

    /// The settings of its run with so many epochs, all else as `base` has it.
    fn settings(&self, base: &Settings, epochs: usize) -> Settings {
        let mut settings = base.clone();
        settings.method = if self.rho == 0.0 { Method::Sgd } else { base.method.with_rho(self.rho) };
        (settings.sgd.lr, settings.epochs) = (self.lr, epochs);
        // A method's first epoch, and an average's, lie in the run however short it is.
        settings.ascent.from_epoch = settings.ascent.from_epoch.min(epochs);
        settings
    }

    /// Its mean validation error on the last rung that it was on.
    fn error(&self) -> f64 {
        self.results.last().map_or(f64::INFINITY, |result| result.error.mean)
    }
}

impl Tune {
    /// Epochs of each rung in a run of `epochs`: halved from the last one backwards, but never below 1.
    fn epochs(&self, epochs: usize) -> Vec<usize> {
        let mut rungs: Vec<usize> =
            (0..self.rungs).rev().map(|back| (epochs >> back.min(63)).max(1)).collect();
        rungs.dedup();
        rungs
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut rhos = self.rhos.clone();
        rhos.sort_by(f64::total_cmp);
        rhos.dedup();
        let of = |&rho: &f64| self.lrs.iter().map(move |&lr| Candidate { rho, lr, results: Vec::new() });
        rhos.iter().flat_map(of).collect()
    }

    fn train(
        runner: &mut Runner<'_>,
        design: &Design,
        epochs: usize,
        candidates: &mut [&mut Candidate],
    ) -> Result<(), ExperimentError> {
        let arms: Vec<Arm> =
            candidates.iter().map(|one| Arm::new(one.name(), one.settings(&design.base, epochs))).collect();
        let work = format!("trying {} of them for {}", candidates.len(), counted(epochs, "epoch"));
        let runs = runner.runs(&work, &jobs(&arms, design.seeds, &design.data, &[]))?;
        for (i, (candidate, arm)) in candidates.iter_mut().zip(&arms).enumerate() {
            let own: Vec<&FinishedRun> = runs.iter().skip(i).step_by(arms.len()).collect();
            candidate.results.push(ArmResult::new(&arm.name, &own));
        }
        Ok(())
    }
}

/// The better half, rounded up, in its old order, and the best plain gradient, which SAM is to be compared with. Of equal errors the
/// smaller radius and the smaller rate count as better.
fn better_half(of: &[&mut Candidate]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..of.len()).collect();
    let key = |i: usize| (of[i].error(), of[i].rho, of[i].lr);
    order.sort_by(|&a, &b| {
        let (a, b) = (key(a), key(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
    });
    let mut kept = vec![false; of.len()];
    order.iter().take(of.len().div_ceil(2)).for_each(|&i| kept[i] = true);
    if let Some(&plain) = order.iter().find(|&&i| of[i].rho == 0.0) {
        kept[plain] = true;
    }
    kept
}

impl Experiment for Tune {
    const NAME: &'static str = "tune";
    const PAPER: &'static str = "Section 3.1: hyper-parameters from a validation set";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let rungs = self.epochs(design.base.epochs);
        let mut candidates = self.candidates();
        let mut alive = vec![true; candidates.len()];
        for (rung, &epochs) in rungs.iter().enumerate() {
            let of = |alive: &[bool], i: usize| alive[i];
            let mut field: Vec<&mut Candidate> = candidates
                .iter_mut()
                .enumerate()
                .filter(|(i, _)| of(&alive, *i))
                .map(|(_, one)| one)
                .collect();
            Self::train(runner, design, epochs, &mut field)?;
            if rung + 1 < rungs.len() {
                let mut kept = better_half(&field).into_iter();
                alive
                    .iter_mut()
                    .filter(|alive| **alive)
                    .for_each(|alive| *alive = kept.next().unwrap_or(false));
            }
        }
        let last = |candidate: &&Candidate| candidate.results.len() == rungs.len();
        let finalists: Vec<&Candidate> = candidates.iter().filter(last).collect();
        let mut findings = Findings {
            tables: vec![table(&candidates, &rungs, design)],
            pictures: vec![Picture::figure("tune", picture(&candidates, rungs[0], design))],
            sentences: sentences(&finalists, design.seeds),
            ..Findings::default()
        };
        for candidate in &candidates {
            let errors: Vec<_> = candidate.results.iter().map(|result| result.error).collect();
            findings.line(&json!({
                "rho": candidate.rho, "lr": candidate.lr, "epochs": &rungs[..errors.len()], "validation_errors": errors,
                "chosen": best(&finalists).is_some_and(|best| (best.rho, best.lr) == (candidate.rho, candidate.lr)),
            }));
        }
        Ok(findings)
    }
}

/// The finalist with the lowest mean error; of equals the smaller radius, then the smaller rate.
fn best<'a>(finalists: &[&'a Candidate]) -> Option<&'a Candidate> {
    let order = |a: &&&Candidate, b: &&&Candidate| a.error().total_cmp(&b.error());
    finalists.iter().min_by(order).copied()
}

/// Which one is best, and which ones cannot be told from it.
fn sentences(finalists: &[&Candidate], seeds: usize) -> Vec<String> {
    let Some(best) = best(finalists) else { return Vec::new() };
    let last = |candidate: &Candidate| candidate.results.last().cloned();
    let (mut worse, mut same) = (Vec::new(), Vec::new());
    for other in finalists.iter().filter(|other| (other.rho, other.lr) != (best.rho, best.lr)) {
        let apart =
            last(other).zip(last(best)).is_some_and(|(other, best)| other.minus(&best).excludes_zero());
        if apart { worse.push(other.name()) } else { same.push(other.name()) }
    }
    let mut sentences = vec![format!(
        "Lowest mean validation error: {} ({:.2} % over {}).",
        best.name(),
        best.error(),
        counted(seeds, "seed")
    )];
    match (same.is_empty(), seeds) {
        (true, _) if worse.is_empty() => {}
        (true, _) => sentences.push(format!("Worse by more than chance (95 %, paired by seed): {}.", worse.join("; "))),
        (false, 1) => sentences.push(format!(
            "With one seed nothing says how far the order is chance: {} cannot be told apart from it; take more seeds.",
            same.join("; ")
        )),
        (false, _) => {
            let worse = if worse.is_empty() { String::new() } else { format!(" Worse: {}.", worse.join("; ")) };
            sentences.push(format!(
                "Cannot be told apart from it (95 %, paired by seed): {}. More seeds or more held-out images would tell, or it \
                 does not matter which.{worse}",
                same.join("; ")
            ));
        }
    }
    sentences
}

fn table(candidates: &[Candidate], rungs: &[usize], design: &Design) -> Table {
    let names: Vec<String> =
        rungs.iter().map(|&epochs| format!("error after {} (%)", counted(epochs, "epoch"))).collect();
    let columns: Vec<&str> = ["candidate"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let held_out = design.data.dataset.test.len();
    let title = format!("Successive halving on {held_out} held-out images: {}", design.subject());
    let mut table = Table::new(title, &columns);
    for candidate in candidates {
        let mut row = vec![candidate.name()];
        let cell = |rung: usize| {
            candidate.results.get(rung).map_or(String::new(), |result| markdown::estimate(&result.error))
        };
        row.extend((0..rungs.len()).map(cell));
        table.row(row);
    }
    table
}

/// The first rung, which all candidates were on.
fn picture(candidates: &[Candidate], epochs: usize, design: &Design) -> Figure {
    let (mut rhos, mut lrs): (Vec<f64>, Vec<f64>) = candidates.iter().map(|one| (one.rho, one.lr)).unzip();
    for values in [&mut rhos, &mut lrs] {
        values.sort_by(f64::total_cmp);
        values.dedup();
    }
    let point = |lr: f64, (x, &rho): (usize, &f64)| {
        let one = candidates.iter().find(|one| (one.rho, one.lr) == (rho, lr))?;
        Some(Point { x: x as f64, y: one.results.first()?.error })
    };
    let series = lrs.iter().enumerate().map(|(color, &lr)| Series {
        name: format!("lr {lr}"),
        color,
        style: Style::Line,
        points: rhos.iter().enumerate().filter_map(|at| point(lr, at)).collect(),
    });
    let names = rhos.iter().map(|rho| if *rho == 0.0 { "SGD".to_owned() } else { rho.to_string() });
    Figure {
        title: format!("Radius and learning rate: {}", design.subject()),
        panels: vec![Panel {
            title: format!(
                "All candidates after {}: mean and 95 % confidence interval",
                counted(epochs, "epoch")
            ),
            x: Horizontal::Categories("rho".to_owned(), names.collect()),
            y: "validation error (%)".to_owned(),
            from_zero: true,
            logarithmic: false,
            series: series.collect(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::statistics::Estimate;

    fn candidate(rho: f64, lr: f64, errors: &[f64]) -> Candidate {
        let result = ArmResult {
            name: String::new(),
            errors: errors.to_vec(),
            error: Estimate::of(errors),
            best_error: Estimate::of(errors),
            train_loss: Estimate::of(errors),
            wrong_labels: 0.0,
            gradients_per_step: 2.0,
            ms_per_step: 1.0,
            curve: Vec::new(),
        };
        Candidate { rho, lr, results: vec![result] }
    }

    #[test]
    fn a_rung_has_twice_the_epochs_of_the_one_before_and_the_last_has_all() {
        let rungs = |rungs, epochs| Tune { rhos: vec![], lrs: vec![], rungs }.epochs(epochs);
        assert_eq!(rungs(3, 40), [10, 20, 40]);
        assert_eq!(rungs(1, 40), [40]);
        assert_eq!(rungs(5, 3), [1, 3]);
    }

    #[test]
    fn the_better_half_goes_on_and_sgd_too_and_ties_go_to_the_smaller_radius() {
        let mut all = [
            candidate(0.0, 0.1, &[9.0]),
            candidate(0.0, 0.2, &[8.0]),
            candidate(0.1, 0.1, &[2.0]),
            candidate(0.2, 0.1, &[1.0]),
            candidate(0.4, 0.1, &[2.0]),
            candidate(0.8, 0.1, &[7.0]),
        ];
        let field: Vec<&mut Candidate> = all.iter_mut().collect();
        assert_eq!(better_half(&field), [false, true, true, true, true, false]);
        let field: Vec<&mut Candidate> = all[2..5].iter_mut().collect();
        assert_eq!(better_half(&field), [true, true, false]);
    }

    #[test]
    fn radii_are_told_apart_where_all_seeds_agree_and_else_it_is_said_that_they_are_not() {
        let (best, near) = (candidate(0.1, 0.1, &[2.0, 3.0, 4.0]), candidate(0.2, 0.1, &[2.5, 2.9, 4.1]));
        let far = candidate(0.4, 0.1, &[7.0, 8.1, 9.0]);
        let said = sentences(&[&best, &near, &far], 3).join(" ");
        assert!(said.contains("error: rho 0.1, lr 0.1 (3.00 % over 3 seeds)"), "{said}");
        assert!(said.contains("told apart from it (95 %, paired by seed): rho 0.2, lr 0.1."), "{said}");
        assert!(said.contains("Worse: rho 0.4, lr 0.1."), "{said}");
        let one = |rho, error| candidate(rho, 0.1, &[error]);
        let said = sentences(&[&one(0.1, 2.0), &one(0.2, 3.0)], 1).join(" ");
        assert!(said.contains("take more seeds"), "{said}");
    }
}
