//! Batch normalisation: moments, and both directions.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_model::{BatchNorm as Settings, Shape};

use super::{Backward, Forward, Layer, Mode, On};
use crate::{
    CudaError, Device, DeviceVec, Grid, Ptr, PtrMut,
    element::Value,
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

impl BatchNorm {
    /// Makes of the batch's moments what normalises, by sums that the layer before has left or by a sweep of its own.
    fn take_moments(&mut self, pass: &Forward<'_>, rows: usize) -> Result<(), CudaError> {
        let (device, kernels, constants) = (pass.device, pass.kernels, self.constants);
        let (c, normals) = (self.channels as u32, self.normals.view_mut().ptr());
        let (params, statistics) = (pass.params, pass.statistics);
        let update = i32::from(pass.mode == Mode::Clean);
        if let Some([sums, squares]) = pass.sums {
            let arguments = (sums, squares, rows as u32, c, params, constants, update, statistics, normals);
            // SAFETY: sums, parameters and statistics have one or two values a channel, the normals one.
            return unsafe { device.launch(&kernels.batch_norm_finish_sums, Grid::over(c), arguments) };
        }
        let partials = pass.scratch.cast::<Moments>();
        measure((device, kernels), rows, self.channels, pass.input, partials)?;
        let chunks = chunks(rows) as u32;
        let arguments = (partials.reading(), chunks, c, params, constants, update, statistics, normals);
        // SAFETY: as above.
        unsafe { device.launch(&kernels.batch_norm_finish, finish(self.channels), arguments) }
    }
}

/// The moments of each channel in each chunk of the rows.
pub(super) fn measure(
    (device, kernels): On<'_>,
    rows: usize,
    channels: usize,
    input: Ptr<Value>,
    partials: PtrMut<Moments>,
) -> Result<(), CudaError> {
    let arguments = (input, rows as u32, channels as u32, partials);
    let sweeping = sweep(rows, channels, kernels.element);
    // SAFETY: the input has rows times channels values, the scratch memory a place for each chunk and channel.
    unsafe { device.launch(&kernels.batch_norm_measure, sweeping, arguments) }
}

/// Bytes that [`measure`] writes.
pub(super) const fn measure_bytes(rows: usize, channels: usize) -> usize {
    chunks(rows) * channels * size_of::<Moments>()
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
            self.take_moments(&pass, rows)?;
        }
        let n = (rows * channels) as u32;
        let (addend, relu) =
            pass.residual.map_or((Ptr::NULL, self.relu), |residual| (residual.addend, residual.relu));
        let by_channels = Divisor::new(channels);
        let arguments = (pass.input, n, by_channels, normals.reading(), i32::from(relu), addend, pass.output);
        // SAFETY: input, addend and output have n values; entries depend on the entries of the same place.
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
