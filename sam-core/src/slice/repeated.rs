//! Several projected ascent steps in slices.

use super::SliceSpace;
use crate::formula::{self, Ascent, DualNorm};
use crate::multi_step::RepeatedAscent;
use crate::{LengthMismatch, Real, Rule};

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> RepeatedAscent for SliceSpace<T, B> {
    fn reset(&mut self, eps: &mut [T]) -> Result<(), LengthMismatch> {
        eps.iter_mut().for_each(|e| *e = T::ZERO);
        Ok(())
    }

    fn climb(
        &mut self,
        w: &mut [T],
        g: &[T],
        rule: &Rule<T>,
        norm: &DualNorm,
        rate: T,
        eps: &mut [T],
    ) -> Result<(), LengthMismatch> {
        self.check_lengths(w, g)?;
        LengthMismatch::check("buffer for the perturbation", w.len(), eps.len())?;
        let ascent = Ascent::new(&Rule { rho: rate, ..*rule }, norm);
        let mut start = true;
        for (i, ((w, g), e)) in w.iter().zip(g).zip(eps.iter_mut()).enumerate() {
            start &= *e == T::ZERO;
            *e += ascent.eps(i, *w, *g);
        }
        // The first step cannot leave the ball if it is no longer than the radius; rounding shall not make it.
        if !(start && rate <= rule.rho) {
            formula::project(rule, w, eps);
        }
        for (up, (w, e)) in self.perturbed.as_mut().iter_mut().zip(w.iter().zip(eps.iter())) {
            // Not `w + 0`, which would turn -0 into 0.
            *up = if *e == T::ZERO { *w } else { *w + *e };
        }
        Ok(())
    }
}
