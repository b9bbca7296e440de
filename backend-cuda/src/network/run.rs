//! The forward and the backward pass: which kernel is launched on which buffers.

use core::{mem::replace, ops::Range};

use sam_core::Pass;
use sam_model::{BatchNorm, Op};

use super::{
    CudaNetwork,
    build::{Kind, Tail, Task},
};
use crate::{
    CudaError, DeviceLoss, DeviceVec, Gradient, Ptr, PtrMut,
    activations::Activations,
    element::Value,
    layer::{Backward, Behind, Forward, InputGradient, Mode, PairBackward, PairForward, Residual, add},
    loss::Losses,
    plan,
};

impl CudaNetwork {
    pub(super) fn forward_evaluate(
        &mut self,
        params: &DeviceVec<f32>,
        samples: usize,
    ) -> Result<DeviceLoss, CudaError> {
        self.forward(params, 0..samples, (Mode::Evaluate, false))?;
        let losses = Losses { first: 0, samples, perturbed: false, partners: (Ptr::NULL, Ptr::NULL) };
        let logits = self.logits(0);
        let kernels = self.device.activations(self.element);
        self.loss.launch(kernels, &losses, logits, 0.0, PtrMut::NULL)?;
        self.mean_loss(samples, Pass::Clean)
    }

    /// The mean loss of the batch's first samples, of which all were in that pass.
    pub(super) fn mean_loss(&self, samples: usize, pass: Pass) -> Result<DeviceLoss, CudaError> {
        let perturbed = pass != Pass::Clean;
        let to = if perturbed { &self.perturbed } else { &self.clean };
        self.loss.mean(samples, perturbed, to)?;
        Ok(to.clone())
    }

    pub(super) fn forward_backward(
        &mut self,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        part: Range<usize>,
        pass: Pass,
    ) -> Result<(), CudaError> {
        let (first, samples, perturbed) = (part.start, part.len(), pass != Pass::Clean);
        let mode = match pass {
            _ if self.frozen => Mode::Frozen,
            Pass::Clean => Mode::Clean,
            _ => Mode::Perturbed,
        };
        self.forward(params, part, (mode, perturbed))?;
        let d_logits = self.gradients[self.d_logits].at();
        let partners = self.mixing.as_ref().map_or((Ptr::NULL, Ptr::NULL), |mixing| mixing.partners(first));
        let losses = Losses { first, samples, perturbed, partners };
        let logits = self.logits(first);
        let Self { device, tasks, backward, values, gradients, images, scratch, draws, loss, .. } = self;
        let element = self.element;
        let kernels = device.activations(element);
        loss.launch(kernels, &losses, logits, self.smoothing, d_logits)?;
        let image = (self.buffers[0], images.at(first));
        let value = |buffer| place(values, image, buffer);
        let drawn = draws.drawn(first);
        let gradient = |buffer: usize| gradients[buffer].at();
        for action in &*backward {
            match *action {
                plan::Backward::Copy { len, from, to } => {
                    let bytes = samples * len * element.bytes();
                    device.copy::<u8>(bytes, gradient(from).reading().cast(), gradient(to).cast())?;
                }
                plan::Backward::Add { len, from, to } => {
                    let to = gradient(to);
                    add((device, kernels), samples * len, to.reading(), gradient(from).reading(), to)?;
                }
                plan::Backward::Layer { step, position, d_output, d_input } => {
                    let Task { kind, input, output, params: own, .. } = &mut tasks[step];
                    let d_output = gradient(d_output).reading();
                    let d_input =
                        d_input.map(|(to, accumulate)| InputGradient { values: gradient(to), accumulate });
                    let input = value(*input).reading();
                    let layer = match kind {
                        Kind::Layer(layer) => layer,
                        Kind::Pair { pair, second } => {
                            let Some(d_input) = d_input else { continue };
                            let second = value(*second).reading();
                            let inputs = [input, second];
                            let coefficients = drawn.coefficients;
                            let on = (&*device, kernels);
                            let pass = PairBackward { on, samples, inputs, d_output, d_input, coefficients };
                            pair.backward(position, &pass)?;
                            continue;
                        }
                        Kind::Add { .. } | Kind::Skip => continue,
                    };
                    layer.backward(Backward {
                        device,
                        kernels,
                        samples,
                        params: params.view().range(own.clone()).ptr(),
                        grads: grads.values_mut().view_mut().range(own.clone()).ptr(),
                        input,
                        output: value(*output).reading(),
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
        let done = self.forward(params, 0..self.samples, (Mode::Clean, false));
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
        part: Range<usize>,
        (mode, perturbed): (Mode, bool),
    ) -> Result<(), CudaError> {
        let (first, samples) = (part.start, part.len());
        let Self { device, tasks, values, images, statistics, scratch, sums, draws, .. } = self;
        let kernels = device.activations(self.element);
        images.prepare(first, samples)?;
        let image = (self.buffers[0], images.at(first));
        let value = |buffer| place(values, image, buffer);
        draws.draw(device, part, mode, perturbed)?;
        let drawn = draws.drawn(first);
        // What a convolution has done for the tasks behind it.
        let (mut left, mut added) = (None, false);
        for task in tasks.iter_mut().filter(|task| !task.done_before) {
            let Task { kind, input, output, params: own, statistics: own_statistics, together, tail, .. } =
                task;
            let left_before = if matches!(kind, Kind::Skip) { left } else { left.take() };
            match kind {
                Kind::Layer(layer) => {
                    let pass = Forward {
                        device,
                        kernels,
                        mode,
                        samples,
                        params: params.view().range(own.clone()).ptr(),
                        statistics: statistics.view_mut().range(own_statistics.clone()).ptr(),
                        input: value(*input).reading(),
                        output: value(tail.map_or(*output, |tail| tail.output)),
                        drawn,
                        residual: tail.map(|Tail { addend, relu, .. }| Residual {
                            addend: value(addend).reading(),
                            relu,
                        }),
                        sums: left_before.map(|sums: [PtrMut<f32>; 2]| sums.map(PtrMut::reading)),
                        scratch: scratch.shared_ptr(),
                    };
                    if let (Some(together), Mode::Clean | Mode::Perturbed) = (together, mode) {
                        let at = sums.shared_ptr();
                        let sums = [at, at.add(together.squares())];
                        let addend = together.addend.map(|buffer| value(buffer).reading());
                        let pass = Forward { output: value(together.output), ..pass };
                        if layer.forward_fused(&pass, &Behind { addend, sums })? {
                            (left, added) = (Some(sums), addend.is_some());
                            continue;
                        }
                    }
                    layer.forward(pass)?;
                }
                Kind::Add { .. } if replace(&mut added, false) => left = left_before,
                Kind::Add { second, len } => {
                    let (a, b) = (value(*input).reading(), value(*second).reading());
                    add((device, kernels), samples * *len, a, b, value(*output))?;
                }
                Kind::Pair { pair, second } => pair.forward(&PairForward {
                    on: (device, kernels),
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

    /// Those of the part of the batch that begins with the image `first`, where a network may end with its images as they are.
    fn logits(&self, first: usize) -> Ptr<Value> {
        let last = self.buffers[self.buffers.len() - 1];
        place(&self.values, (self.buffers[0], self.images.at(first)), last).reading()
    }
}

/// Where a buffer's values are for a part of the batch; the images lie apart.
fn place(values: &[Activations], (image, at): (usize, PtrMut<Value>), buffer: usize) -> PtrMut<Value> {
    if buffer == image { at } else { values[buffer].at() }
}
