//! How many gradients a method really asks for.

use crate::{GradientOracle, Pass};

/// Counts the gradient evaluations that pass through it; failed ones count too.
#[derive(Clone, Copy, Debug, Default)]
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
}

impl<P: ?Sized, G: ?Sized, O: GradientOracle<P, G>> GradientOracle<P, G> for CountingOracle<O> {
    type Loss = O::Loss;
    type Error = O::Error;

    fn gradient(&mut self, params: &P, grads: &mut G, pass: Pass) -> Result<O::Loss, O::Error> {
        let count = match pass {
            Pass::Clean => &mut self.clean,
            Pass::Perturbed => &mut self.perturbed,
        };
        *count = count.saturating_add(1);
        self.inner.gradient(params, grads, pass)
    }
}
