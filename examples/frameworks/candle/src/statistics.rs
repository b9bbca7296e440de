//! Running statistics follow the clean pass only.

use candle_core::backprop::GradStore;
use candle_core::{Result, Var};
use sam_core::{GradientOracle, Pass};

/// Around an oracle: puts back, after a perturbed pass, the variables that its forward pass updates as a side effect,
/// such as the [`running_statistics`](crate::running_statistics) of batch normalisation, also where the pass fails.
///
/// Cost: two copies of the statistics a step.
#[derive(Debug)]
pub struct KeepStatistics<O> {
    /// The oracle that does the work.
    pub inner: O,
    /// What it must not change in a perturbed pass.
    pub statistics: Vec<Var>,
}

impl<O> GradientOracle<[Var], GradStore> for KeepStatistics<O>
where
    O: GradientOracle<[Var], GradStore, Error = candle_core::Error>,
{
    type Loss = O::Loss;
    type Error = candle_core::Error;

    fn gradient(&mut self, params: &[Var], grads: &mut GradStore, pass: Pass) -> Result<O::Loss> {
        if pass == Pass::Clean {
            return self.inner.gradient(params, grads, pass);
        }
        let kept: Vec<_> = self.statistics.iter().map(|var| var.copy()).collect::<Result<_>>()?;
        let loss = self.inner.gradient(params, grads, pass);
        for (var, kept) in self.statistics.iter().zip(&kept) {
            var.set(kept)?;
        }
        loss
    }
}
