//! Floating point by integers: any rounding, any of the formats, exact until the one rounding at the end
//! (IEEE 754-2019, clause 4.3). The host's own arithmetic does round-to-nearest; this does the rest.

/// A binary interchange format: sign, exponent and fraction from high to low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    exponent: u32,
    fraction: u32,
}

/// Half precision.
pub const F16: Format = Format { exponent: 5, fraction: 10 };
/// The upper half of single precision.
pub const BF16: Format = Format { exponent: 8, fraction: 7 };
/// What tensor cores take for single precision: its exponent, the fraction of half precision.
pub const TF32: Format = Format { exponent: 8, fraction: 10 };
/// Single precision.
pub const F32: Format = Format { exponent: 8, fraction: 23 };
/// Double precision.
pub const F64: Format = Format { exponent: 11, fraction: 52 };

impl Format {
    /// Size in memory.
    pub fn bytes(self) -> usize {
        (1 + self.exponent + self.fraction).div_ceil(8) as usize
    }
    fn bias(self) -> i32 {
        (1 << (self.exponent - 1)) - 1
    }
    fn infinity(self) -> u64 {
        ((1 << self.exponent) - 1) << self.fraction
    }
    fn sign(self, negative: bool) -> u64 {
        u64::from(negative) << (self.exponent + self.fraction)
    }
    /// What an operation gives when there is no number: for single and half precision all bits but the sign.
    fn nan(self) -> u64 {
        if self == F64 { 0x7ff8_0000_0000_0000 } else { (1 << (self.exponent + self.fraction)) - 1 }
    }
}

/// Direction of the rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// `.rn`: to nearest, ties to even.
    Nearest,
    /// `.rna`: to nearest, ties away from zero.
    NearestAway,
    /// `.rz`.
    TowardZero,
    /// `.rm`.
    Down,
    /// `.rp`.
    Up,
}

/// A number `± significand · 2^exponent`, or not a finite one.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// Not a number.
    Nan,
    /// Infinity with its sign.
    Infinite(bool),
    /// Negative, exponent, significand.
    Finite(bool, i32, u128),
}
use Number::{Finite, Infinite, Nan};

/// Reads the bits of a format.
pub fn decode(bits: u64, format: Format) -> Number {
    let negative = bits >> (format.exponent + format.fraction) & 1 == 1;
    let fraction = u128::from(bits & ((1 << format.fraction) - 1));
    let exponent = (bits >> format.fraction & ((1 << format.exponent) - 1)) as i32;
    let lowest = 1 - format.bias() - format.fraction as i32;
    if exponent == (1 << format.exponent) - 1 {
        return if fraction == 0 { Infinite(negative) } else { Nan };
    }
    if exponent == 0 {
        return Finite(negative, lowest, fraction);
    }
    Finite(negative, lowest + exponent - 1, fraction | 1 << format.fraction)
}

/// An integer as a number.
pub fn integer(value: i128) -> Number {
    Finite(value < 0, 0, value.unsigned_abs())
}

/// Rounds to a format.
pub fn encode(number: Number, format: Format, rounding: Rounding) -> u64 {
    let (negative, exponent, significand) = match number {
        Nan => return format.nan(),
        Infinite(negative) => return format.sign(negative) | format.infinity(),
        Finite(negative, ..) if is_zero(number) => return format.sign(negative),
        Finite(negative, exponent, significand) => (negative, exponent, significand),
    };
    let top = 127 - significand.leading_zeros() as i32 + exponent;
    let unit = top.max(1 - format.bias()) - format.fraction as i32;
    let kept = round_to(significand, unit - exponent, negative, rounding) as u64;
    let biased = (unit + format.fraction as i32 + format.bias()) as u64;
    // Adding, not or-ing: a carry out of the fraction makes the next exponent.
    let bits = (biased << format.fraction).wrapping_add(kept).wrapping_sub(1 << format.fraction);
    if top > format.bias() || bits >= format.infinity() {
        let to_infinity = match rounding {
            Rounding::Nearest | Rounding::NearestAway => true,
            Rounding::TowardZero => false,
            Rounding::Down => negative,
            Rounding::Up => !negative,
        };
        return format.sign(negative) | (format.infinity() - u64::from(!to_infinity));
    }
    format.sign(negative) | bits
}

/// Rounds to an integer; what does not fit in an `i128` saturates. `None` for NaN.
pub fn to_integer(number: Number, rounding: Rounding) -> Option<i128> {
    let magnitude = |negative: bool, value: u128| {
        let value = i128::try_from(value).unwrap_or(i128::MAX);
        if negative { -value } else { value }
    };
    match number {
        Nan => None,
        Infinite(negative) => Some(magnitude(negative, u128::MAX)),
        Finite(negative, exponent, significand) => {
            let too_large = exponent > 0 && significand.leading_zeros() <= exponent.unsigned_abs();
            let value = if significand != 0 && too_large {
                u128::MAX
            } else {
                round_to(significand, -exponent, negative, rounding)
            };
            Some(magnitude(negative, value))
        }
    }
}

fn is_zero(number: Number) -> bool {
    matches!(number, Finite(_, _, 0))
}

/// `significand / 2^shift` as an integer; a negative shift multiplies (and must fit).
fn round_to(significand: u128, shift: i32, negative: bool, rounding: Rounding) -> u128 {
    if shift <= 0 {
        return significand.checked_shl(shift.unsigned_abs()).unwrap_or(0);
    }
    let shift = shift.unsigned_abs();
    let kept = significand.checked_shr(shift).unwrap_or(0);
    let lost = significand - kept.checked_shl(shift).unwrap_or(0);
    let half = 1u128.checked_shl(shift - 1).unwrap_or(u128::MAX);
    let up = match rounding {
        Rounding::Nearest => lost > half || (lost == half && kept & 1 == 1),
        Rounding::NearestAway => lost >= half,
        Rounding::TowardZero => false,
        Rounding::Down => negative && lost != 0,
        Rounding::Up => !negative && lost != 0,
    };
    kept + u128::from(up)
}

/// `a · b`, exactly.
pub fn multiply(a: Number, b: Number) -> Number {
    match (a, b) {
        (Nan, _) | (_, Nan) => Nan,
        (Infinite(_), b) if is_zero(b) => Nan,
        (a, Infinite(_)) if is_zero(a) => Nan,
        (Infinite(x), Infinite(y) | Finite(y, ..)) | (Finite(x, ..), Infinite(y)) => Infinite(x != y),
        (Finite(x, e, m), Finite(y, f, n)) => Finite(x != y, e + f, m * n),
    }
}

/// `a + b`, exact or with its lowest bit set where something below it is left; a zero's sign follows `rounding`.
pub fn add(a: Number, b: Number, rounding: Rounding) -> Number {
    let (a, b) = match (a, b) {
        (Nan, _) | (_, Nan) => return Nan,
        (Infinite(x), Infinite(y)) => return if x == y { a } else { Nan },
        (Infinite(_), _) => return a,
        (_, Infinite(_)) => return b,
        _ => (normal(a), normal(b)),
    };
    let ((x, e, m), (y, f, n)) = if a.1 >= b.1 { (a, b) } else { (b, a) };
    let n = if m == 0 { n } else { shift_jam(n, e.saturating_sub(f).unsigned_abs()) };
    let exponent = if m == 0 { f } else { e };
    if x == y {
        return Finite(x, exponent, m + n);
    }
    match m.cmp(&n) {
        core::cmp::Ordering::Equal => Finite(rounding == Rounding::Down, 0, 0),
        core::cmp::Ordering::Greater => Finite(x, exponent, m - n),
        core::cmp::Ordering::Less => Finite(y, exponent, n - m),
    }
}

/// `a / b`, exact or with its lowest bit set where something below it is left.
pub fn divide(a: Number, b: Number) -> Number {
    match (a, b) {
        (Nan, _) | (_, Nan) | (Infinite(_), Infinite(_)) => Nan,
        (a, b) if is_zero(a) && is_zero(b) => Nan,
        (Infinite(x), Finite(y, ..)) => Infinite(x != y),
        (Finite(x, ..), Infinite(y)) => Finite(x != y, 0, 0),
        (Finite(x, ..), Finite(y, _, 0)) => Infinite(x != y),
        (Finite(x, e, m), Finite(y, f, n)) => {
            // Significands of at most 54 bits: the quotient has at least 70.
            let (m, e) = if m == 0 {
                (0, e)
            } else {
                (m << (m.leading_zeros() - 2), e - m.leading_zeros() as i32 + 2)
            };
            Finite(x != y, e - f, (m / n) | u128::from(m % n != 0))
        }
    }
}

/// Square root, exact or with its lowest bit set where something below it is left.
pub fn square_root(a: Number) -> Number {
    match a {
        Finite(_, _, 0) | Infinite(false) => a,
        Finite(false, e, m) => {
            let mut shift = m.leading_zeros() as i32 - 2;
            shift -= (e - shift) & 1;
            let m = m << shift;
            let root = m.isqrt();
            Finite(false, (e - shift) / 2, root | u128::from(root * root != m))
        }
        _ => Nan,
    }
}

/// Moves the top bit to bit 124, so that a shift to the right loses only what is far below any rounding.
fn normal(number: Number) -> (bool, i32, u128) {
    let Finite(negative, exponent, significand) = number else { return (false, i32::MIN, 0) };
    if significand == 0 {
        return (negative, i32::MIN, 0);
    }
    let shift = significand.leading_zeros() as i32 - 3;
    (negative, exponent - shift, significand << shift)
}

/// Shifts right; bits that fall out set the lowest one.
fn shift_jam(value: u128, shift: u32) -> u128 {
    match value.checked_shr(shift) {
        Some(kept) => kept | u128::from(kept << shift != value),
        None => u128::from(value != 0),
    }
}

/// `-a`.
pub fn negate(a: Number) -> Number {
    match a {
        Nan => Nan,
        Infinite(negative) => Infinite(!negative),
        Finite(negative, exponent, significand) => Finite(!negative, exponent, significand),
    }
}
