//! The exponential function of what is not positive, by arithmetic without branches: so that a sweep of it runs in vectors.

/// The least argument whose power is not below the least normal number.
const LEAST: f64 = -708.396_418_532_264_1;
/// Added and taken away again, it rounds to a whole number, which stands in its last bits meanwhile.
const ROUNDING: f64 = 6_755_399_441_055_744.0;
/// The logarithm of 2 in two parts, the first of 32 bits: times a whole number of 11 bits it is exact.
const LN_2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
/// One over the factorials of 0 to 13, two by two.
const COEFFICIENTS: [[f64; 2]; 7] = [
    [1.0, 1.0],
    [0.5, 1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 120.0],
    [1.0 / 720.0, 1.0 / 5_040.0],
    [1.0 / 40_320.0, 1.0 / 362_880.0],
    [1.0 / 3_628_800.0, 1.0 / 39_916_800.0],
    [1.0 / 479_001_600.0, 1.0 / 6_227_020_800.0],
];

/// `e^x` for `x <= 0`, within two units of the last place; zero where that is below the least normal number; NaN stays NaN.
///
/// `x = k ln 2 + r` with `|r| <= ln 2 / 2`, whose Taylor series to the 13th power is off by less than `5e-18`.
#[inline(always)]
pub fn exp_of_negative(x: f64) -> f64 {
    let rounded = x * core::f64::consts::LOG2_E + ROUNDING;
    let k = rounded - ROUNDING;
    let r = (x - k * LN_2[0]) - k * LN_2[1];
    // By halves (Estrin), which wait less for one another than Horner's steps do.
    let [a, b, c, d, e, f, g] = COEFFICIENTS.map(|[even, odd]| even + odd * r);
    let square = r * r;
    let fourth = square * square;
    let sum = (a + b * square) + ((c + d * square) + ((e + f * square) + g * fourth) * fourth) * fourth;
    // `k` in the place of the exponent; what is above it is shifted out.
    let power = f64::from_bits((rounded.to_bits() << 52).wrapping_add(1.0f64.to_bits()));
    if x < LEAST { 0.0 } else { sum * power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_has_its_values_at_the_ends() {
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert_eq!(exp_of_negative(-0.0), 1.0);
        assert!(exp_of_negative(LEAST).is_normal());
        assert_eq!([-709.0, -1e300, f64::NEG_INFINITY].map(exp_of_negative), [0.0; 3]);
        assert!(exp_of_negative(f64::NAN).is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The system's library is right within a unit.
        #[test]
        fn it_is_the_exponential_function(x in prop_oneof![LEAST..0.0, -2.0..0.0, -1e-3..0.0]) {
            let (found, expected) = (exp_of_negative(x), x.exp());
            prop_assert!((found - expected).abs() <= 2.0 * f64::EPSILON * expected, "at {x}: {found} and {expected}");
        }
    }
}
