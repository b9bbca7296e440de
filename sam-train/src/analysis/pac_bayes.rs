//! Theorem 2 of the paper as a number (appendix A.1).

use serde::Serialize;

/// The right-hand side of the theorem, term by term.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bound {
    /// `max L_S(w + eps)` over the ball: what the caller has found of it.
    pub perturbed_loss: f64,
    /// `k log(1 + ||w||^2 / rho^2 (1 + sqrt(log n / k))^2)`: the price of the weights' size.
    pub weights: f64,
    /// `4 log(n / delta)`: the price of being right with probability `1 - delta`.
    pub confidence: f64,
    /// `8 log(6 n + 3 k)`: what the theorem hides in its O(1), from the last line of its proof.
    pub union: f64,
    /// `n - 1`.
    pub denominator: f64,
}

/// What the bound depends on besides the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Setting {
    /// Training images, from 2 up.
    pub n: usize,
    /// Weights of the network.
    pub k: usize,
    /// `||w||_2^2`.
    pub squared_norm: f64,
    /// Radius, above 0.
    pub rho: f64,
    /// Probability of being wrong, above 0 and below 1.
    pub delta: f64,
}

impl Setting {
    /// The bound on the expected loss, for a loss in [0, 1] whose maximum in the ball is `perturbed_loss`.
    pub fn bound(&self, perturbed_loss: f64) -> Bound {
        let (n, k) = (self.n as f64, self.k as f64);
        let spread = (1.0 + (n.ln() / k).sqrt()).powi(2);
        Bound {
            perturbed_loss,
            weights: k * (self.squared_norm / self.rho.powi(2) * spread).ln_1p(),
            confidence: 4.0 * (n / self.delta).ln(),
            union: 8.0 * (6.0 * n + 3.0 * k).ln(),
            denominator: n - 1.0,
        }
    }

    /// The deviation of the noise that stays in the ball of radius `rho` but with probability `1 / sqrt(n)`: `sigma` of the proof's
    /// last step.
    pub fn sigma(&self) -> f64 {
        self.rho / ((self.k as f64).sqrt() + (self.n as f64).ln().sqrt())
    }

    /// Equation 13, which the theorem is a weaker form of: the bound on the loss under noise of deviation [`Setting::sigma`] on all
    /// weights, whose mean on the training images is `expected_loss`. Half the square root and no maximum; but it is of the
    /// perturbed network.
    pub fn expected_bound(&self, expected_loss: f64) -> Bound {
        let Bound { weights, confidence, union, denominator, .. } = self.bound(0.0);
        let quarter = |term: f64| term / 4.0;
        Bound {
            perturbed_loss: expected_loss,
            weights: quarter(weights),
            confidence: quarter(confidence),
            union: quarter(union) + 0.25,
            denominator,
        }
    }

    /// The fewest images from which on the square root alone would be below 1, the network being the same: with
    /// fewer the bound says nothing whatever the loss.
    pub fn least_images(&self) -> u64 {
        let vacuous = |n: u64| Self { n: n as usize, ..*self }.bound(0.0).complexity() >= 1.0;
        let mut above = 2_u64;
        while vacuous(above) && above < 1 << 62 {
            above *= 2;
        }
        let mut below = above / 2;
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            if vacuous(middle) { below = middle } else { above = middle }
        }
        above
    }
}

impl Bound {
    /// The square root.
    pub fn complexity(&self) -> f64 {
        ((self.weights + self.confidence + self.union) / self.denominator).sqrt()
    }

    /// The bound.
    pub fn value(&self) -> f64 {
        self.perturbed_loss + self.complexity()
    }

    /// Whether it says no more than that a share is at most 1.
    pub fn is_vacuous(&self) -> bool {
        self.value() >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, with `n = k`, so that the root in the spread is of `ln n / n`:
    /// n = k = 100, ||w||^2 = 4, rho = 0.2, delta = 0.05:
    /// spread = (1 + sqrt(4.605170186 / 100))^2 = (1.214596602)^2 = 1.475244906;
    /// weights = 100 ln(1 + 100 * 1.475244907) = 500.0749865; confidence = 4 ln 2000 = 30.403609838;
    /// union = 8 ln 900 = 54.419158107; the root of 584.8977545 / 99 is 2.430649732.
    #[test]
    fn the_terms_agree_with_a_calculation_by_hand() {
        let setting = Setting { n: 100, k: 100, squared_norm: 4.0, rho: 0.2, delta: 0.05 };
        let bound = setting.bound(0.1);
        assert!((bound.weights - 500.074_986_5).abs() < 1e-6, "{}", bound.weights);
        assert!((bound.confidence - 30.403_609_8).abs() < 1e-6, "{}", bound.confidence);
        assert!((bound.union - 54.419_158_1).abs() < 1e-6, "{}", bound.union);
        assert!((bound.complexity() - 2.430_649_7).abs() < 1e-6, "{}", bound.complexity());
        assert!(bound.is_vacuous());
    }

    /// Equation 13 by hand for the same setting: sigma = 0.2 / (10 + sqrt(4.605170186)) = 0.0164663724, k sigma^2 = 0.0271141421;
    /// 25 ln(1 + 4 / 0.0271141421) = 125.018747; 1/4 + ln 2000 + 2 ln 900 = 21.455692; the root of 146.474439 / 99 is 1.21636334.
    #[test]
    fn equation_13_agrees_with_a_calculation_by_hand() {
        let setting = Setting { n: 100, k: 100, squared_norm: 4.0, rho: 0.2, delta: 0.05 };
        assert!((setting.sigma() - 0.016_466_372_4).abs() < 1e-9, "{}", setting.sigma());
        let bound = setting.expected_bound(0.1);
        let direct = 25.0 * (4.0 / (100.0 * setting.sigma().powi(2))).ln_1p();
        assert!((bound.weights - direct).abs() < 1e-9, "{} {direct}", bound.weights);
        assert!((bound.weights - 125.018_747).abs() < 1e-5, "{}", bound.weights);
        assert!((bound.confidence + bound.union - 21.455_692).abs() < 1e-5);
        assert!((bound.complexity() - 1.216_364).abs() < 1e-5, "{}", bound.complexity());
        assert!(bound.value() < setting.bound(0.1).value());
    }

    #[test]
    fn the_least_number_of_images_is_exact() {
        let setting = Setting { n: 100, k: 10, squared_norm: 1.0, rho: 0.5, delta: 0.05 };
        let least = setting.least_images();
        let complexity = |n: u64| Setting { n: n as usize, ..setting }.bound(0.0).complexity();
        assert!(complexity(least) < 1.0 && complexity(least - 1) >= 1.0, "{least}");
    }
}
