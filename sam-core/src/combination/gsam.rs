//! GSAM.

use core::borrow::BorrowMut;

use super::Combination;
use crate::{Descent, GradientAlgebra, InvalidSetting, Real, state::state};

/// GSAM (Zhuang et al., ICLR 2022) also shrinks the surrogate gap, the perturbed loss less the clean one: it
/// takes off `alpha` times the part of the clean gradient `g` that is orthogonal to the perturbed gradient
/// `h`.
///
/// ```text
/// h - alpha * (g - (g.h / h.h) h)
/// ```
///
/// [`Gsam::around_clean`] is the other way round, as `big_vision` has it with `minimize_fp=False`: the clean gradient, plus
/// `alpha` times the part of the perturbed one that is orthogonal to it. It is steadier, and close to training without SAM.
///
/// ```text
/// g + alpha * (h - (h.g / g.g) g)
/// ```
///
/// Cost: 2 gradients a step, one word a weight, 7 reads and 2 writes a weight more than SAM. `alpha = 0` is
/// SAM, bit for bit. Its paper lets the radius follow the learning rate: [`tied`](crate::schedule::tied).
#[derive(Clone, Debug)]
pub struct Gsam<T, B> {
    /// Weight of the gap; its paper uses 0.1 to 0.6.
    pub alpha: T,
    around_clean: bool,
    clean: B,
}

impl<T: Real, B> Gsam<T, B> {
    /// The buffer is as long as a gradient; what it holds does not matter.
    pub const fn new(alpha: T, clean: B) -> Self {
        Self { alpha, around_clean: false, clean }
    }

    /// Starts from the clean gradient instead of the perturbed one.
    #[must_use]
    pub fn around_clean(self) -> Self {
        Self { around_clean: true, ..self }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }
}

impl<T: Real, S, D, B> Combination<S, D> for Gsam<T, B>
where
    S: GradientAlgebra<Scalar = T>,
    D: Descent<S::Params, S::Grads>,
    B: BorrowMut<S::Grads>,
{
    fn keep(&mut self, space: &mut S, clean: &S::Grads) -> Result<(), S::Error> {
        space.copy(clean, self.clean.borrow_mut())
    }

    fn combine(&mut self, space: &mut S, g: &mut S::Grads) -> Result<(), S::Error> {
        if self.around_clean {
            let clean = self.clean.borrow();
            let along = space.projection(g, clean)?;
            return space.mix(T::ONE - self.alpha * along, clean, self.alpha, g);
        }
        if self.alpha == T::ZERO {
            return Ok(());
        }
        let clean = self.clean.borrow();
        let along = space.projection(clean, g)?;
        space.mix(-self.alpha, clean, T::ONE + self.alpha * along, g)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("alpha", self.alpha)
    }
}

state! {
    impl[T, B] Gsam<T, B> {}
}
