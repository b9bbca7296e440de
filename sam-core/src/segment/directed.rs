//! Perturbations of segments in a direction of the caller's making.

use super::{Segment, SegmentedSpace};
use crate::slice::displace;
use crate::{DirectedAscent, LengthMismatch, Real};

/// `a` is multiplied by each segment's radius: one that is left out stays.
impl<T, B, L> DirectedAscent for SegmentedSpace<T, B, L>
where
    T: Real,
    B: AsRef<[T]> + AsMut<[T]>,
    L: AsRef<[Segment<T>]>,
{
    fn displace(&mut self, w: &mut [T], a: T, x: &[T]) -> Result<(), LengthMismatch> {
        self.check_lengths(w, x)?;
        let mut rest = self.perturbed.as_mut();
        for (segment, w, x) in super::slices(self.segments.as_ref(), w, x) {
            let Some((up, later)) = core::mem::take(&mut rest).split_at_mut_checked(w.len()) else { break };
            rest = later;
            displace(w, a * segment.radius, x, up);
        }
        Ok(())
    }
}
