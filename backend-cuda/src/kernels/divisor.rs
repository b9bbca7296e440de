//! Division by a number that is known beforehand, as multiplication and shift: the host's side of `kernels/divisor.cuh`.

use bytemuck::{Pod, Zeroable};

/// Division by a number that is known beforehand, for numerators below 2^31 (Granlund and Montgomery 1994).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct Divisor {
    divisor: u32,
    magic: u32,
    shift: u32,
}

impl Divisor {
    /// # Panics
    /// If the divisor is 0 or 2^31 or more.
    pub fn new(divisor: usize) -> Self {
        assert!((1..1 << 31).contains(&divisor), "a divisor of {divisor}");
        let divisor = divisor as u32;
        let shift = u32::BITS - (divisor - 1).leading_zeros();
        let magic = ((1u64 << 32) * ((1u64 << shift) - u64::from(divisor)) / u64::from(divisor) + 1) as u32;
        Self { divisor, magic, shift }
    }
}

// SAFETY: the kernels' struct has the same fields.
#[allow(unsafe_code, reason = "vouches for the layout")]
unsafe impl crate::Argument for Divisor {}

#[cfg(test)]
mod tests {
    use super::Divisor;
    use proptest::prelude::*;

    /// The kernels' formula.
    fn quotient(n: u32, by: Divisor) -> u32 {
        let high = ((u64::from(n) * u64::from(by.magic)) >> 32) as u32;
        high.wrapping_add(n).wrapping_shr(by.shift)
    }

    proptest! {
        #[test]
        fn quotients_are_exact(n in 0u32..1 << 31, divisor in prop_oneof![1usize..400, 1usize..(1 << 31) - 1]) {
            let by = Divisor::new(divisor);
            prop_assert_eq!(quotient(n, by), n / divisor as u32);
            // Around a multiple is where an approximation fails first.
            let multiple = n / divisor as u32 * divisor as u32;
            for near in [multiple.saturating_sub(1), multiple, (1 << 31) - 1] {
                prop_assert_eq!(quotient(near, by), near / divisor as u32);
            }
        }
    }
}
