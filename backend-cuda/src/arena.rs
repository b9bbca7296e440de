use core::ops::Range;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use sam_model::Init;

/// A named tensor of a flat arena.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Unique in its arena, as `stage2.0.conv1.weight`.
    pub name: String,
    /// Extents, row-major; filters are `[rows, columns, inputs, outputs]`, matrices `[inputs, outputs]`.
    pub shape: Vec<usize>,
    /// Where its values are.
    pub range: Range<usize>,
    pub(crate) init: Init,
}

/// The values that a new network starts from: those of the CPU backend for the same seed.
pub(crate) fn initial(segments: &[Segment], seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(total(segments));
    for segment in segments {
        let places = segment.range.clone();
        match segment.init {
            Init::Constant(value) => values.extend(places.map(|_| value)),
            Init::He { fan_in } => {
                let deviation = (2.0 / fan_in as f64).sqrt();
                let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
                values.extend(places.map(|_| (deviation * draw()) as f32));
            }
        }
    }
    values
}

/// Values in the arena.
pub(crate) fn total(segments: &[Segment]) -> usize {
    segments.last().map_or(0, |segment| segment.range.end)
}
