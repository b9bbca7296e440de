//! What a paired comparison shows: Student's t-test over the seeds, and Holm's correction where several are made.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{counted, statistics::Estimate};

/// Pairs below which nothing is said to be beyond chance: of three, one lucky seed decides.
pub const FEWEST_PAIRS: usize = 4;
/// The probability of a verdict by chance, over all comparisons that are made at once.
const LEVEL: f64 = 0.05;
/// A spread of this part of the differences themselves is rounding.
const ROUNDING: f64 = 1e-9;

/// The mean of `a[i] - b[i]` over pairs: runs of one seed share data order, noise and initial weights, so their difference varies
/// less than either.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The mean with its interval.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// How many pairs it is of.
    pub pairs: usize,
    /// The probability of a mean at least as far from 0 if there were no difference, by Student's t-test on the pairs; `None` of a
    /// single pair, or where all differ alike.
    pub p: Option<f64>,
}

/// What is said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is beyond chance.
    Beyond,
    /// Chance explains it as well.
    NotShown,
    /// There are fewer than [`FEWEST_PAIRS`] pairs.
    TooFew,
    /// All pairs differ alike: a spread of zero is no measure of chance.
    NoSpread,
}

/// A difference among the comparisons that are made at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judged {
    /// The difference; its interval is that of this comparison alone.
    #[serde(flatten)]
    pub difference: Difference,
    /// What is said of it.
    pub verdict: Verdict,
    /// Its `p` after Holm's correction, where there is a verdict.
    pub p_holm: Option<f64>,
    /// How many comparisons were corrected for.
    pub comparisons: usize,
}

impl Difference {
    /// Of the pairs `(a, b)`.
    pub fn of(pairs: &[(f64, f64)]) -> Self {
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
        let estimate = Estimate::of(&differences);
        let scale = pairs.iter().map(|(a, b)| a.abs().max(b.abs())).fold(0.0, f64::max);
        let p = estimate.ci95.filter(|half| *half > ROUNDING * scale).and_then(|_| {
            let n = differences.len() as f64;
            let squares: f64 = differences.iter().map(|value| (value - estimate.mean).powi(2)).sum();
            let t = estimate.mean / (squares / (n - 1.0) / n).sqrt();
            Some(2.0 * StudentsT::new(0.0, 1.0, n - 1.0).ok()?.sf(t.abs()))
        });
        Self { estimate, pairs: differences.len(), p }
    }

    /// What would be said of it if there were nothing to correct for.
    fn verdict(&self, p: Option<f64>) -> Verdict {
        match p {
            _ if self.pairs < FEWEST_PAIRS => Verdict::TooFew,
            None => Verdict::NoSpread,
            Some(p) if p < LEVEL => Verdict::Beyond,
            Some(_) => Verdict::NotShown,
        }
    }
}

/// `p` of comparisons that are made at once, corrected so that all verdicts together are wrong with no more than the level's
/// probability (Holm, Scand. J. Stat. 6, 1979): the k-th smallest of `n`, counted from 0, times `n - k`, but no smaller than the
/// one before it.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![1.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max((p[i] * (p.len() - rank) as f64).min(1.0));
        corrected[i] = least;
    }
    corrected
}

/// What is said of each of the comparisons that are made at once. Those without a verdict are not corrected for.
pub fn judged(differences: &[Difference]) -> Vec<Judged> {
    let p = |difference: &Difference| difference.p.filter(|_| difference.pairs >= FEWEST_PAIRS);
    let tested: Vec<f64> = differences.iter().filter_map(p).collect();
    let mut corrected = holm(&tested).into_iter();
    let judge = |&difference: &Difference| {
        let p_holm = p(&difference).and_then(|_| corrected.next());
        let verdict = difference.verdict(p_holm);
        Judged { difference, verdict, p_holm, comparisons: tested.len() }
    };
    differences.iter().map(judge).collect()
}

impl Judged {
    /// Whether it is beyond chance.
    pub fn is_beyond(&self) -> bool {
        self.verdict == Verdict::Beyond
    }

    /// The end of a sentence that has named the difference.
    pub fn words(&self) -> String {
        let Difference { estimate, pairs, .. } = self.difference;
        let (half, seeds) = (estimate.ci95.unwrap_or(0.0), counted(pairs, "seed"));
        let half = if half < 0.005 { super::markdown::significant(half) } else { format!("{half:.2}") };
        let correction = match self.comparisons {
            0 | 1 => String::new(),
            several => format!(" after Holm's correction for {several} comparisons"),
        };
        let p = self.p_holm.map_or(String::new(), |p| format!(" (p {}{correction})", probability(p)));
        match self.verdict {
            Verdict::Beyond => format!(
                ", with a 95 % interval of \u{b1} {half} paired over {seeds}: a difference beyond chance{p}."
            ),
            Verdict::NotShown => format!(
                ", with a 95 % interval of \u{b1} {half} paired over {seeds}: no difference is shown{p}."
            ),
            Verdict::TooFew => {
                format!(", over {seeds}: too few to say how far that is chance, which takes {FEWEST_PAIRS}.")
            }
            Verdict::NoSpread => {
                format!(", the same over all {seeds}: without a spread nothing is known of chance.")
            }
        }
    }
}

fn probability(p: f64) -> String {
    if p < 1e-4 { "below 0.0001".to_owned() } else { super::markdown::significant(p) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `scipy.stats.ttest_rel(a, b).pvalue`, and `statsmodels.stats.multitest.multipletests(p, method="holm")[1]`; of `scipy` 1.17.1, statsmodels 0.15.0.
    #[test]
    fn probabilities_are_those_of_scipy_and_statsmodels() {
        for (pairs, mean, p) in T_TESTS {
            let difference = Difference::of(pairs);
            assert!((difference.estimate.mean - mean).abs() < 1e-12);
            assert!((difference.p.unwrap() / p - 1.0).abs() < 1e-9, "{:?} {p}", difference.p);
        }
        for (p, corrected) in HOLM {
            for (own, expected) in holm(p).iter().zip(corrected) {
                assert!((own - expected).abs() < 1e-12, "{p:?}: {own} {expected}");
            }
        }
    }

    type Pairs = &'static [(f64, f64)];
    /// Pairs, their mean difference, its probability.
    const T_TESTS: [(Pairs, f64, f64); 3] = [
        (&[(2.7, 3.5), (2.6, 3.4), (2.8, 3.6), (2.9, 3.3), (2.5, 3.7)], -0.8, 0.003_198_202_152_335_308_7),
        (&[(10.0, 10.5), (11.5, 11.0), (9.0, 9.75), (12.25, 11.25)], 0.062_5, 0.889_318_807_585_352_5),
        (&[(1.0, 3.0), (2.0, 5.0), (4.0, 9.0)], -3.333_333_333_333_333_5, 0.063_414_188_418_306),
    ];
    const HOLM: [(&[f64], &[f64]); 3] = [
        (&[0.01, 0.04, 0.03], &[0.03, 0.06, 0.06]),
        (&[0.5, 0.001, 0.02, 0.02, 0.9], &[1.0, 0.005, 0.08, 0.08, 1.0]),
        (&[0.3], &[0.3]),
    ];

    fn pairs(differences: &[f64]) -> Vec<(f64, f64)> {
        differences.iter().map(|difference| (10.0 + difference, 10.0)).collect()
    }

    #[test]
    fn three_seeds_and_seeds_that_all_agree_are_no_verdict() {
        let of = |differences: &[f64]| judged(&[Difference::of(&pairs(differences))])[0];
        assert_eq!(of(&[-1.0, -1.01, -0.99]).verdict, Verdict::TooFew);
        assert_eq!(of(&[-1.0, -1.01, -0.99, -1.0]).verdict, Verdict::Beyond);
        assert_eq!(of(&[-1.0; 5]).verdict, Verdict::NoSpread);
        assert_eq!(of(&[0.0; 5]).verdict, Verdict::NoSpread);
        assert_eq!(of(&[-0.1, 0.2, 0.1, -0.2]).verdict, Verdict::NotShown);
        assert_eq!(of(&[]).verdict, Verdict::TooFew);
        assert_eq!(
            of(&[1.0]).words(),
            ", over 1 seed: too few to say how far that is chance, which takes 4."
        );
        assert!(of(&[-1.0; 5]).words().contains("without a spread"));
    }

    #[test]
    fn of_many_comparisons_chance_passes_for_a_difference_no_more_often_than_of_one() {
        use crate::random::{Purpose, stream};
        use rand::RngExt;
        let family = |trial| -> Vec<Difference> {
            let mut random = stream(trial, Purpose::Order, 0, 0);
            // Sums of 12 uniform numbers less 6 are nearly normal with mean 0.
            let mut noise = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            (0..10).map(|_| Difference::of(&pairs(&std::array::from_fn::<_, 5, _>(|_| noise())))).collect()
        };
        let trials = 2_000;
        let (mut uncorrected, mut wrong) = (0, 0);
        for trial in 0..trials {
            let differences = family(trial);
            uncorrected += usize::from(differences.iter().any(|one| one.p.unwrap() < LEVEL));
            wrong += usize::from(judged(&differences).iter().any(Judged::is_beyond));
        }
        // 40 % and 5 % are expected: 803 and 97 (1 - 0.95^10; 1 - (1 - 0.005)^10), standard deviations 22 and 10.
        assert!((710..900).contains(&uncorrected), "{uncorrected}");
        assert!((57..140).contains(&wrong), "{wrong}");
    }

    proptest! {
        #[test]
        fn corrected_probabilities_keep_their_order_and_only_rise(p in prop::collection::vec(0.0..=1.0_f64, 0..12)) {
            let corrected = holm(&p);
            for (i, (&own, &raised)) in p.iter().zip(&corrected).enumerate() {
                prop_assert!((own..=1.0).contains(&raised));
                prop_assert!(raised <= (own * p.len() as f64).min(1.0) || p.iter().any(|other| *other < own));
                for j in 0..i {
                    prop_assert!(p[j] > own || corrected[j] <= raised);
                }
            }
        }

        #[test]
        fn nothing_is_beyond_chance_that_was_not_before_the_correction(
            all in prop::collection::vec(prop::collection::vec(-5.0..5.0_f64, 0..8), 1..6),
        ) {
            let differences: Vec<Difference> = all.iter().map(|one| Difference::of(&pairs(one))).collect();
            for one in judged(&differences) {
                let alone = judged(&[one.difference])[0];
                prop_assert!(!one.is_beyond() || alone.is_beyond());
                // Alone, the test and the interval are one.
                let [low, high] = one.difference.estimate.ends();
                prop_assert_eq!(alone.is_beyond(), one.difference.pairs >= FEWEST_PAIRS && (low > 0.0 || high < 0.0));
            }
        }
    }
}
