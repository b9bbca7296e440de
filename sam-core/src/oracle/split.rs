//! Different data for the two passes.

use crate::{GradientOracle, Pass, Ready};

/// Asks one oracle in the clean pass and another in the perturbed one: ascent on a fraction of the
/// mini-batch, or on the previous one.
///
/// With a quarter of the batch in the clean pass a step costs 1.25 gradients.
///
/// ```
/// use sam_core::{FnOracle, Rule, Sam, Sgd, SliceSpace, SplitOracle};
///
/// let samples = [1.0f64, 2.0, 3.0, 6.0];
/// let mean = |part: &'static [f64]| {
///     FnOracle::infallible(move |w: &[f64], g: &mut [f64], _| {
///         g[0] = part.iter().map(|x| w[0] - x).sum::<f64>() / part.len() as f64;
///     })
/// };
/// let mut oracle = SplitOracle::new(mean(&[1.0]), mean(&[1.0, 2.0, 3.0, 6.0]));
/// let (mut w, mut g) = ([0.0], [0.0]);
/// let mut sam = Sam::new(SliceSpace::new([0.0]), Rule::l2(0.5), Sgd::new(0.1));
/// sam.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
/// assert_eq!((g[0], w[0]), (-3.5, 0.35000000000000003)); // at -0.5, of all four samples
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SplitOracle<C, P> {
    /// Asked in the clean pass.
    pub clean: C,
    /// Asked in the perturbed pass.
    pub perturbed: P,
}

impl<C, P> SplitOracle<C, P> {
    /// Asks `clean` in the clean pass, `perturbed` in the other.
    pub const fn new(clean: C, perturbed: P) -> Self {
        Self { clean, perturbed }
    }
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

    fn gradient_in_parts(
        &mut self,
        params: &W,
        grads: &mut G,
        pass: Pass,
        ready: &mut Ready<'_, G>,
    ) -> Result<C::Loss, C::Error> {
        match pass {
            Pass::Clean => self.clean.gradient_in_parts(params, grads, pass, ready),
            Pass::Perturbed => self.perturbed.gradient_in_parts(params, grads, pass, ready),
        }
    }
}
