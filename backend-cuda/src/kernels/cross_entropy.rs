//! The loss and what it is of: the host's side of the struct in `kernels/cross_entropy.cu`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;
use sam_model::Evaluation;

/// Of a sample, or of a batch.
#[derive(Clone, Copy, Debug, Default, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct LossSum {
    loss: f64,
    correct: u32,
    count: u32,
}

impl LossSum {
    /// Mean loss.
    pub const fn loss(&self) -> f64 {
        self.loss
    }

    /// Mean loss, and how many predictions are correct.
    pub const fn evaluation(&self) -> Evaluation {
        Evaluation { loss: self.loss, correct: self.correct as usize, count: self.count as usize }
    }
}
