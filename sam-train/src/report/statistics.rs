//! Means of a few independent runs, with what is known about them.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean and its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean; NaN of no values.
    pub mean: f64,
    /// Half the width of the interval by Student's t; `None` for a single value, which tells nothing of its spread.
    pub ci95: Option<f64>,
    /// The ends of the interval, inside the values that the quantity can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Estimate {
    /// The mean of `values`, which are taken for independent draws of one distribution.
    pub fn of(values: &[f64]) -> Self {
        Self::within(values, [f64::NEG_INFINITY, f64::INFINITY])
    }

    /// The mean of `values` in percent of a whole: its interval ends at 0 and at 100.
    pub fn of_percentages(values: &[f64]) -> Self {
        Self::within(values, [0.0, 100.0])
    }

    fn within(values: &[f64], [least, most]: [f64; 2]) -> Self {
        if values.is_empty() {
            // A quotient of zeros may have the other sign, by which NaN would come first in order.
            return Self::exact(f64::NAN);
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let ci95 = student_t_97_5(values.len() - 1).map(|t| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            t * (squares / (n - 1.0) / n).sqrt()
        });
        let interval = ci95.map(|half| [(mean - half).max(least), (mean + half).min(most)]);
        Self { mean, ci95, interval }
    }

    /// A value without an interval.
    pub const fn exact(mean: f64) -> Self {
        Self { mean, ci95: None, interval: None }
    }

    /// What is left of 100 percent: an accuracy from an error.
    #[must_use]
    pub fn complement(self) -> Self {
        let interval = self.interval.map(|[low, high]| [100.0 - high, 100.0 - low]);
        Self { mean: 100.0 - self.mean, interval, ..self }
    }

    /// The ends of the interval; the mean twice where there is none.
    pub fn ends(&self) -> [f64; 2] {
        self.interval.unwrap_or([self.mean; 2])
    }
}

/// The score interval of Wilson (J. Am. Stat. Assoc. 22, 1927) at 95 % of a share in percent that was counted on so many
/// independent images: how far the images that happen to be in a test set leave it open. Inside [0, 100], and of some width for
/// shares of 0 and 100 too. `None` without images, or without a share.
pub fn wilson(percent: f64, images: usize) -> Option<[f64; 2]> {
    if images == 0 || !percent.is_finite() {
        return None;
    }
    let (share, n) = (percent / 100.0, images as f64);
    let square = NORMAL_97_5 * NORMAL_97_5;
    let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
    let spread = (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    let half = NORMAL_97_5 * spread / (1.0 + square / n);
    Some([(100.0 * (middle - half)).max(0.0), (100.0 * (middle + half)).min(100.0)])
}

/// The value that a standard normal variable exceeds with probability 2.5 %.
const NORMAL_97_5: f64 = 1.959_963_984_540_054;

/// The value that Student's t with `degrees` degrees of freedom exceeds with probability 2.5 %.
pub fn student_t_97_5(degrees: usize) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, degrees as f64).ok()?;
    Some(distribution.inverse_cdf(0.975))
}

/// The middle value, or the mean of the two middle ones; `None` if there are none. Reorders `values`.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// First quartile, median and third quartile, each a value that is there; `None` if there are none. Reorders `values`.
pub fn quartiles(values: &mut [f64]) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some([1, 2, 3].map(|quarter| values[(last * quarter + 2) / 4]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Quantiles as printed in tables (e.g. NIST/SEMATECH e-Handbook, 1.3.6.7.2).
    #[test]
    fn student_t_agrees_with_the_tables() {
        let table = [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (19, 2.093), (30, 2.042), (100, 1.984)];
        for (degrees, expected) in table {
            let t = student_t_97_5(degrees).unwrap();
            assert!((t - expected).abs() < 5.1e-4, "{degrees}: {t}");
        }
        assert_eq!(student_t_97_5(0), None);
    }

    #[test]
    fn quartiles_are_values_a_quarter_from_the_ends() {
        assert_eq!(quartiles(&mut []), None);
        assert_eq!(quartiles(&mut [7.0]), Some([7.0; 3]));
        assert_eq!(quartiles(&mut [5.0, 1.0, 4.0, 2.0, 3.0]), Some([2.0, 3.0, 4.0]));
    }

    /// Student's own sleep data (1908): hours gained by ten patients with two drugs. The textbook result is a mean
    /// difference of 1.58 with the interval 0.70 to 2.46.
    #[test]
    fn students_sleep_data_gives_the_textbook_interval() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let differences: Vec<f64> = second.iter().zip(first).map(|(a, b)| a - b).collect();
        let difference = Estimate::of(&differences);
        let half = difference.ci95.unwrap();
        assert!((difference.mean - 1.58).abs() < 1e-12);
        assert!((difference.mean - half - 0.700_114_3).abs() < 1e-6, "{half}");
        assert_eq!(difference.interval, Some([difference.mean - half, difference.mean + half]));
        assert_eq!(Estimate::of(&[5.0]), Estimate::exact(5.0));
    }

    /// `scipy.stats.t.interval(0.95, n - 1, mean, sem)`, and `statsmodels.stats.proportion.proportion_confint(count, n,
    /// method="wilson")`; of `scipy` 1.17.1, statsmodels 0.15.0.
    #[test]
    fn intervals_are_those_of_scipy_and_statsmodels() {
        for (values, mean, low, high) in T_INTERVALS {
            let Estimate { mean: own, interval, .. } = Estimate::of(values);
            let [a, b] = interval.unwrap();
            for (own, expected) in [(own, mean), (a, low), (b, high)] {
                assert!((own - expected).abs() < 1e-9 * expected.abs().max(1.0), "{own} {expected}");
            }
        }
        for (count, images, low, high) in WILSON {
            let [a, b] = wilson(100.0 * count as f64 / images as f64, images).unwrap();
            assert!(
                (a - 100.0 * low).abs() < 1e-9 && (b - 100.0 * high).abs() < 1e-9,
                "{count}/{images}: {a} {b}"
            );
        }
        assert_eq!((wilson(5.0, 0), wilson(f64::NAN, 10)), (None, None));
    }

    const T_INTERVALS: [(&[f64], f64, f64, f64); 3] = [
        (&[3.5, 3.1, 2.9, 3.3, 3.6], 3.280_000_000_000_000_2, 2.924_441_541_060_124_5, 3.635_558_458_939_876),
        (&[0.25, 0.75], 0.5, -2.676_551_184_043_673_5, 3.676_551_184_043_673_5),
        (
            &[91.0, 88.5, 90.25, 89.75, 90.0, 91.5, 88.0],
            89.857_142_857_142_86,
            88.694_498_397_999_45,
            91.019_787_316_286_27,
        ),
    ];
    const WILSON: [(usize, usize, f64, f64); 5] = [
        (0, 600, 0.0, 0.006_361_701_013_700_713),
        (19, 600, 0.020_364_911_485_651_817, 0.048_927_215_130_514_53),
        (350, 10000, 0.031_572_809_892_695_966, 0.038_784_308_592_033_26),
        (10000, 10000, 0.999_616_001_629_323_4, 1.0),
        (1, 2, 0.094_531_205_734_230_68, 0.905_468_794_265_769_3),
    ];

    proptest! {
        #[test]
        fn intervals_of_percentages_hold_their_mean_and_stay_inside_the_whole(
            values in prop::collection::vec(0.0..=100.0_f64, 1..12), images in 1..5000_usize,
        ) {
            let estimate = Estimate::of_percentages(&values);
            let [low, high] = estimate.ends();
            prop_assert!(0.0 <= low && low <= estimate.mean && estimate.mean <= high && high <= 100.0);
            let [lost, kept] = estimate.complement().ends();
            prop_assert!((0.0..=100.0).contains(&lost) && (0.0..=100.0).contains(&kept) && lost <= kept);
            let [low, high] = wilson(estimate.mean, images).unwrap();
            prop_assert!(0.0 <= low && low <= estimate.mean + 1e-9 && estimate.mean <= high + 1e-9 && high <= 100.0);
            prop_assert!(low < high, "no number of images makes a share certain");
        }
    }

    /// Of many samples of known mean, 95 % of the intervals must cover it.
    #[test]
    fn intervals_cover_the_true_mean_as_often_as_they_say() {
        use crate::random::{Purpose, stream};
        use rand::RngExt;
        let trials = 10_000;
        let covered = (0..trials)
            .filter(|&trial| {
                let mut random = stream(trial, Purpose::Order, 0, 0);
                // Sums of 12 uniform numbers are nearly normal with mean 6.
                let sample: [f64; 5] =
                    std::array::from_fn(|_| (0..12).map(|_| random.random::<f64>()).sum::<f64>());
                let estimate = Estimate::of(&sample);
                (estimate.mean - 6.0).abs() <= estimate.ci95.unwrap()
            })
            .count();
        // 9,500 expected, standard deviation 22.
        assert!((9_400..9_600).contains(&covered), "{covered}");
    }

    #[test]
    fn the_median_splits_the_values_in_two_halves() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 10.0]), Some(3.0));
        assert_eq!(median(&mut []), None);
    }
}
