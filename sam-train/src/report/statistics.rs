//! Means of a few independent runs, with what is known about them.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean and the half-width of its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval by Student's t; `None` for a single value, which tells nothing of its spread.
    pub ci95: Option<f64>,
}

impl Estimate {
    /// The mean of `values`, which are taken for independent draws of one distribution. NaN if there are none.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let ci95 = student_t_97_5(values.len().saturating_sub(1)).map(|t| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            t * (squares / (n - 1.0) / n).sqrt()
        });
        Self { mean, ci95 }
    }

    /// The mean of `a[i] - b[i]`: runs of one seed share data order, noise and initial weights, so their difference
    /// varies less than either.
    pub fn of_differences(a: &[f64], b: &[f64]) -> Self {
        Self::of(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
    }

    /// Whether the interval is known and leaves out 0.
    pub fn excludes_zero(&self) -> bool {
        self.ci95.is_some_and(|half| self.mean.abs() > half)
    }
}

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

#[cfg(test)]
mod tests {
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

    /// Student's own sleep data (1908): hours gained by ten patients with two drugs. The textbook result is a mean
    /// difference of 1.58 with the interval 0.70 to 2.46.
    #[test]
    fn students_sleep_data_gives_the_textbook_interval() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let difference = Estimate::of_differences(&second, &first);
        let half = difference.ci95.unwrap();
        assert!((difference.mean - 1.58).abs() < 1e-12);
        assert!((difference.mean - half - 0.700_114_3).abs() < 1e-6, "{half}");
        assert!(difference.excludes_zero());
        let single = Estimate::of(&[5.0]);
        assert_eq!((single.mean, single.ci95, single.excludes_zero()), (5.0, None, false));
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
