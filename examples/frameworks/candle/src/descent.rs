//! candle's optimizers as base optimizers.

use candle_core::backprop::GradStore;
use candle_core::{Result, Var};
use candle_nn::Optimizer;
use sam_core::{Descent, LearningRate};

/// Any [`Optimizer`] as the base optimizer. Make it with the variables that SAM steps on.
///
/// candle's optimizers update one variable after the other: one that fails half-way leaves those before it updated.
#[derive(Clone, Copy, Debug)]
pub struct Base<O>(pub O);

impl<O: Optimizer> Descent<[Var], GradStore> for Base<O> {
    type Error = candle_core::Error;

    fn descend(&mut self, _: &mut [Var], grads: &mut GradStore) -> Result<()> {
        self.0.step(grads)
    }
}

impl<O: Optimizer> LearningRate<f64> for Base<O> {
    fn learning_rate(&self) -> f64 {
        self.0.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.0.set_learning_rate(rate);
    }
}
