//! Random numbers for a processor of 32 bits.

/// Marsaglia's xorshift with the shifts 13, 17, 5 (Journal of Statistical Software, 2003): period `2^32 - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XorShift(u32);

impl XorShift {
    /// The stream of a seed; neighbouring seeds give unrelated streams.
    pub const fn new(seed: u32) -> Self {
        // The finalizer of MurmurHash3 (Appleby, 2011): one to one, so only one seed maps to the forbidden 0.
        let seed = (seed ^ (seed >> 16)).wrapping_mul(0x85eb_ca6b);
        let seed = (seed ^ (seed >> 13)).wrapping_mul(0xc2b2_ae35);
        let seed = seed ^ (seed >> 16);
        Self(if seed == 0 { 0x9e37_79b9 } else { seed })
    }

    /// The next 32 bits, never 0.
    pub const fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A whole number below `n`, which must not be 0. Biased by at most `n / 2^32`.
    pub const fn below(&mut self, n: u32) -> u32 {
        ((self.bits() as u64 * n as u64) >> 32) as u32
    }

    /// Uniform in [-1, 1), a multiple of 2^-23.
    pub fn symmetric(&mut self) -> f32 {
        (self.bits() >> 8) as f32 * (1.0 / 8_388_608.0) - 1.0
    }
}
