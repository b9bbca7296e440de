//! The values that networks start from.

use crate::TensorInfo;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Independent normal values of mean 0 and variance `2 / fan_in` (He et al. 2015, "Delving Deep into
    /// Rectifiers", eq. 10).
    He {
        /// Inputs that one output sums over.
        fan_in: usize,
    },
    /// Every value the same.
    Constant(f32),
}

impl Init {
    /// Mean and standard deviation.
    fn moments(self) -> (f64, f64) {
        match self {
            Self::He { fan_in } => (0.0, libm::sqrt(2.0 / fan_in as f64)),
            Self::Constant(value) => (f64::from(value), 0.0),
        }
    }
}

/// The values of all tensors, drawn one after the other from one ChaCha8 stream; a constant takes nothing from it.
pub(crate) fn values(tensors: &[TensorInfo], seed: u64) -> impl Iterator<Item = f64> + '_ {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let moments = tensors.iter().flat_map(|tensor| {
        let moments = tensor.init.moments();
        tensor.range.clone().map(move |_| moments)
    });
    moments.map(move |(mean, deviation)| {
        if deviation == 0.0 {
            return mean;
        }
        let normal: f64 = StandardNormal.sample(&mut rng);
        mean + deviation * normal
    })
}
