//! Powers of two, with which a number can be scaled without rounding.

const MANTISSA_BITS: u32 = 52;
const BIAS: i32 = 1023;

/// `floor(log2(x))` of a positive finite number, subnormal ones included.
pub(super) fn exponent(x: f64) -> i32 {
    let biased = |x: f64| (x.to_bits() >> MANTISSA_BITS) as i32 & 0x7ff;
    match biased(x) {
        // Subnormal: 2^64 lifts it into the normal range.
        0 => biased(x * 18_446_744_073_709_551_616.0) - BIAS - 64,
        normal => normal - BIAS,
    }
}

/// `2^k`, with `k` clamped to where both it and its inverse are normal numbers.
pub(super) fn power_of_two(k: i32) -> f64 {
    let k = k.clamp(-1022, 1022);
    f64::from_bits(((k + BIAS) as u64) << MANTISSA_BITS)
}

#[cfg(test)]
mod tests {
    use super::{exponent, power_of_two};

    #[test]
    fn exponents_bracket_their_number() {
        // The smallest number of all, doubled again and again, which is exact.
        let mut x = f64::from_bits(1);
        for k in -1074..1023 {
            assert_eq!(exponent(x), k);
            if k > -1000 {
                assert_eq!(exponent(x * 1.999_999), k);
            }
            if (-1022..=1022).contains(&k) {
                assert_eq!(power_of_two(k), x);
            }
            x *= 2.0;
        }
        assert_eq!(exponent(f64::MAX), 1023);
        assert_eq!(power_of_two(2000), power_of_two(1022));
    }
}
