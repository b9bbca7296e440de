//! burn's optimizers as base optimizers.

use std::convert::Infallible;
use std::mem::take;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use sam_core::{Descent, LearningRate};

/// Any of burn's optimizers as the base optimizer: `SgdConfig::new().init()`, `AdamWConfig::new().init()`, ...
///
/// Uses the gradients up: they are empty afterwards.
#[derive(Clone)]
pub struct Base {
    /// The optimizer, with its state.
    pub optimizer: ModuleOptimizer,
    /// The learning rate of the next step.
    pub rate: f64,
}

impl<M: Module> Descent<M, GradientsParams> for Base {
    type Error = Infallible;

    fn descend(&mut self, params: &mut M, grads: &mut GradientsParams) -> Result<(), Infallible> {
        *params = self.optimizer.step(self.rate, params.clone(), take(grads));
        Ok(())
    }
}

impl LearningRate<f64> for Base {
    fn learning_rate(&self) -> f64 {
        self.rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.rate = rate;
    }
}
