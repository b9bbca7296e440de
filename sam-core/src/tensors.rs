//! Models of several tensors: whatever can show its parameters as slices.

mod algebra;
mod directed;
pub(crate) mod each;
mod mismatch;
mod state;

pub use each::{EachTensor, EachTensorError};
pub use mismatch::TensorMismatch;
pub use state::{load_tensors, save_tensors};

use crate::formula::{DualNorm, all_finite};
use crate::segment::{self, Scope, Segment, SegmentSlices};
use crate::{ParamSpace, Real, Rule, Verdict};

/// Parameters, or gradients, in several arrays on the host.
///
/// ```
/// use sam_core::Tensors;
///
/// struct Layer { weight: [[f32; 3]; 2], bias: [f32; 2] }
///
/// impl Tensors for Layer {
///     type Scalar = f32;
///     fn tensors(&self) -> impl Iterator<Item = &[f32]> {
///         [self.weight.as_flattened(), &self.bias].into_iter()
///     }
///     fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
///         [self.weight.as_flattened_mut(), &mut self.bias].into_iter()
///     }
/// }
/// ```
pub trait Tensors {
    /// What the arrays hold.
    type Scalar: Real;

    /// The arrays' values, in an order that never changes.
    fn tensors(&self) -> impl Iterator<Item = &[Self::Scalar]>;

    /// The same, to be changed.
    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [Self::Scalar]>;
}

/// [`ParamSpace`] over [`Tensors`]. The perturbed parameters go into a second model: the first is never touched.
///
/// The norm and the perturbation run through the tensors one after the other, so the bits are those of a
/// [`SliceSpace`](crate::SliceSpace) over the tensors laid end to end; with a table of segments, those of a
/// [`SegmentedSpace`](crate::SegmentedSpace). Memory: one word a weight, and the table. Traffic of a step: theirs.
///
/// ```
/// use sam_core::{EachTensor, Rule, Sam, Scope, Segment, Sgd, TensorSpace, Tensors, WeightDecay};
/// # #[derive(Clone)] struct Layer { weight: [f64; 2], bias: [f64; 1] }
/// # impl Tensors for Layer {
/// #     type Scalar = f64;
/// #     fn tensors(&self) -> impl Iterator<Item = &[f64]> { [&self.weight[..], &self.bias].into_iter() }
/// #     fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> { [&mut self.weight[..], &mut self.bias].into_iter() }
/// # }
///
/// let mut w = Layer { weight: [3.0, -4.0], bias: [7.0] };
/// let mut g = w.clone();
/// // The weight is perturbed, its bias is not, and has no decay either.
/// let table = [Segment::new(2), Segment::fixed(1)];
/// let space = TensorSpace::new(w.clone()).with_segments(Scope::Global, table);
/// let sgd = Sgd::new(0.1);
/// let base = EachTensor::new([sgd.clone().with_decay(WeightDecay::Coupled(0.01)), sgd]);
/// let mut sam = Sam::new(space, Rule::l2(0.5), base);
/// let step = sam.step_with(&mut w, &mut g, |w, g, _| g.clone_from(w))?;
/// assert_eq!(step.norm.value(), 5.0); // of the weight alone
/// assert!((w.bias[0] - 0.9 * 7.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TensorSpace<P: Tensors, L = [Segment<<P as Tensors>::Scalar>; 0]> {
    perturbed: P,
    scope: Scope,
    /// One for each tensor, or none at all where they are all perturbed alike.
    segments: L,
}

impl<P: Tensors> TensorSpace<P> {
    /// A space whose perturbed parameters go into `model`, one of the same shape as the parameters. What it holds does not
    /// matter.
    pub const fn new(model: P) -> Self {
        Self { perturbed: model, scope: Scope::Global, segments: [] }
    }

    /// With a segment for each tensor, in their order: who is left out, has a radius of its own, or is not adaptive.
    #[must_use]
    pub fn with_segments<L: AsRef<[Segment<P::Scalar>]>>(
        self,
        scope: Scope,
        segments: L,
    ) -> TensorSpace<P, L> {
        TensorSpace { perturbed: self.perturbed, scope, segments }
    }
}

impl<P: Tensors, L: AsRef<[Segment<P::Scalar>]>> TensorSpace<P, L> {
    fn check_shapes(&self, w: &P, g: &P) -> Result<(), TensorMismatch> {
        TensorMismatch::check(w, g)?;
        TensorMismatch::check(w, &self.perturbed)?;
        let segments = self.segments.as_ref();
        let (expected, found) = (w.tensors().count(), segments.len());
        if found != 0 && found != expected {
            return Err(TensorMismatch::Count { expected, found });
        }
        for (tensor, (w, segment)) in w.tensors().zip(segments).enumerate() {
            if segment.len != w.len() {
                return Err(TensorMismatch::Length { tensor, expected: w.len(), found: segment.len });
            }
        }
        Ok(())
    }

    /// Each tensor with its segment.
    fn slices<'a>(segments: &'a L, w: &'a P, g: &'a P) -> impl Iterator<Item = SegmentSlices<'a, P::Scalar>> {
        let mut segments = segments.as_ref().iter();
        w.tensors()
            .zip(g.tensors())
            .map(move |(w, g)| (segments.next().copied().unwrap_or(Segment::new(w.len())), w, g))
    }
}

impl<P: Tensors, L: AsRef<[Segment<P::Scalar>]>> ParamSpace for TensorSpace<P, L> {
    type Params = P;
    type Grads = P;
    type Scalar = P::Scalar;
    type Norm = DualNorm;
    type Error = TensorMismatch;

    fn dual_norm(&mut self, w: &P, g: &P, rule: &Rule<P::Scalar>) -> Result<DualNorm, TensorMismatch> {
        self.check_shapes(w, g)?;
        Ok(segment::norm_of(rule, || Self::slices(&self.segments, w, g)))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut P,
        g: &P,
        rule: &Rule<P::Scalar>,
        norm: &DualNorm,
    ) -> Result<(), TensorMismatch> {
        self.check_shapes(w, g)?;
        let slices = Self::slices(&self.segments, w, g).zip(self.perturbed.tensors_mut());
        segment::ascend(self.scope, rule, norm, slices.map(|((segment, w, g), up)| (segment, w, g, up)));
        Ok(())
    }

    fn perturbed<'a>(&'a self, _w: &'a P) -> &'a P {
        &self.perturbed
    }

    fn restore(&mut self, _w: &mut P) -> Result<(), TensorMismatch> {
        Ok(())
    }

    fn check(&mut self, g: &P) -> Result<Verdict, TensorMismatch> {
        Ok(if g.tensors().all(all_finite) { Verdict::Finite } else { Verdict::NonFinite })
    }
}
