//! Perturbations of several tensors in a direction of the caller's making.

use super::{TensorMismatch, TensorSpace, Tensors};
use crate::DirectedAscent;
use crate::segment::Segment;
use crate::slice::displace;

/// `a` is multiplied by the radius of each tensor's segment: one that is left out stays.
impl<P: Tensors, L: AsRef<[Segment<P::Scalar>]>> DirectedAscent for TensorSpace<P, L> {
    fn displace(&mut self, w: &mut P, a: P::Scalar, x: &P) -> Result<(), TensorMismatch> {
        self.check_shapes(w, x)?;
        let slices = Self::slices(&self.segments, w, x).zip(self.perturbed.tensors_mut());
        slices.for_each(|((segment, w, x), up)| displace(w, a * segment.radius, x, up));
        Ok(())
    }
}
