//! Which gradient is followed: SGD's, SAM's, or that of one of SAM's relatives.

mod defaults;

use sam_core::{Norm, Rule};
use serde::{Deserialize, Serialize};

use super::settings::NormExponent;

/// A training method with its hyper-parameters. `sam-core` has the formulas and their sources.
///
/// `rho` is the radius of the neighbourhood, in the units of the weights unless something else is said; the norm is
/// Euclid's where a variant has none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Method {
    /// The gradient at the weights.
    Sgd,
    /// The gradient on images mixed in pairs (Zhang et al., ICLR 2018), at the weights.
    Mixup {
        /// Both parameters of the Beta distribution that shares are drawn from; the paper tries 1, 8, 16 and 32.
        alpha: f64,
    },
    /// The gradient at the sharpest point nearby.
    Sam {
        /// Radius of the neighbourhood.
        rho: f64,
        /// Exponent of the norm it is measured in.
        norm: NormExponent,
    },
    /// SAM in a neighbourhood that scales with the weights (Kwon et al., ICML 2021).
    Asam {
        /// Radius, relative to the weights.
        rho: f64,
        /// What is added to each weight's size.
        eta: f64,
    },
    /// The gradient at a random point of the sphere (appendix C.5 of SAM's paper).
    RandomSam {
        /// Radius.
        rho: f64,
    },
    /// SAM with several projected ascent steps of the radius' length (appendix C.6).
    MultiStepSam {
        /// Radius.
        rho: f64,
        /// Ascent steps.
        steps: usize,
    },
    /// SAM with the term of second order (appendix C.4).
    SecondOrderSam {
        /// Radius.
        rho: f64,
    },
    /// The mean of the SAM gradients of groups of `m` images (section 4.1).
    MSharpness {
        /// Radius.
        rho: f64,
        /// Images that share a perturbation.
        m: usize,
    },
    /// GSAM (Zhuang et al., ICLR 2022).
    Gsam {
        /// Radius.
        rho: f64,
        /// Weight of the surrogate gap.
        alpha: f64,
    },
    /// LookSAM (Liu et al., CVPR 2022).
    LookSam {
        /// Radius.
        rho: f64,
        /// Steps from one SAM step to the next.
        k: u64,
        /// Share of the gradient's length that the reused part gets.
        alpha: f64,
    },
    /// WSAM, coupled (Yue et al., KDD 2023).
    Wsam {
        /// Radius.
        rho: f64,
        /// Weight of sharpness.
        gamma: f64,
    },
    /// Friendly SAM (Li et al., CVPR 2024).
    FriendlySam {
        /// Radius.
        rho: f64,
        /// Share of the mean gradient that is taken out.
        sigma: f64,
        /// Share of the mean that stays.
        lambda: f64,
    },
    /// Momentum SAM (Becker et al., 2024).
    MomentumSam {
        /// Radius.
        rho: f64,
    },
    /// ESAM's stochastic weight perturbation, without its choice of images (Du et al., ICLR 2022).
    Esam {
        /// Radius.
        rho: f64,
        /// Share of the weights that are perturbed.
        beta: f64,
    },
}

impl Method {
    /// The paper's SAM.
    pub const fn sam(rho: f64) -> Self {
        Self::Sam { rho, norm: NormExponent(Norm::L2) }
    }

    /// The name in commands and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Mixup { .. } => "mixup",
            Self::Sam { .. } => "sam",
            Self::Asam { .. } => "asam",
            Self::RandomSam { .. } => "random-sam",
            Self::MultiStepSam { .. } => "multi-step-sam",
            Self::SecondOrderSam { .. } => "second-order-sam",
            Self::MSharpness { .. } => "m-sharpness",
            Self::Gsam { .. } => "gsam",
            Self::LookSam { .. } => "look-sam",
            Self::Wsam { .. } => "wsam",
            Self::FriendlySam { .. } => "friendly-sam",
            Self::MomentumSam { .. } => "momentum-sam",
            Self::Esam { .. } => "esam",
        }
    }

    /// What the method does, in a line.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Sgd => "the gradient at the weights",
            Self::Mixup { .. } => "the gradient on images mixed in pairs (Zhang et al., ICLR 2018)",
            Self::Sam { .. } => "the gradient at the sharpest point nearby (Foret et al., ICLR 2021)",
            Self::Asam { .. } => {
                "SAM in a neighbourhood that scales with the weights (Kwon et al., ICML 2021)"
            }
            Self::RandomSam { .. } => "the gradient at a random point of the sphere (SAM's appendix C.5)",
            Self::MultiStepSam { .. } => "SAM with several projected ascent steps (appendix C.6)",
            Self::SecondOrderSam { .. } => "SAM with the term of second order (appendix C.4)",
            Self::MSharpness { .. } => "the mean of the SAM gradients of groups of m images (section 4.1)",
            Self::Gsam { .. } => "SAM that also closes the surrogate gap (Zhuang et al., ICLR 2022)",
            Self::LookSam { .. } => "a SAM step every k steps, reused in between (Liu et al., CVPR 2022)",
            Self::Wsam { .. } => "SAM with sharpness weighted (Yue et al., KDD 2023)",
            Self::FriendlySam { .. } => {
                "SAM that ascends along the batch's own part of the gradient (Li et al., CVPR 2024)"
            }
            Self::MomentumSam { .. } => "the gradient at a point along the momentum (Becker et al., 2024)",
            Self::Esam { .. } => {
                "SAM of a random share of the weights, one half of ESAM (Du et al., ICLR 2022)"
            }
        }
    }

    /// The method for people, without its hyper-parameters.
    pub fn title(&self) -> String {
        match self {
            Self::Asam { .. } => "ASAM".to_owned(),
            Self::Mixup { .. } => "mixup".to_owned(),
            Self::RandomSam { .. } => "random perturbation".to_owned(),
            Self::MultiStepSam { steps, .. } => format!("SAM, {steps} ascent steps"),
            Self::SecondOrderSam { .. } => "SAM, second order".to_owned(),
            Self::MSharpness { m, .. } => format!("SAM, m = {m}"),
            Self::LookSam { .. } => "LookSAM".to_owned(),
            Self::FriendlySam { .. } => "Friendly SAM".to_owned(),
            Self::MomentumSam { .. } => "Momentum SAM".to_owned(),
            Self::Esam { .. } => "ESAM (weights only)".to_owned(),
            other => other.name().to_uppercase(),
        }
    }

    /// The radius, if there is one.
    pub const fn rho(mut self) -> Option<f64> {
        match self.rho_mut() {
            Some(rho) => Some(*rho),
            None => None,
        }
    }

    const fn rho_mut(&mut self) -> Option<&mut f64> {
        match self {
            Self::Sgd | Self::Mixup { .. } => None,
            Self::Sam { rho, .. }
            | Self::Asam { rho, .. }
            | Self::RandomSam { rho }
            | Self::MultiStepSam { rho, .. }
            | Self::SecondOrderSam { rho }
            | Self::MSharpness { rho, .. }
            | Self::Gsam { rho, .. }
            | Self::LookSam { rho, .. }
            | Self::Wsam { rho, .. }
            | Self::FriendlySam { rho, .. }
            | Self::MomentumSam { rho }
            | Self::Esam { rho, .. } => Some(rho),
        }
    }

    /// Radius and norm as `sam-core` takes them; a radius of 0 where there is none.
    pub fn rule(&self) -> Rule<f32> {
        let rho = self.rho().unwrap_or(0.0) as f32;
        match *self {
            Self::Sam { norm, .. } => Rule::new(rho, norm.0),
            Self::Asam { eta, .. } => Rule::l2(rho).adaptive(eta as f32),
            _ => Rule::l2(rho),
        }
    }

    /// Gradients of a batch that a step computes, on average; of second order: a product with the Hessian counts as
    /// three, because each multiplication of a gradient becomes three.
    pub fn gradients_per_step(&self) -> f64 {
        match *self {
            Self::Sgd | Self::RandomSam { .. } | Self::MomentumSam { .. } => 1.0,
            Self::LookSam { k, .. } => 1.0 + 1.0 / k.max(1) as f64,
            Self::MultiStepSam { steps, .. } => 1.0 + steps as f64,
            Self::SecondOrderSam { .. } => 5.0,
            _ => 2.0,
        }
    }

    /// Words a weight that the method keeps beside weights, gradient and momentum, at least.
    pub fn buffers(&self) -> usize {
        match self {
            Self::Sgd => 0,
            Self::Gsam { .. } | Self::Wsam { .. } | Self::MultiStepSam { .. } | Self::MSharpness { .. } => 2,
            Self::LookSam { .. } | Self::FriendlySam { .. } | Self::SecondOrderSam { .. } => 3,
            _ => 1,
        }
    }

    /// What is wrong with the hyper-parameters, if anything: name, range, value.
    pub(super) fn invalid(&self) -> Option<(&'static str, &'static str, String)> {
        let from_zero = |value: f64| value >= 0.0 && (value as f32).is_finite();
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let rho = self.rho().unwrap_or(0.0);
        let wrong = |valid: bool, name, range, value: f64| (!valid).then(|| (name, range, value.to_string()));
        wrong(from_zero(rho), "rho", "a number from 0 up", rho).or_else(|| match *self {
            Self::Mixup { alpha } => {
                wrong(from_zero(alpha) && alpha > 0.0, "alpha", "a number above 0", alpha)
            }
            Self::Asam { eta, .. } => wrong(from_zero(eta), "eta", "a number from 0 up", eta),
            Self::MSharpness { m: 0, .. } => wrong(false, "m", "a number from 1 up", 0.0),
            Self::MultiStepSam { steps: 0, .. } => wrong(false, "steps", "a number from 1 up", 0.0),
            Self::LookSam { k: 0, .. } => wrong(false, "k", "a number from 1 up", 0.0),
            Self::Gsam { alpha, .. } | Self::LookSam { alpha, .. } => {
                wrong(from_zero(alpha), "alpha", "a number from 0 up", alpha)
            }
            Self::Wsam { gamma, .. } => {
                wrong((0.0..1.0).contains(&gamma), "gamma", "a number from 0 up and below 1", gamma)
            }
            Self::FriendlySam { sigma, lambda, .. } => {
                wrong(from_zero(sigma), "sigma", "a number from 0 up", sigma).or_else(|| {
                    wrong((0.0..1.0).contains(&lambda), "lambda", "a number from 0 up and below 1", lambda)
                })
            }
            Self::Esam { beta, .. } => {
                wrong(share(beta) && beta > 0.0, "beta", "a share, above 0 to 1", beta)
            }
            _ => None,
        })
    }
}
