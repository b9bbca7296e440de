//! The forward and the backward pass: which kernel is launched on which buffers.

use core::mem::replace;

use sam_model::{BatchNorm, Op};

use super::{
    CudaNetwork,
    build::{Kind, Task},
};
use crate::{
    CudaError, DeviceLoss, DeviceVec, Gradient, PtrMut,
    layer::{Backward, Forward, InputGradient, Mode, PairBackward, PairForward, add},
    plan,
};

impl CudaNetwork {
    pub(super) fn forward_evaluate(
        &mut self,
        params: &DeviceVec<f32>,
        samples: usize,
    ) -> Result<DeviceLoss, CudaError> {
        self.forward(params, samples, (Mode::Evaluate, false))?;
        self.loss.launch(samples, self.logits(), 0.0, PtrMut::NULL, &self.clean)?;
        Ok(self.clean.clone())
    }

    pub(super) fn forward_backward(
        &mut self,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        (mode, perturbed): (Mode, bool),
        loss: &DeviceLoss,
    ) -> Result<(), CudaError> {
        let samples = self.samples;
        self.forward(params, samples, (mode, perturbed))?;
        let d_logits = self.gradients[self.d_logits].shared_ptr();
        self.loss.launch(samples, self.logits(), self.smoothing, d_logits, loss)?;
        let Self { device, tasks, backward, values, gradients, scratch, draws, .. } = self;
        let drawn = draws.drawn();
        let gradient = |buffer: usize| gradients[buffer].shared_ptr();
        for action in &*backward {
            match *action {
                plan::Backward::Copy { len, from, to } => {
                    device.copy(samples * len, gradient(from).reading(), gradient(to))?;
                }
                plan::Backward::Add { len, from, to } => {
                    let to = gradient(to);
                    add(device, samples * len, to.reading(), gradient(from).reading(), to)?;
                }
                plan::Backward::Layer { step, position, d_output, d_input } => {
                    let Task { kind, input, output, params: own, .. } = &mut tasks[step];
                    let d_output = gradient(d_output).reading();
                    let d_input =
                        d_input.map(|(to, accumulate)| InputGradient { values: gradient(to), accumulate });
                    let input = values[*input].shared_ptr().reading();
                    let layer = match kind {
                        Kind::Layer(layer) => layer,
                        Kind::Pair { pair, second } => {
                            let Some(d_input) = d_input else { continue };
                            let second = values[*second].shared_ptr().reading();
                            let inputs = [input, second];
                            let coefficients = drawn.coefficients;
                            let pass =
                                PairBackward { device, samples, inputs, d_output, d_input, coefficients };
                            pair.backward(position, &pass)?;
                            continue;
                        }
                        Kind::Add { .. } | Kind::Skip => continue,
                    };
                    layer.backward(Backward {
                        device,
                        samples,
                        params: params.view().range(own.clone()).ptr(),
                        grads: grads.values_mut().view_mut().range(own.clone()).ptr(),
                        input,
                        output: values[*output].shared_ptr().reading(),
                        d_output,
                        drawn,
                        d_input,
                        scratch: scratch.shared_ptr(),
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Statistics of the batch in every batch normalisation; the running ones stay.
    pub(super) fn forward_measure(&mut self, params: &DeviceVec<f32>) -> Result<Vec<f32>, CudaError> {
        let nothing = DeviceVec::zeros(&self.device, self.statistics.len())?;
        let before = replace(&mut self.statistics, nothing);
        let done = self.forward(params, self.samples, (Mode::Clean, false));
        let measured = replace(&mut self.statistics, before);
        done?;
        // From zero the running statistics have come this share of the way.
        let mut measured = measured.read()?;
        for (i, node) in self.description.nodes().iter().enumerate() {
            if let Op::BatchNorm(BatchNorm { momentum, .. }) = node.op {
                let own = &mut measured[self.description.statistics().of_node(i)];
                own.iter_mut().for_each(|value| *value = (f64::from(*value) / momentum) as f32);
            }
        }
        Ok(measured)
    }

    fn forward(
        &mut self,
        params: &DeviceVec<f32>,
        samples: usize,
        (mode, perturbed): (Mode, bool),
    ) -> Result<(), CudaError> {
        let Self { device, tasks, values, statistics, scratch, draws, .. } = self;
        draws.draw(device, samples, mode, perturbed)?;
        let drawn = draws.drawn();
        let value = |buffer: usize| values[buffer].shared_ptr();
        for Task { kind, input, output, params: own, statistics: own_statistics, .. } in tasks {
            match kind {
                Kind::Layer(layer) => layer.forward(Forward {
                    device,
                    mode,
                    samples,
                    params: params.view().range(own.clone()).ptr(),
                    statistics: statistics.view_mut().range(own_statistics.clone()).ptr(),
                    input: value(*input).reading(),
                    output: value(*output),
                    drawn,
                    scratch: scratch.shared_ptr(),
                })?,
                Kind::Add { second, len } => {
                    let (a, b) = (value(*input).reading(), value(*second).reading());
                    add(device, samples * *len, a, b, value(*output))?;
                }
                Kind::Pair { pair, second } => pair.forward(&PairForward {
                    device,
                    samples,
                    inputs: [value(*input).reading(), value(*second).reading()],
                    output: value(*output),
                    coefficients: drawn.coefficients,
                })?,
                Kind::Skip => {}
            }
        }
        Ok(())
    }

    fn logits(&self) -> crate::Ptr<f32> {
        let last = self.buffers[self.buffers.len() - 1];
        self.values[last].shared_ptr().reading()
    }
}
