//! Batch normalisation: moments, and both directions.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_model::{BatchNorm as Settings, Shape};

use super::{Backward, Forward, Layer, Mode};
use crate::{
    CudaError, Device, DeviceVec, Grid,
    kernels::{
        Channel, Constants, Correction, Divisor, Moments, Sums,
        columns::{chunks, finish, sweep},
    },
};

/// Batch normalisation, with the ReLU that usually follows done in the same sweep.
pub(crate) struct BatchNorm {
    pixels: usize,
    channels: usize,
    constants: Constants,
    relu: bool,
    /// Whether the latest pass normalised by the running statistics.
    frozen: bool,
    normals: DeviceVec<Channel>,
    corrections: DeviceVec<Correction>,
}

impl BatchNorm {
    pub fn new(device: &Device, shape: Shape, settings: Settings, relu: bool) -> Result<Self, CudaError> {
        let channels = shape.channels;
        Ok(Self {
            pixels: shape.pixels(),
            channels,
            constants: Constants::new(settings),
            relu,
            frozen: false,
            normals: DeviceVec::zeros(device, channels)?,
            corrections: DeviceVec::zeros(device, channels)?,
        })
    }
}

impl Layer for BatchNorm {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let kernels = pass.kernels;
        let (rows, channels) = (pass.samples * self.pixels, self.channels);
        let (c, normals) = (channels as u32, self.normals.view_mut().ptr());
        self.frozen = matches!(pass.mode, Mode::Evaluate | Mode::Frozen);
        if self.frozen {
            let arguments = (pass.statistics.reading(), c, pass.params, self.constants, normals);
            // SAFETY: statistics and parameters have two values a channel, the normals one.
            unsafe { pass.device.launch(&kernels.batch_norm_running, Grid::over(c), arguments)? };
        } else {
            let partials = pass.scratch.cast::<Moments>();
            let measure = (pass.input, rows as u32, c, partials);
            let sweeping = sweep(rows, channels, kernels.element);
            // SAFETY: the input has rows times channels values, the scratch memory a place for each chunk and channel.
            unsafe { pass.device.launch(&kernels.batch_norm_measure, sweeping, measure)? };
            let update = i32::from(pass.mode == Mode::Clean);
            let arguments = (
                partials.reading(),
                chunks(rows) as u32,
                c,
                pass.params,
                self.constants,
                update,
                pass.statistics,
                normals,
            );
            // SAFETY: as above.
            unsafe { pass.device.launch(&kernels.batch_norm_finish, finish(channels), arguments)? };
        }
        let n = (rows * channels) as u32;
        let arguments =
            (pass.input, n, Divisor::new(channels), normals.reading(), i32::from(self.relu), pass.output);
        // SAFETY: input and output have n values and are different buffers.
        unsafe { pass.device.launch(&kernels.batch_norm_normalise, kernels.vectors(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let kernels = pass.kernels;
        let (rows, channels) = (pass.samples * self.pixels, self.channels);
        let (c, relu) = (channels as u32, i32::from(self.relu));
        let (normals, partials) = (self.normals.view().ptr(), pass.scratch.cast::<Sums>());
        let sums = (pass.input, pass.d_output, rows as u32, c, normals, relu, partials);
        let sweeping = sweep(rows, channels, kernels.element);
        // SAFETY: input and gradient have rows times channels values, the scratch memory a place for each chunk and
        // channel.
        unsafe { pass.device.launch(&kernels.batch_norm_sums, sweeping, sums)? };
        let corrections = self.corrections.view_mut().ptr();
        let frozen = i32::from(self.frozen);
        let gradients = (
            partials.reading(),
            chunks(rows) as u32,
            c,
            rows as u32,
            normals,
            frozen,
            pass.grads,
            corrections,
        );
        // SAFETY: as above; the layer's gradients are two values a channel.
        unsafe { pass.device.launch(&kernels.batch_norm_gradients, finish(channels), gradients)? };

        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (rows * channels) as u32;
        let arguments = (
            pass.input,
            pass.d_output,
            n,
            Divisor::new(channels),
            normals,
            corrections.reading(),
            relu,
            i32::from(to.accumulate),
            to.values,
        );
        // SAFETY: all have n values; entries depend on the entry of the same place, so that d_input may take d_output's.
        unsafe { pass.device.launch(&kernels.batch_norm_input_gradient, kernels.vectors(n), arguments) }
    }

    fn scratch_bytes(&self, samples: usize) -> usize {
        chunks(samples * self.pixels) * self.channels * size_of::<Moments>().max(size_of::<Sums>())
    }
}
