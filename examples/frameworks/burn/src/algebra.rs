//! Arithmetic on gradients, for the methods that combine several: GSAM, LookSAM, WSAM, Friendly SAM.

use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use sam_core::GradientAlgebra;

use crate::gradients::{Index, Visit};
use crate::norm::spread;
use crate::{BurnSpace, SpaceError};

/// A gradient that a parameter lacks counts as zero. Quotients are worked out on the device, in the tensors' own type,
/// with every entry divided by the largest first; the host waits for one number each.
impl<M: Module> GradientAlgebra for BurnSpace<M> {
    /// Copies handles, not values.
    fn copy(&mut self, from: &GradientsParams, to: &mut GradientsParams) -> Result<(), SpaceError> {
        *to = GradientsParams::new();
        self.index().each(Copy { from, to });
        Ok(())
    }

    fn mix(
        &mut self,
        a: f64,
        x: &GradientsParams,
        b: f64,
        y: &mut GradientsParams,
    ) -> Result<(), SpaceError> {
        self.index().each(Mix { a, x, b, y });
        Ok(())
    }

    fn projection(&mut self, a: &GradientsParams, b: &GradientsParams) -> Result<f64, SpaceError> {
        let (Some(a_peak), Some(b_peak)) = (peak(self.index(), a), peak(self.index(), b)) else {
            return Ok(0.0);
        };
        let along = quotient(self.index(), (a, &a_peak), (b, &b_peak), (b, &b_peak));
        number(along * (a_peak / b_peak))
    }

    fn ratio(&mut self, a: &GradientsParams, b: &GradientsParams) -> Result<f64, SpaceError> {
        let (Some(a_peak), Some(b_peak)) = (peak(self.index(), a), peak(self.index(), b)) else {
            return Ok(0.0);
        };
        let squares = quotient(self.index(), (a, &a_peak), (a, &a_peak), (b, &b_peak));
        number(squares.sqrt() * (a_peak / b_peak))
    }
}

fn number(on_device: Tensor<1>) -> Result<f64, SpaceError> {
    on_device.try_into_scalar().map_err(SpaceError::Device)
}

/// A gradient and its largest absolute value.
type Scaled<'a> = (&'a GradientsParams, &'a Tensor<1>);

/// `x.y / d.d` with every entry divided by its gradient's peak; 0 where `d` is zero.
fn quotient(index: &Index, x: Scaled<'_>, y: Scaled<'_>, d: Scaled<'_>) -> Tensor<1> {
    let dot = |a, b| index.each(Dot { a, b, sum: d.1.zeros_like() }).sum;
    let square = dot(d, d);
    let zero = square.clone().equal_scalar(0.0);
    (dot(x, y) / square).mask_fill(zero, 0.0)
}

/// The largest absolute value of a gradient, 1 for a zero one; `None` where there is none.
fn peak(index: &Index, grads: &GradientsParams) -> Option<Tensor<1>> {
    let peak = index.each(Peak { grads, found: None }).found?;
    let zero = peak.clone().equal_scalar(0.0);
    Some(peak.mask_fill(zero, 1.0))
}

struct Copy<'a> {
    from: &'a GradientsParams,
    to: &'a mut GradientsParams,
}

impl Visit for Copy<'_> {
    fn at<const D: usize>(&mut self, id: ParamId) {
        if let Some(g) = self.from.get::<D>(id) {
            self.to.register(id, g);
        }
    }
}

struct Mix<'a> {
    a: f64,
    x: &'a GradientsParams,
    b: f64,
    y: &'a mut GradientsParams,
}

impl Visit for Mix<'_> {
    fn at<const D: usize>(&mut self, id: ParamId) {
        let x = self.x.get::<D>(id).map(|x| x.mul_scalar(self.a));
        let y = self.y.get::<D>(id).map(|y| y.mul_scalar(self.b));
        let mixed = match (x, y) {
            (Some(x), Some(y)) => x + y,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return,
        };
        self.y.register(id, mixed);
    }
}

struct Peak<'a> {
    grads: &'a GradientsParams,
    found: Option<Tensor<1>>,
}

impl Visit for Peak<'_> {
    fn at<const D: usize>(&mut self, id: ParamId) {
        if let Some(g) = self.grads.get::<D>(id) {
            let peak = g.abs().max();
            self.found = Some(match self.found.take() {
                None => peak,
                Some(before) => before.max_pair(peak),
            });
        }
    }
}

struct Dot<'a> {
    a: Scaled<'a>,
    b: Scaled<'a>,
    sum: Tensor<1>,
}

impl Visit for Dot<'_> {
    fn at<const D: usize>(&mut self, id: ParamId) {
        if let (Some(a), Some(b)) = (self.a.0.get::<D>(id), self.b.0.get::<D>(id)) {
            let product = (a / spread(self.a.1)) * (b / spread(self.b.1));
            self.sum = self.sum.clone() + product.sum();
        }
    }
}
