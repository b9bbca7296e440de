//! Products and quotients that leave the range of `f64` on the way to something that does not.

use super::scale::power_of_two;
use crate::Real;

/// Half the exponent that a product is moved by.
const HALF: i32 = 600;

/// A largest `t |g|` below this, 2^-970, has neighbours that have lost digits.
const SMALLEST: f64 = f64::from_bits(53 << 52);

/// Where the products `t |g|` of a parameter vector lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// In the range of `f64`.
    Ordinary,
    /// The largest is beyond: all are taken times 2^-1200.
    Large,
    /// The largest has lost digits, or all: they are taken times 2^1200.
    Small,
}

impl Range {
    /// Where to look again, given the largest product of the ordinary range.
    pub(super) fn beyond<R: Real>(peak: f64) -> Option<Self> {
        if products_fit::<R>() {
            None
        } else if peak == f64::INFINITY {
            Some(Self::Large)
        } else if peak < SMALLEST {
            Some(Self::Small)
        } else {
            None
        }
    }

    /// The range of a vector of type `R`: known beforehand where every product fits, so that nothing is compiled for others.
    #[inline(always)]
    pub(super) const fn of<R: Real>(self) -> Self {
        if products_fit::<R>() { Self::Ordinary } else { self }
    }

    /// What both factors of a product are multiplied by.
    pub(super) fn unit(self) -> f64 {
        match self {
            Self::Ordinary => 1.0,
            Self::Large => power_of_two(-HALF),
            Self::Small => power_of_two(HALF),
        }
    }

    /// Exponent of what [`Range::product`] must be multiplied by to be the product.
    pub(super) const fn shift(self) -> i32 {
        match self {
            Self::Ordinary => 0,
            Self::Large => 2 * HALF,
            Self::Small => -2 * HALF,
        }
    }

    /// `t g`, moved into the range of `f64`.
    pub(super) fn product(self, t: f64, g: f64) -> f64 {
        match self {
            Self::Ordinary => t * g,
            // The other factor may be of any size.
            _ if t == 0.0 || g == 0.0 => 0.0,
            _ => (t * self.unit()) * (g * self.unit()),
        }
    }
}

/// `(t g) unit`, for a `unit` that brings the norm near 1, also where the product is too small for `f64`.
#[inline(always)]
pub(super) fn scaled_product<R: Real>(t: f64, g: f64, unit: f64) -> f64 {
    let product = t * g;
    if products_fit::<R>() || product.abs() >= f64::MIN_POSITIVE {
        return product * unit;
    }
    // The smaller factor first: that times the unit is a number.
    let (low, high) = if g.abs() < t { (g, t) } else { (t, g) };
    (low * unit) * high
}

/// Whether a product of two numbers of type `R`, and a quotient of such products, are normal numbers in `f64`.
pub(super) const fn products_fit<R: Real>() -> bool {
    R::MAX_UNIT_EXPONENT < 200
}

/// `(t g / (peak 2^shift))^exponent`, for `t, g >= 0` and a quotient of 1 at most, also where product and quotient are
/// too large or too small for `f64`.
pub(super) fn power_of_quotient<R: Real>(t: f64, g: f64, peak: f64, shift: i32, exponent: f64) -> f64 {
    let (product, quotient) = (t * g, t * g / peak);
    let ordinary = shift == 0 && product >= f64::MIN_POSITIVE && quotient >= f64::MIN_POSITIVE;
    if products_fit::<R>() || ordinary {
        return libm::pow(quotient, exponent);
    }
    if t == 0.0 || g == 0.0 {
        return 0.0;
    }
    let ((t, a), (g, b), (peak, c)) = (libm::frexp(t), libm::frexp(g), libm::frexp(peak));
    let (quotient, k) = libm::frexp(t * g / peak);
    let k = k.saturating_add(a).saturating_add(b).saturating_sub(c).saturating_sub(shift);
    if k > -1022 {
        return libm::pow(libm::ldexp(quotient, k), exponent);
    }
    // (m 2^k)^e = m^e 2^(k e), with m in [1/2, 1).
    let log = f64::from(k) * exponent;
    let whole = libm::floor(log);
    libm::ldexp(libm::pow(quotient, exponent) * libm::exp2(log - whole), whole as i32)
}
