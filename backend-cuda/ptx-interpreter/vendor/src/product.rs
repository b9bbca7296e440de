//! How factors are rounded, and what happens to every product.

use std::thread::sleep;
use std::time::Duration;

use crate::fault::{self, Fault};

/// What is multiplied in. Factors are cut off, which is the worst that a library may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Math {
    Single,
    Tf32,
    Bf16,
}

impl Math {
    /// A factor as it is multiplied.
    pub fn factor(self, value: f32) -> f32 {
        let cut = |bits: u32| f32::from_bits(value.to_bits() & (u32::MAX << bits));
        match self {
            Self::Single if fault::is(Fault::LowPrecision) => cut(13),
            Self::Single => value,
            Self::Tf32 => cut(13),
            Self::Bf16 => cut(16),
        }
    }

    /// All of them.
    pub fn factors(self, mut values: Vec<f32>) -> Vec<f32> {
        for value in &mut values {
            *value = self.factor(*value);
        }
        values
    }
}

/// `alpha * product + beta * before`, where `before` is asked for only if it counts.
pub fn combine(
    alpha: f32,
    beta: f32,
    mut product: Vec<f32>,
    before: impl FnOnce() -> Result<Vec<f32>, u32>,
) -> Result<Vec<f32>, u32> {
    if fault::is(Fault::Slow) {
        sleep(Duration::from_millis(100));
    }
    if let (true, Some(last)) = (fault::is(Fault::WrongEntry), product.last_mut()) {
        *last += 1e-3;
    }
    for value in &mut product {
        *value *= alpha;
    }
    if beta != 0.0 {
        for (value, before) in product.iter_mut().zip(before()?) {
            *value += beta * before;
        }
    }
    Ok(product)
}
