//! What "the worst point nearby" means: a radius, a norm, and whether the ball scales with the weights.

#[cfg(feature = "serde")]
mod serialized;

use core::fmt;

use crate::{InvalidSetting, Real};

/// The p-norm that bounds the perturbation, with `1/p + 1/q = 1`.
///
/// Variants may be matched by a backend; a general `p` is made by [`Norm::from_p`], so `p` and `q` always
/// belong together.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Norm {
    #[cfg(feature = "norms")]
    /// `p = 1`: the whole radius goes to the one coordinate with the largest gradient (the first of several).
    L1,
    /// `p = 2`: along the gradient. What the paper trains with.
    L2,
    #[cfg(feature = "norms")]
    /// `p = inf`: the radius in every coordinate, by the gradient's sign.
    LInf,
    #[cfg(feature = "norms")]
    /// Any other `1 < p < inf`.
    #[non_exhaustive]
    Lp {
        /// The norm's exponent.
        p: f64,
        /// The dual norm's exponent, `p / (p - 1)`.
        q: f64,
    },
}

impl Norm {
    /// The norm with exponent `p`, `1 <= p <= inf`.
    ///
    /// # Errors
    /// [`InvalidExponent`] for anything else: below 1 there is no norm, hence no dual. Without the feature `norms` for anything but 2.
    pub fn from_p(p: f64) -> Result<Self, InvalidExponent> {
        match p {
            2.0 => Ok(Self::L2),
            #[cfg(feature = "norms")]
            1.0 => Ok(Self::L1),
            #[cfg(feature = "norms")]
            f64::INFINITY => Ok(Self::LInf),
            #[cfg(feature = "norms")]
            p if p > 1.0 => Ok(Self::Lp { p, q: p / (p - 1.0) }),
            _ => Err(InvalidExponent { found: p }),
        }
    }

    /// The exponent `p`.
    pub const fn p(&self) -> f64 {
        match *self {
            #[cfg(feature = "norms")]
            Self::L1 => 1.0,
            Self::L2 => 2.0,
            #[cfg(feature = "norms")]
            Self::LInf => f64::INFINITY,
            #[cfg(feature = "norms")]
            Self::Lp { p, .. } => p,
        }
    }

    /// The dual norm's exponent `q`.
    pub const fn q(&self) -> f64 {
        match *self {
            #[cfg(feature = "norms")]
            Self::L1 => f64::INFINITY,
            Self::L2 => 2.0,
            #[cfg(feature = "norms")]
            Self::LInf => 1.0,
            #[cfg(feature = "norms")]
            Self::Lp { q, .. } => q,
        }
    }
}

/// There is no such norm.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct InvalidExponent {
    /// The exponent that was asked for.
    pub found: f64,
}

impl fmt::Display for InvalidExponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a norm's exponent p must lie in [1, inf], found {}: use 2 (the paper's), inf or 1",
            self.found
        )
    }
}

impl core::error::Error for InvalidExponent {}

/// The ball that the perturbation lives in: `||T^-1 eps||_p <= rho`, where `T` is the identity (SAM) or the
/// diagonal `|w| + eta` (ASAM, Kwon et al., ICML 2021).
///
/// ```
/// # #[cfg(feature = "norms")] {
/// use sam_core::{Norm, Rule, formula::{Ascent, dual_norm}};
///
/// let (w, g) = ([1.0, -2.0], [3.0f64, 4.0]);
/// let eps = |rule: Rule<f64>| {
///     let ascent = Ascent::new(&rule, &dual_norm(&rule, &w, &g));
///     [ascent.eps(0, w[0], g[0]), ascent.eps(1, w[1], g[1])]
/// };
/// let [a, b] = eps(Rule::l2(0.5));
/// assert!((a - 0.3).abs() < 1e-15 && (b - 0.4).abs() < 1e-15); // rho g / ||g||
/// assert_eq!(eps(Rule::linf(0.5)), [0.5, 0.5]); // rho sign(g)
/// assert_eq!(eps(Rule::l1(0.5)), [0.0, 0.5]); // all of rho where |g| is largest
/// let [a, b] = eps(Rule::new(0.5, Norm::from_p(3.0)?));
/// assert!((a.powi(3) + b.powi(3) - 0.125).abs() < 1e-15); // always ||eps||_p = rho
/// # }
/// # Ok::<(), sam_core::InvalidExponent>(())
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rule<R> {
    /// Radius, in the units of the weights (SAM) or relative to them (ASAM). 0 is the base optimizer, bit
    /// for bit.
    pub rho: R,
    /// Which norm.
    pub norm: Norm,
    /// `None`: SAM. `Some(eta)`: ASAM.
    #[cfg(feature = "asam")]
    pub adaptive: Option<R>,
}

impl<R: Real> Rule<R> {
    /// SAM in the p-norm.
    pub const fn new(rho: R, norm: Norm) -> Self {
        Self {
            rho,
            norm,
            #[cfg(feature = "asam")]
            adaptive: None,
        }
    }

    /// The paper's: `p = 2`. It tunes `rho` in {0.01, 0.02, 0.05, 0.1, 0.2, 0.5} and finds 0.05 often
    /// satisfactory.
    pub const fn l2(rho: R) -> Self {
        Self::new(rho, Norm::L2)
    }

    /// `p = inf`.
    #[cfg(feature = "norms")]
    pub const fn linf(rho: R) -> Self {
        Self::new(rho, Norm::LInf)
    }

    /// `p = 1`.
    #[cfg(feature = "norms")]
    pub const fn l1(rho: R) -> Self {
        Self::new(rho, Norm::L1)
    }

    /// The same ball with another radius.
    #[must_use]
    pub const fn with_rho(self, rho: R) -> Self {
        Self { rho, ..self }
    }

    /// ASAM's `eta`, if the ball scales with the weights.
    #[inline(always)]
    pub const fn eta(&self) -> Option<R> {
        #[cfg(feature = "asam")]
        return self.adaptive;
        #[cfg(not(feature = "asam"))]
        None
    }

    /// ASAM with this `eta`, or SAM.
    #[cfg(feature = "asam")]
    #[must_use]
    pub const fn with_adaptive(self, eta: Option<R>) -> Self {
        Self { adaptive: eta, ..self }
    }

    /// Radius and `eta` are finite and not negative.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("rho", self.rho)?;
        self.eta().map_or(Ok(()), |eta| InvalidSetting::non_negative("eta", eta))
    }

    /// ASAM: the ball scales with `|w| + eta`. Its paper uses `eta = 0.01` and a `rho` about ten times SAM's.
    #[cfg(feature = "asam")]
    #[must_use]
    pub const fn adaptive(self, eta: R) -> Self {
        Self { adaptive: Some(eta), ..self }
    }
}
