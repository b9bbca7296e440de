//! A storage that perturbs some tensors only, for methods that combine gradients too.

use sam_core::{
    GradientAlgebra, LengthMismatch, ParamSpace, Rule, Scope, Segment, SegmentedSpace, SliceSpace, Verdict,
    formula::DualNorm,
};
use sam_model::{Role, TensorInfo};

/// [`SegmentedSpace`] with the arithmetic of [`SliceSpace`]. On one thread.
pub struct Segmented {
    ascent: SegmentedSpace<f32, Vec<f32>, Vec<Segment<f32>>>,
    algebra: SliceSpace<f32, [f32; 0]>,
}

impl Segmented {
    /// For the weights in `tensors`; what is no filter or matrix becomes the segment that `others` makes of it.
    pub fn new(tensors: &[TensorInfo], others: impl Fn(Segment<f32>) -> Segment<f32>) -> Self {
        let segment = |tensor: &TensorInfo| {
            let segment = Segment::new(tensor.range.len());
            if tensor.role == Role::Weight { segment } else { others(segment) }
        };
        let segments: Vec<_> = tensors.iter().map(segment).collect();
        let weights = segments.iter().map(|segment| segment.len).sum();
        let ascent = SegmentedSpace::new(Scope::Global, segments, vec![0.0; weights]);
        Self { ascent, algebra: SliceSpace::new([]) }
    }
}

impl ParamSpace for Segmented {
    type Params = [f32];
    type Grads = [f32];
    type Scalar = f32;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[f32], g: &[f32], rule: &Rule<f32>) -> Result<DualNorm, LengthMismatch> {
        self.ascent.dual_norm(w, g, rule)
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        self.ascent.verdict(norm)
    }

    fn ascend(
        &mut self,
        w: &mut [f32],
        g: &[f32],
        rule: &Rule<f32>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        self.ascent.ascend(w, g, rule, norm)
    }

    fn perturbed<'a>(&'a self, w: &'a [f32]) -> &'a [f32] {
        self.ascent.perturbed(w)
    }

    fn restore(&mut self, w: &mut [f32]) -> Result<(), LengthMismatch> {
        self.ascent.restore(w)
    }

    fn check(&mut self, g: &[f32]) -> Result<Verdict, LengthMismatch> {
        self.ascent.check(g)
    }
}

impl GradientAlgebra for Segmented {
    fn copy(&mut self, from: &[f32], to: &mut [f32]) -> Result<(), LengthMismatch> {
        self.algebra.copy(from, to)
    }

    fn mix(&mut self, a: f32, x: &[f32], b: f32, y: &mut [f32]) -> Result<(), LengthMismatch> {
        self.algebra.mix(a, x, b, y)
    }

    fn projection(&mut self, a: &[f32], b: &[f32]) -> Result<f32, LengthMismatch> {
        self.algebra.projection(a, b)
    }

    fn ratio(&mut self, a: &[f32], b: &[f32]) -> Result<f32, LengthMismatch> {
        self.algebra.ratio(a, b)
    }
}
