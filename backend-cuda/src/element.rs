//! What activations and their gradients are kept as.

use crate::Precision;

/// A number of an activation or of its gradient: an [`Element`], which the kernel that is handed the address knows.
pub(crate) enum Value {}

/// What activations and their gradients are kept as. Kernels compute in f32 in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Element {
    F32,
    /// The upper half of an f32, rounded to nearest even where it is written.
    Bf16,
}

impl Element {
    /// Of networks whose products are of that precision.
    pub const fn of(precision: Precision) -> Self {
        match precision {
            Precision::Single | Precision::Tf32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }

    /// Of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// A number's bits as a bf16, rounded to nearest even as the kernels do. A NaN stays one.
pub(crate) const fn rounded(value: f32) -> u16 {
    if value.is_nan() {
        return 0x7fff;
    }
    let bits = value.to_bits();
    // Just below half of the last place, or half of it where that is odd.
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// The number that those bits are.
pub(crate) const fn widened(bits: u16) -> f32 {
    f32::from_bits((bits as u32) << 16)
}

#[cfg(test)]
mod tests {
    use super::{rounded, widened};

    #[test]
    fn numbers_are_rounded_to_nearest_even() {
        let last = 0.5f32.powi(7);
        for (value, expected) in [
            (1.0, 1.0),
            (1.0 + 0.5 * last, 1.0),
            (1.0 + 0.501 * last, 1.0 + last),
            (1.0 + 1.5 * last, 1.0 + 2.0 * last),
            (-1.0 - 1.499 * last, -1.0 - last),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (-0.0, -0.0),
            (1e-40, f32::from_bits(0x1_0000)),
        ] {
            assert_eq!(widened(rounded(value)).to_bits(), expected.to_bits(), "{value}");
        }
        assert!(widened(rounded(f32::NAN)).is_nan());
    }
}
