//! How much the loss can rise nearby: projected gradient ascent, as in appendix C.6 of the paper.

use sam_core::{GradientOracle, ParamSpace, Pass, RepeatedAscent, Rule, SliceSpace};

use crate::training::learner::LearnerError;

/// What an ascent found.
#[derive(Debug, Clone, PartialEq)]
pub struct Climb {
    /// Loss at the weights.
    pub clean: f64,
    /// The highest loss met, the clean one included: a lower bound of the maximum in the ball.
    pub highest: f64,
    /// The weights where it is.
    pub at: Vec<f64>,
}

impl Climb {
    /// The rise: never negative.
    pub fn sharpness(&self) -> f64 {
        self.highest - self.clean
    }
}

/// Ascends from `weights` in the ball of `rule`, `steps` times along eq. 2 with the length `rate`, projecting after
/// each step.
///
/// With one step and `rate` equal to the radius this is SAM's first-order estimate of
/// `max L(w + eps) - L(w)` over `||eps||_p <= rho`. Cost: `steps + 1` gradients.
///
/// # Errors
/// [`LearnerError`], the oracle's.
pub fn climb<O: GradientOracle<[f64], Loss = f64>>(
    oracle: &mut O,
    weights: &[f64],
    rule: &Rule<f64>,
    steps: usize,
    rate: f64,
) -> Result<Climb, LearnerError>
where
    O::Error: std::error::Error + Send + Sync + 'static,
{
    let count = weights.len();
    let mut weights = weights.to_vec();
    let mut space = SliceSpace::new(vec![0.0; count]);
    let (mut gradient, mut eps) = (vec![0.0; count], vec![0.0; count]);
    let clean = oracle.gradient(&weights, &mut gradient, Pass::Clean).map_err(LearnerError::backend)?;
    let mut climb = Climb { clean, highest: clean, at: weights.clone() };
    space.reset(&mut eps).map_err(LearnerError::backend)?;
    for _ in 0..steps {
        let norm = space.dual_norm(&weights, &gradient, rule).map_err(LearnerError::backend)?;
        space.climb(&mut weights, &gradient, rule, &norm, rate, &mut eps).map_err(LearnerError::backend)?;
        let point = space.perturbed(&weights);
        let loss = oracle.gradient(point, &mut gradient, Pass::Perturbed).map_err(LearnerError::backend)?;
        if loss > climb.highest {
            climb.highest = loss;
            climb.at.copy_from_slice(point);
        }
    }
    Ok(climb)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sam_core::FnOracle;

    use super::*;

    /// `1/2 sum a_i w_i^2`.
    fn quadratic(a: Vec<f64>) -> impl GradientOracle<[f64], Loss = f64, Error = std::fmt::Error> {
        FnOracle(move |w: &[f64], g: &mut [f64], _| {
            g.iter_mut().zip(w.iter().zip(&a)).for_each(|(g, (w, a))| *g = a * w);
            Ok(0.5 * w.iter().zip(&a).map(|(w, a)| a * w * w).sum::<f64>())
        })
    }

    proptest! {
        /// One step: rho ||g|| + rho^2 / 2 (g.A.g) / ||g||^2.
        #[test]
        fn one_step_on_a_quadratic_has_a_closed_form(
            curved in prop::collection::vec((0.1..10.0, -3.0..3.0_f64), 1..9), rho in 0.001..1.0,
        ) {
            let (a, w): (Vec<f64>, Vec<f64>) = curved.into_iter().unzip();
            let g: Vec<f64> = w.iter().zip(&a).map(|(w, a)| a * w).collect();
            let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
            prop_assume!(norm > 1e-3);
            let curvature = g.iter().zip(&a).map(|(g, a)| a * g * g).sum::<f64>() / (norm * norm);
            let expected = rho * norm + 0.5 * rho * rho * curvature;
            let found = climb(&mut quadratic(a), &w, &Rule::l2(rho), 1, rho).unwrap().sharpness();
            prop_assert!((found - expected).abs() <= 1e-9 * expected, "{} {}", found, expected);
        }

        /// From the minimum of a quadratic, many steps reach rho^2 / 2 times the largest curvature; never more.
        #[test]
        fn many_steps_near_a_minimum_find_the_largest_curvature(a in prop::collection::vec(0.1..1.0, 2..6)) {
            let mut a = a;
            a[0] = 3.0;
            let (rho, w) = (0.1, vec![1e-6; a.len()]);
            let found = climb(&mut quadratic(a), &w, &Rule::l2(rho), 200, rho).unwrap().sharpness();
            let expected = 0.5 * rho * rho * 3.0;
            prop_assert!((found / expected - 1.0).abs() < 1e-3, "{} {}", found, expected);
        }
    }

    #[test]
    fn where_the_loss_cannot_rise_the_sharpness_is_zero() {
        let climb = climb(&mut quadratic(vec![-1.0, -2.0]), &[0.0, 0.0], &Rule::l2(0.5), 3, 0.5).unwrap();
        assert_eq!(climb.sharpness(), 0.0);
    }
}
