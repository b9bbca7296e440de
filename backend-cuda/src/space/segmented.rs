//! Parameters in device memory that are perturbed segment by segment.

use sam_core::{GradientAlgebra, ParamSpace, Rule, Scope, Verdict};

use super::{CudaSpace, DeviceNorm, DeviceSpace};
use crate::{
    CudaError, Device, DeviceVec, Gradient, Grid, PtrMut,
    kernels::{
        NormParts, Partial, Piece, Pieces,
        rule::{exponent_kind, reductions},
        segments::cut,
        sweep::THREADS,
    },
};

/// [`sam_core::SegmentedSpace`] in device memory: SAM on chosen tensors only, none on biases and normalisation, ASAM on
/// weights only, a radius for each layer. Otherwise a [`CudaSpace`], and nothing waits for it either.
///
/// Memory: one word a weight, and the table. Traffic: with [`Scope::Segment`] one more read than with [`Scope::Global`].
/// The norm that a step reports is that of all segments with a radius, in both cases. Sums are of doubles, in the order of
/// segments and of chunks within them; given the norm, the perturbation for p = 2 and infinity has the host's bits.
#[derive(Debug)]
pub struct CudaSegmentedSpace {
    whole: CudaSpace,
    scope: Scope,
    pieces: DeviceVec<Piece>,
    partials: DeviceVec<Partial>,
    /// All pieces.
    all: DeviceVec<Pieces>,
    /// Of each segment its pieces, and its norm.
    segments: DeviceVec<Pieces>,
    norms: DeviceVec<NormParts>,
}

impl CudaSegmentedSpace {
    /// A space for as many parameters as the segments have together.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(
        device: &Device,
        scope: Scope,
        segments: &[sam_core::Segment<f32>],
    ) -> Result<Self, CudaError> {
        let len = segments.iter().map(|segment| segment.len).sum();
        let whole = CudaSpace::new(device, len)?;
        let (pieces, of_segments) = cut(segments);
        let all = [Pieces { first: 0, count: pieces.len() as u32 }];
        Ok(Self {
            whole,
            scope,
            partials: DeviceVec::zeros(device, pieces.len())?,
            pieces: DeviceVec::from_slice(device, &pieces)?,
            all: DeviceVec::from_slice(device, &all)?,
            segments: DeviceVec::from_slice(device, &of_segments)?,
            norms: DeviceVec::zeros(device, segments.len())?,
        })
    }

    /// As [`CudaSpace::waiting`].
    #[must_use]
    pub fn waiting(self) -> Self {
        Self { whole: self.whole.waiting(), ..self }
    }

    /// The norm of all segments, or of each by itself.
    fn measure(
        &mut self,
        w: &DeviceVec<f32>,
        g: &Gradient,
        rule: &Rule<f32>,
        each: bool,
    ) -> Result<(), CudaError> {
        let device = self.pieces.device().clone();
        let kernels = device.kernels();
        let (p, q, adaptive) = (rule.norm.p(), rule.norm.q(), i32::from(rule.adaptive.is_some()));
        let (of_norms, norms, finite) = if each {
            (&self.segments, self.norms.shared_ptr(), PtrMut::NULL)
        } else {
            (&self.all, self.whole.norm.parts(), g.finite_address())
        };
        let (rule_at, pieces, partials) =
            (self.whole.norm.rule(), self.pieces.view().ptr(), self.partials.shared_ptr());
        for &reduction in reductions(&rule.norm) {
            let reduction = reduction as i32;
            let (w, g) = (w.view().ptr(), g.values().view().ptr());
            let sweep =
                (w, g, pieces, rule_at, adaptive, i32::from(each), reduction, q, norms.reading(), partials);
            let grid = Grid::new([self.pieces.len() as u32, 1, 1], THREADS);
            // SAFETY: w and g have as many entries as the pieces together, and there is a partial for each piece.
            unsafe { device.launch(&kernels.segmented_sweep, grid, sweep)? };
            let finish = (partials.reading(), of_norms.view().ptr(), rule_at, reduction, p, q, norms, finite);
            let grid = Grid::new([of_norms.len() as u32, 1, 1], THREADS);
            // SAFETY: as above; each norm has its own, and nothing on the host refers to them or to the flag.
            unsafe { device.launch(&kernels.segmented_finish, grid, finish)? };
        }
        Ok(())
    }
}

impl ParamSpace for CudaSegmentedSpace {
    type Params = DeviceVec<f32>;
    type Grads = Gradient;
    type Scalar = f32;
    type Norm = DeviceNorm;
    type Error = CudaError;

    fn dual_norm(
        &mut self,
        w: &DeviceVec<f32>,
        g: &Gradient,
        rule: &Rule<f32>,
    ) -> Result<DeviceNorm, CudaError> {
        self.whole.fits(w, g)?;
        self.whole.prepare(rule)?;
        self.whole.halfway = true;
        self.measure(w, g, rule, false)?;
        Ok(self.whole.norm.norm())
    }

    fn verdict(&self, norm: &DeviceNorm) -> Verdict {
        self.whole.verdict(norm)
    }

    fn ascend(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &Gradient,
        rule: &Rule<f32>,
        norm: &DeviceNorm,
    ) -> Result<(), CudaError> {
        self.whole.fits(w, g)?;
        self.whole.prepare(rule)?;
        let own = self.scope == Scope::Segment;
        if own {
            self.measure(w, g, rule, true)?;
        }
        let device = self.pieces.device().clone();
        let arguments = (
            w.view().ptr(),
            g.values().view().ptr(),
            self.pieces.view().ptr(),
            self.whole.norm.rule(),
            norm.parts().ptr(),
            self.norms.view().ptr(),
            i32::from(own),
            exponent_kind(&rule.norm),
            i32::from(rule.adaptive.is_some()),
            rule.norm.q() - 1.0,
            self.whole.perturbed.view_mut().ptr(),
        );
        let grid = Grid::new([self.pieces.len() as u32, 1, 1], THREADS);
        // SAFETY: w, g and the perturbed parameters have as many entries as the pieces together and are three buffers.
        unsafe { device.launch(&device.kernels().segmented_ascend, grid, arguments) }
    }

    fn perturbed<'a>(&'a self, w: &'a DeviceVec<f32>) -> &'a DeviceVec<f32> {
        self.whole.perturbed(w)
    }

    fn restore(&mut self, w: &mut DeviceVec<f32>) -> Result<(), CudaError> {
        self.whole.restore(w)
    }

    fn check(&mut self, g: &Gradient) -> Result<Verdict, CudaError> {
        self.whole.check(g)
    }
}

impl GradientAlgebra for CudaSegmentedSpace {
    fn copy(&mut self, from: &Gradient, to: &mut Gradient) -> Result<(), CudaError> {
        self.whole.copy(from, to)
    }

    fn mix(&mut self, a: f32, x: &Gradient, b: f32, y: &mut Gradient) -> Result<(), CudaError> {
        self.whole.mix(a, x, b, y)
    }

    fn projection(&mut self, a: &Gradient, b: &Gradient) -> Result<f32, CudaError> {
        self.whole.projection(a, b)
    }

    fn ratio(&mut self, a: &Gradient, b: &Gradient) -> Result<f32, CudaError> {
        self.whole.ratio(a, b)
    }
}

impl DeviceSpace for CudaSegmentedSpace {
    fn prepare(&mut self, rule: &Rule<f32>) -> Result<(), CudaError> {
        self.whole.prepare(rule)
    }

    fn waits(&self) -> bool {
        self.whole.waits
    }

    fn whole(&mut self) -> &mut CudaSpace {
        &mut self.whole
    }
}
