//! What the runs of one procedure gave on the test set: the mean of those that learnt, with both of its intervals, and the others by name.

use std::cmp::Ordering;

use serde::Serialize;

use super::run_store::FinishedRun;
use crate::{
    report::{
        counted,
        markdown::{self, Table},
        statistics::{Estimate, wilson},
        verdict::{Difference, Judged, judged},
    },
    training::evaluated::Evaluated,
};

/// The test errors of a procedure's runs, one of each seed, in percent.
///
/// A run that never left the start, a network that names one class, is no draw of what the procedure gives: it is named and counted
/// apart, and no mean has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Test error after the last epoch, seed by seed, of all runs.
    pub errors: Vec<f64>,
    /// The seeds whose runs never left the start.
    pub lost: Vec<u64>,
    /// The mean of the other runs, with the interval that their spread gives it.
    pub error: Estimate,
    /// The interval at 95 % that the test set alone leaves that mean, by the number of its images: more seeds do not make it
    /// narrower.
    pub test_set: Option<[f64; 2]>,
    /// Which images the errors are of.
    #[serde(skip)]
    pub evaluated_on: Evaluated,
    #[serde(skip)]
    learnt: Vec<bool>,
}

impl Outcome {
    /// Of a procedure's `runs`, in the order of their seeds.
    pub fn of(runs: &[&FinishedRun]) -> Self {
        let images = runs.first().map_or(0, |run| run.test_images);
        let each = runs.iter().map(|run| (run.settings.seed, run.test_error, run.left_start()));
        let evaluated_on = runs.first().map(|run| run.settings.data.evaluated_on()).unwrap_or_default();
        Self { evaluated_on, ..Self::of_errors(each.collect(), images) }
    }

    /// Of errors on so many images of the test set: seed, error, and whether the run has learnt.
    pub fn of_errors(runs: Vec<(u64, f64, bool)>, images: usize) -> Self {
        let lost = runs.iter().filter(|run| !run.2).map(|run| run.0).collect();
        let learnt: Vec<bool> = runs.iter().map(|run| run.2).collect();
        let errors: Vec<f64> = runs.into_iter().map(|run| run.1).collect();
        let counted: Vec<f64> = kept(&errors, &learnt).copied().collect();
        let error = Estimate::of_percentages(&counted);
        Self {
            lost,
            test_set: wilson(error.mean, images),
            evaluated_on: Evaluated::Test,
            error,
            errors,
            learnt,
        }
    }

    /// Those of `values`, one of each run, whose run has learnt.
    pub fn learnt<'a, T>(&'a self, values: &'a [T]) -> impl Iterator<Item = &'a T> {
        kept(values, &self.learnt)
    }

    /// The mean test error along training of the runs that have learnt, `runs` being all of them: epochs done, and percent.
    pub fn curve(&self, runs: &[&FinishedRun]) -> Vec<(usize, Estimate)> {
        let epochs = runs.first().map_or(&[][..], |run| &run.curve).iter().map(|&(epoch, _)| epoch);
        let at = |(i, epoch): (usize, usize)| {
            let error = |run: &&FinishedRun| Some(run.curve.get(i)?.1);
            let errors: Vec<f64> = self.learnt(runs).filter_map(error).collect();
            (epoch, Estimate::of_percentages(&errors))
        };
        epochs.enumerate().map(at).collect()
    }

    /// This procedure's error minus the other's, over the seeds with which both have learnt.
    pub fn minus(&self, other: &Self) -> Difference {
        let both = self.learnt.iter().zip(&other.learnt).map(|(a, b)| *a && *b);
        let pairs = self.errors.iter().copied().zip(other.errors.iter().copied());
        Difference::of(&pairs.zip(both).filter(|(_, both)| *both).map(|(pair, _)| pair).collect::<Vec<_>>())
    }

    /// The better one first: fewer runs that never left the start, then the lower mean error.
    pub fn by_error(&self, other: &Self) -> Ordering {
        self.lost.len().cmp(&other.lost.len()).then(self.error.mean.total_cmp(&other.error.mean))
    }

    /// `estimate`, which is over the runs that have learnt, as a cell of a table.
    pub fn cell_of(&self, estimate: &Estimate) -> String {
        match (self.lost.len(), self.errors.len()) {
            (0, _) => markdown::estimate(estimate),
            (lost, all) if lost == all => "no run left the start".to_owned(),
            (lost, all) => format!("{} ({} of {all} runs)", markdown::estimate(estimate), all - lost),
        }
    }

    /// The mean error as a cell.
    pub fn cell(&self) -> String {
        self.cell_of(&self.error)
    }

    /// What the test set alone leaves it, as a cell.
    pub fn test_set_cell(&self) -> String {
        self.test_set.map_or(String::new(), markdown::between)
    }

    /// The sentence that names the runs that never left the start, if there are any.
    pub fn lost_of(&self, name: &str) -> Option<String> {
        let seeds: Vec<String> = self.lost.iter().map(u64::to_string).collect();
        (!seeds.is_empty()).then(|| {
            format!(
                "{name}: {} of {} never left the start ({} {}) and no mean counts it: train longer, with a smaller radius or rate, or \
                 with a warm-up.",
                seeds.len(),
                counted(self.errors.len(), "run"),
                if seeds.len() == 1 { "seed" } else { "seeds" },
                seeds.join(", ")
            )
        })
    }
}

/// Which images the errors of all of these are of; the test set if there are none.
pub fn evaluated_on<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Evaluated {
    outcomes.into_iter().next().map(|outcome| outcome.evaluated_on).unwrap_or_default()
}

fn kept<'a, T>(values: &'a [T], learnt: &'a [bool]) -> impl Iterator<Item = &'a T> {
    values.iter().zip(learnt).filter(|(_, learnt)| **learnt).map(|(value, _)| value)
}

/// A named outcome minus another: what experiments compare.
pub type Compared<'a> = ((&'a str, &'a Outcome), (&'a str, &'a Outcome));

/// What all comparisons that an experiment makes show, corrected for their number.
pub fn judge(comparisons: &[Compared<'_>]) -> Vec<Judged> {
    let differences: Vec<Difference> = comparisons.iter().map(|((_, a), (_, b))| a.minus(b)).collect();
    judged(&differences)
}

/// The same in sentences, and after them one for each procedure with runs that never left the start.
pub fn sentences(comparisons: &[Compared<'_>]) -> Vec<String> {
    let sentence = |(((a, outcome), (b, _)), judged): (&Compared<'_>, &Judged)| {
        let mean = judged.difference.estimate.mean;
        if mean.is_nan() {
            return format!(
                "{a} and {b} have no seed in common with which both have learnt: nothing is compared."
            );
        }
        let direction = if mean <= 0.0 { "below" } else { "above" };
        let Outcome { evaluated_on, .. } = outcome;
        format!(
            "{a}: mean {evaluated_on} error {:.2} points {direction} that of {b}{}",
            mean.abs(),
            judged.words()
        )
    };
    let mut sentences: Vec<String> = comparisons.iter().zip(&judge(comparisons)).map(sentence).collect();
    for (name, outcome) in comparisons.iter().flat_map(|(a, b)| [a, b]) {
        if let Some(lost) = outcome.lost_of(name).filter(|lost| !sentences.contains(lost)) {
            sentences.push(lost);
        }
    }
    sentences
}

/// Adds, to each row of `table`, a last column with what the test set alone leaves its error.
pub fn add_test_set<'a>(table: &mut Table, outcomes: impl IntoIterator<Item = &'a Outcome> + Clone) {
    table.columns.push(evaluated_on(outcomes.clone()).alone());
    table.rows.iter_mut().zip(outcomes).for_each(|(row, outcome)| row.push(outcome.test_set_cell()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(errors: &[f64]) -> Outcome {
        // An error of 90 % is that of naming one of ten classes.
        let of = |(seed, &error): (usize, &f64)| (seed as u64, error, error < 90.0);
        Outcome::of_errors(errors.iter().enumerate().map(of).collect(), 600)
    }

    #[test]
    fn a_run_that_never_left_the_start_is_named_and_in_no_mean_and_in_no_pair() {
        let (sgd, sam) =
            (outcome(&[4.0, 5.0, 4.5, 4.2, 4.4, 4.6]), outcome(&[3.0, 90.0, 3.5, 3.3, 3.3, 3.7]));
        assert_eq!((sam.lost.as_slice(), sam.errors.len()), (&[1][..], 6));
        assert!((sam.error.mean - 3.36).abs() < 1e-12);
        let difference = sam.minus(&sgd);
        assert_eq!(difference.pairs, 5);
        assert!((difference.estimate.mean + 0.98).abs() < 1e-12, "{difference:?}");
        let said = sentences(&[(("SAM", &sam), ("SGD", &sgd))]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("SAM: mean test error 0.98 points below that of SGD"), "{}", said[0]);
        assert!(said[0].contains("beyond chance (p "), "{}", said[0]);
        assert!(
            said[1].starts_with("SAM: 1 of 6 runs never left the start (seed 1) and no mean counts it"),
            "{}",
            said[1]
        );
        assert!(sam.cell().ends_with("(5 of 6 runs)"), "{}", sam.cell());
    }

    #[test]
    fn a_procedure_that_learns_always_is_better_than_one_that_learns_more_but_not_always() {
        let (steady, lucky, never) = (outcome(&[4.0, 5.0]), outcome(&[1.0, 90.0]), outcome(&[90.0, 91.0]));
        assert_eq!(steady.by_error(&lucky), Ordering::Less);
        assert_eq!(lucky.by_error(&never), Ordering::Less);
        assert_eq!(never.cell(), "no run left the start");
        assert!(sentences(&[(("A", &never), ("B", &steady))])[0].contains("nothing is compared"));
    }

    #[test]
    fn the_test_set_has_an_interval_of_its_own_that_seeds_do_not_narrow() {
        let few = outcome(&[3.0, 3.0]);
        let many = outcome(&[3.0; 50]);
        assert_eq!(few.test_set, many.test_set);
        assert_eq!(many.error.interval, Some([3.0, 3.0]));
        assert_eq!(few.test_set_cell(), "1.91 to 4.69");
    }
}
