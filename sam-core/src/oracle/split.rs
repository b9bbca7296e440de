//! Different data for the two passes.

use crate::{GradientOracle, Pass};

/// Asks one oracle in the clean pass and another in the perturbed one: ascent on a fraction of the
/// mini-batch, or on the previous one.
///
/// With a quarter of the batch in the clean pass a step costs 1.25 gradients.
#[derive(Clone, Copy, Debug)]
pub struct SplitOracle<C, P> {
    /// Asked in the clean pass.
    pub clean: C,
    /// Asked in the perturbed pass.
    pub perturbed: P,
}

impl<W, G, C, P> GradientOracle<W, G> for SplitOracle<C, P>
where
    W: ?Sized,
    G: ?Sized,
    C: GradientOracle<W, G>,
    P: GradientOracle<W, G, Loss = C::Loss, Error = C::Error>,
{
    type Loss = C::Loss;
    type Error = C::Error;

    fn gradient(&mut self, params: &W, grads: &mut G, pass: Pass) -> Result<C::Loss, C::Error> {
        match pass {
            Pass::Clean => self.clean.gradient(params, grads, pass),
            Pass::Perturbed => self.perturbed.gradient(params, grads, pass),
        }
    }
}
