use crate::{Scalar, error::BatchError};
use core::ops::Range;
use ndarray::{ArrayViewD, ArrayViewMutD};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use sam_model::Init;

/// A named tensor of a flat arena.
///
/// ```
/// use sam_backend_ndarray::Network;
/// use sam_model::ImageShape;
///
/// let network = Network::<f32>::new(&"mlp-16".parse()?, ImageShape::new(8, 8, 1), 10, 32, 1)?;
/// let weights = network.initial_parameters(0);
/// let segment = network.segments().iter().find(|segment| segment.name == "head.bias").ok_or("no such tensor")?;
/// assert_eq!((segment.shape.as_slice(), segment.range.len()), ([10].as_slice(), 10));
/// assert!(segment.view(&weights)?.iter().all(|bias| *bias == 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

impl Segment {
    /// The tensor itself, of [`Segment::shape`], in an arena of parameters, gradients, momenta or whatever else is laid
    /// out alike. Copies nothing.
    ///
    /// # Errors
    /// When the arena ends before the segment.
    pub fn view<'a, T>(&self, arena: &'a [T]) -> Result<ArrayViewD<'a, T>, BatchError> {
        let error = self.beyond(arena.len());
        let values = arena.get(self.range.clone()).ok_or(error.clone())?;
        ArrayViewD::from_shape(self.shape.clone(), values).map_err(|_| error)
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// When the arena ends before the segment.
    pub fn view_mut<'a, T>(&self, arena: &'a mut [T]) -> Result<ArrayViewMutD<'a, T>, BatchError> {
        let error = self.beyond(arena.len());
        let values = arena.get_mut(self.range.clone()).ok_or(error.clone())?;
        ArrayViewMutD::from_shape(self.shape.clone(), values).map_err(|_| error)
    }

    const fn beyond(&self, found: usize) -> BatchError {
        BatchError::Length { what: "values in the arena, at least", expected: self.range.end, found }
    }
}

/// The values that a new network starts from: a function of the seed alone, the same for f32 (rounded) and f64.
pub fn initial<T: Scalar>(segments: &[Segment], seed: u64) -> Vec<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(segments.last().map_or(0, |segment| segment.range.end));
    for segment in segments {
        match segment.init {
            Init::Constant(value) => values.extend(segment.range.clone().map(|_| T::of(f64::from(value)))),
            Init::He { fan_in } => {
                let deviation = (2.0 / fan_in as f64).sqrt();
                values.extend(segment.range.clone().map(|_| {
                    let normal: f64 = StandardNormal.sample(&mut rng);
                    T::of(deviation * normal)
                }));
            }
        }
    }
    values
}
