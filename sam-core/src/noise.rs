//! Random numbers as a function of a seed, a step and an index: nothing to store but the step.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014).
const fn scramble(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Random bits number `index` of step `step`.
const fn bits(seed: u64, step: u64, index: u64) -> u64 {
    let stream = scramble(seed.wrapping_add(GOLDEN)).wrapping_add(scramble(step.wrapping_mul(GOLDEN)));
    scramble(stream.wrapping_add(index.wrapping_mul(GOLDEN)))
}

/// Uniform in (0, 1), never an end.
pub(crate) fn uniform(seed: u64, step: u64, index: u64) -> f64 {
    ((bits(seed, step, index) >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0
}

/// Standard normal (Box and Muller, 1958).
pub(crate) fn normal(seed: u64, step: u64, index: u64) -> f64 {
    let [a, b] =
        [index.wrapping_mul(2), index.wrapping_mul(2).wrapping_add(1)].map(|i| uniform(seed, step, i));
    libm::sqrt(-2.0 * libm::log(a)) * libm::cos(2.0 * core::f64::consts::PI * b)
}
