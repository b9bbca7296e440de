//! Weight decay as a term of the loss: `0.5 * decay * |w|^2`, in every gradient that a method takes.

use std::ops::Range;

use sam_model::{Role, TensorInfo};

use crate::training::settings::{DecayIn, Settings, Tensors};

/// The term, over the weights that it is of. Its value is in no loss that is reported: those are of the data.
pub struct Penalty {
    decay: f32,
    ranges: Vec<Range<usize>>,
}

/// Where those of `tensors` lie that weight decay on `which` is of.
pub fn decayed(which: Tensors, tensors: &[TensorInfo]) -> Vec<Range<usize>> {
    let of = |tensor: &&TensorInfo| which == Tensors::All || tensor.role == Role::Weight;
    tensors.iter().filter(of).map(|tensor| tensor.range.clone()).collect()
}

impl Penalty {
    /// The term that `settings` have for the weights in `tensors`, if decay is in the loss.
    pub fn of(settings: &Settings, tensors: &[TensorInfo]) -> Option<Self> {
        let sgd = &settings.sgd;
        let decay = sgd.weight_decay as f32;
        let asked = sgd.decay_in == DecayIn::Loss && decay != 0.0;
        asked.then(|| Self { decay, ranges: decayed(sgd.decay_on, tensors) })
    }

    /// Adds its gradient at `params` to `grads`. The same with any vector is the product of its Hessian with that.
    pub fn add_gradient(&self, params: &[f32], grads: &mut [f32]) {
        for range in &self.ranges {
            for (g, w) in grads[range.clone()].iter_mut().zip(&params[range.clone()]) {
                *g += self.decay * *w;
            }
        }
    }
}
