//! Radius and learning rate by successive halving (Jamieson and Talwalkar, AISTATS 2016) on images held out of the training set.

use std::cmp::Ordering;

use serde_json::json;

use super::{
    ExperimentError,
    arms::{Arm, ArmResult, jobs},
    design::{Design, Experiment},
    findings::{Findings, Picture},
    outcome::Outcome,
    run_store::FinishedRun,
    runner::Runner,
};
use crate::{
    report::{
        counted,
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::Table,
        verdict::{Difference, FEWEST_PAIRS, Verdict, judged},
    },
    training::{
        base::Base,
        settings::{Method, Settings},
    },
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
    /// What follows its gradients, and is all of it at a radius of 0.
    base: Base,
    rho: f64,
    lr: f64,
    /// After each rung that it was trained on.
    results: Vec<ArmResult>,
}

impl Candidate {
    fn name(&self) -> String {
        let Self { rho, lr, .. } = self;
        if *rho == 0.0 { format!("{}, lr {lr}", self.base.title()) } else { format!("rho {rho}, lr {lr}") }
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

    /// The better one first: by the last rung that it was on, then by the smaller radius and rate.
    fn order(&self, other: &Self) -> Ordering {
        let last = |one: &Self| one.results.last().map(|result| result.outcome.clone());
        let by_error =
            last(self).zip(last(other)).map_or(Ordering::Equal, |(own, other)| own.by_error(&other));
        by_error.then(self.rho.total_cmp(&other.rho)).then(self.lr.total_cmp(&other.lr))
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

    fn candidates(&self, base: Base) -> Vec<Candidate> {
        let mut rhos = self.rhos.clone();
        rhos.sort_by(f64::total_cmp);
        rhos.dedup();
        let of =
            |&rho: &f64| self.lrs.iter().map(move |&lr| Candidate { base, rho, lr, results: Vec::new() });
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

/// The better half, rounded up, in its old order, and the best of the plain gradients and of the radii, so that the last rung has both to
/// compare. Of equal errors the smaller radius and the smaller rate count as better.
fn better_half(of: &[&mut Candidate]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..of.len()).collect();
    order.sort_by(|&a, &b| of[a].order(of[b]));
    let mut kept = vec![false; of.len()];
    order.iter().take(of.len().div_ceil(2)).for_each(|&i| kept[i] = true);
    for plain in [true, false] {
        if let Some(&best) = order.iter().find(|&&i| (of[i].rho == 0.0) == plain) {
            kept[best] = true;
        }
    }
    kept
}

impl Experiment for Tune {
    const NAME: &'static str = "tune";
    const PAPER: &'static str = "Section 3.1: hyper-parameters from a validation set";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let rungs = self.epochs(design.base.epochs);
        let mut candidates = self.candidates(design.base.base);
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
            let errors: Vec<_> = candidate.results.iter().map(|result| result.outcome.error).collect();
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
    finalists.iter().min_by(|a, b| a.order(b)).copied()
}

/// Which one is best, and which ones cannot be told from it.
fn sentences(finalists: &[&Candidate], seeds: usize) -> Vec<String> {
    let Some(best) = best(finalists) else { return Vec::new() };
    let last = |candidate: &Candidate| candidate.results.last().map(|result| result.outcome.clone());
    let Some(lowest) = last(best) else { return Vec::new() };
    let others: Vec<(&Candidate, Outcome)> = finalists
        .iter()
        .filter(|other| (other.rho, other.lr) != (best.rho, best.lr))
        .filter_map(|other| Some((*other, last(other)?)))
        .collect();
    let differences: Vec<Difference> = others.iter().map(|(_, other)| other.minus(&lowest)).collect();
    let named = |verdict: fn(Verdict) -> bool| -> String {
        let chosen = others.iter().zip(judged(&differences)).filter(|(_, judged)| verdict(judged.verdict));
        chosen.map(|((other, _), _)| other.name()).collect::<Vec<_>>().join("; ")
    };
    let (worse, same) = (named(|one| one == Verdict::Beyond), named(|one| one != Verdict::Beyond));
    let of = counted(seeds, "seed");
    let mut sentences = vec![format!(
        "Lowest mean validation error: {} ({:.2} % over {of}).",
        best.name(),
        lowest.error.mean
    )];
    if !worse.is_empty() {
        sentences
            .push(format!("Worse beyond chance (95 %, paired by seed, after Holm's correction): {worse}."));
    }
    if !same.is_empty() && seeds < FEWEST_PAIRS {
        sentences.push(format!(
            "{of} cannot say how far the order is chance, which takes {FEWEST_PAIRS}: {same} cannot be told apart from it."
        ));
    } else if !same.is_empty() {
        sentences.push(format!(
            "Cannot be told apart from it (95 %, paired by seed, after Holm's correction): {same}. More seeds or more held-out images \
             would tell, or it does not matter which."
        ));
    }
    for candidate in finalists {
        sentences.extend(last(candidate).and_then(|outcome| outcome.lost_of(&candidate.name())));
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
        let cell =
            |rung: usize| candidate.results.get(rung).map_or(String::new(), |result| result.outcome.cell());
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
        Some(Point { x: x as f64, y: one.results.first()?.outcome.error })
    };
    let series = lrs.iter().enumerate().map(|(color, &lr)| Series {
        name: format!("lr {lr}"),
        color,
        style: Style::Line,
        points: rhos.iter().enumerate().filter_map(|at| point(lr, at)).collect(),
    });
    let names = rhos.iter().map(|rho| if *rho == 0.0 { design.base.base.title() } else { rho.to_string() });
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
            outcome: Outcome::of_errors(errors.iter().map(|&error| (0, error, error < 90.0)).collect(), 100),
            best_error: Estimate::of(errors),
            train_loss: Estimate::of(errors),
            wrong_labels: 0.0,
            gradients_per_step: 2.0,
            ms_per_step: 1.0,
            curve: Vec::new(),
        };
        Candidate { base: Base::Sgd, rho, lr, results: vec![result] }
    }

    #[test]
    fn a_rung_has_twice_the_epochs_of_the_one_before_and_the_last_has_all() {
        let rungs = |rungs, epochs| Tune { rhos: vec![], lrs: vec![], rungs }.epochs(epochs);
        assert_eq!(rungs(3, 40), [10, 20, 40]);
        assert_eq!(rungs(1, 40), [40]);
        assert_eq!(rungs(5, 3), [1, 3]);
    }

    #[test]
    fn the_better_half_goes_on_and_the_best_without_and_with_a_radius_and_ties_go_to_the_smaller_radius() {
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
        let mut small = [candidate(0.0, 0.1, &[1.0]), candidate(0.1, 0.1, &[2.0])];
        let field: Vec<&mut Candidate> = small.iter_mut().collect();
        assert_eq!(better_half(&field), [true, true]);
    }

    #[test]
    fn radii_are_told_apart_where_all_seeds_agree_and_else_it_is_said_that_they_are_not() {
        let best = candidate(0.1, 0.1, &[2.0, 3.0, 4.0, 3.0]);
        let near = candidate(0.2, 0.1, &[2.5, 2.9, 4.1, 2.9]);
        let far = candidate(0.4, 0.1, &[7.0, 8.1, 9.0, 8.0]);
        let said = sentences(&[&best, &near, &far], 4).join(" ");
        assert!(said.contains("error: rho 0.1, lr 0.1 (3.00 % over 4 seeds)"), "{said}");
        assert!(said.contains("Cannot be told apart from it (95 %, paired by seed, after Holm's correction): rho 0.2, lr 0.1."), "{said}");
        assert!(
            said.contains(
                "Worse beyond chance (95 %, paired by seed, after Holm's correction): rho 0.4, lr 0.1."
            ),
            "{said}"
        );
        let three = |rho, shift: f64| candidate(rho, 0.1, &[2.0 + shift, 3.0 + shift, 4.1 + shift]);
        let said = sentences(&[&three(0.1, 0.0), &three(0.2, 5.0)], 3).join(" ");
        assert!(
            said.contains("3 seeds cannot say how far the order is chance, which takes 4: rho 0.2"),
            "{said}"
        );
    }

    #[test]
    fn a_radius_whose_runs_do_not_all_leave_the_start_is_not_chosen_for_the_error_of_the_others() {
        let (steady, lucky) = (candidate(0.1, 0.1, &[5.0, 5.0]), candidate(0.2, 0.1, &[1.0, 90.0]));
        assert_eq!(best(&[&lucky, &steady]).map(|one| one.rho), Some(0.1));
        let said = sentences(&[&lucky, &steady], 2).join(" ");
        assert!(said.contains("rho 0.2, lr 0.1: 1 of 2 runs never left the start"), "{said}");
    }
}
