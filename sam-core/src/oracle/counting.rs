//! How many gradients a method really asks for.

use crate::{GradientOracle, Pass, Ready};

/// Counts the gradient evaluations that pass through it; failed ones count too.
///
/// ```
/// use sam_core::{CountingOracle, FnOracle, Rule, Sam, Sgd, SliceSpace};
///
/// let mut oracle = CountingOracle::new(FnOracle::infallible(|w: &[f64], g: &mut [f64], _| g.copy_from_slice(w)));
/// let mut sam = Sam::new(SliceSpace::new([0.0]), Rule::l2(0.05), Sgd::new(0.1));
/// sam.step(&mut [1.0], &mut [0.0], &mut oracle).unwrap();
/// assert_eq!((oracle.clean, oracle.perturbed, oracle.total()), (1, 1, 2));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct CountingOracle<O> {
    /// The oracle that does the work.
    pub inner: O,
    /// Evaluations at the current parameters.
    pub clean: u64,
    /// Evaluations at perturbed parameters.
    pub perturbed: u64,
}

impl<O> CountingOracle<O> {
    /// Starts both counts at zero.
    pub const fn new(inner: O) -> Self {
        Self { inner, clean: 0, perturbed: 0 }
    }

    /// All evaluations so far.
    pub const fn total(&self) -> u64 {
        self.clean.saturating_add(self.perturbed)
    }

    const fn count(&mut self, pass: Pass) {
        let count = match pass {
            Pass::Clean => &mut self.clean,
            Pass::Perturbed => &mut self.perturbed,
        };
        *count = count.saturating_add(1);
    }
}

impl<P: ?Sized, G: ?Sized, O: GradientOracle<P, G>> GradientOracle<P, G> for CountingOracle<O> {
    type Loss = O::Loss;
    type Error = O::Error;

    fn gradient(&mut self, params: &P, grads: &mut G, pass: Pass) -> Result<O::Loss, O::Error> {
        self.count(pass);
        self.inner.gradient(params, grads, pass)
    }

    fn gradient_in_parts(
        &mut self,
        params: &P,
        grads: &mut G,
        pass: Pass,
        ready: &mut Ready<'_, G>,
    ) -> Result<O::Loss, O::Error> {
        self.count(pass);
        self.inner.gradient_in_parts(params, grads, pass, ready)
    }
}
