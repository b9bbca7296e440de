//! What the random layers of a network draw, and those with one input: values or whole samples times a random factor.

#![allow(unsafe_code, reason = "launches of kernels")]

use core::ops::Range;

use sam_model::{
    Description,
    random::{Random, kept},
};

use super::{Backward, Forward, Layer, Mode, On};
use crate::{
    CudaError, Device, DeviceVec, Grid, Ptr, PtrMut,
    element::Value,
    kernels::{Coefficient, DeviceRandom, Divisor, DrawRule},
};

/// Words of a block of `ChaCha`.
const WORDS: usize = 16;

/// What random layers draw from, and what they drew in a pass.
pub(crate) struct Draws {
    rules: DeviceVec<DrawRule>,
    random: DeviceVec<DeviceRandom>,
    coefficients: DeviceVec<Coefficient>,
    /// Samples of the largest batch.
    batch: usize,
}

/// Where layers find what was drawn, and what to draw from.
#[derive(Clone, Copy)]
pub(crate) struct Drawn {
    /// Place of the first sample among those that are drawn for.
    pub first: usize,
    pub random: Ptr<DeviceRandom>,
    pub coefficients: Ptr<Coefficient>,
}

impl Draws {
    pub fn new(device: &Device, description: &Description, batch: usize) -> Result<Self, CudaError> {
        let nodes = description.nodes().iter().enumerate();
        let rules: Vec<_> = nodes.filter_map(|(i, node)| DrawRule::new(node.op, i)).collect();
        Ok(Self {
            random: DeviceVec::zeros(device, 1)?,
            coefficients: DeviceVec::zeros(device, rules.len() * batch)?,
            rules: DeviceVec::from_slice(device, &rules)?,
            batch,
        })
    }

    /// Where the coefficients of the layer at `node` begin.
    pub fn place(description: &Description, node: usize, batch: usize) -> usize {
        let before = description.nodes()[..node].iter().enumerate();
        before.filter(|(i, node)| DrawRule::new(node.op, *i).is_some()).count() * batch
    }

    /// What is drawn from in the passes to come. Does not wait.
    pub fn set(&mut self, random: Option<Random>) -> Result<(), CudaError> {
        self.random.store(&DeviceRandom::new(random))
    }

    /// Draws the coefficients of a pass over the samples in `part`, of the perturbed one or the clean, one launch.
    pub fn draw(
        &self,
        device: &Device,
        part: Range<usize>,
        mode: Mode,
        perturbed: bool,
    ) -> Result<(), CudaError> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let samples = part.len() as u32;
        let grid =
            Grid { blocks: [Grid::over(samples).blocks[0], self.rules.len() as u32, 1], ..Grid::over(1) };
        let arguments = (
            self.rules.view().ptr(),
            self.random.view().ptr(),
            part.start as u32,
            samples,
            self.batch as u32,
            i32::from(mode != Mode::Evaluate),
            i32::from(perturbed),
            self.coefficients.shared_ptr(),
        );
        // SAFETY: there is a row of coefficients for each rule, as long as the largest batch.
        unsafe { device.launch(&device.kernels().draw, grid, arguments) }
    }

    /// For samples from `first` on.
    pub fn drawn(&self, first: usize) -> Drawn {
        Drawn { first, random: self.random.view().ptr(), coefficients: self.coefficients.view().ptr() }
    }
}

/// Drop-connect and `ShakeDrop`: every sample times a number; values may take each other's place, and so may gradients.
pub(crate) struct ScaleSamples {
    /// Values a sample.
    pub len: usize,
    /// The first of its coefficients.
    pub coefficients: usize,
}

impl ScaleSamples {
    fn launch(
        &self,
        ((device, kernels), samples, drawn): (On<'_>, usize, Drawn),
        from: Ptr<Value>,
        backward: bool,
        (to, accumulate): (PtrMut<Value>, bool),
    ) -> Result<(), CudaError> {
        let n = (samples * self.len) as u32;
        let own = drawn.coefficients.add(self.coefficients);
        let (backward, accumulate) = (i32::from(backward), i32::from(accumulate));
        let arguments = (from, n, Divisor::new(self.len), own, backward, accumulate, to);
        // SAFETY: both have n values, and there is a coefficient for each sample; the kernel is made to work in place.
        unsafe { device.launch(&kernels.scale_samples, kernels.vectors(n), arguments) }
    }
}

impl Layer for ScaleSamples {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        self.launch(
            ((pass.device, pass.kernels), pass.samples, pass.drawn),
            pass.input,
            false,
            (pass.output, false),
        )
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let on = ((pass.device, pass.kernels), pass.samples, pass.drawn);
        self.launch(on, pass.d_output, true, (to.values, to.accumulate))
    }
}

/// Dropout; values may take each other's place, and so may gradients. What was dropped is drawn again in the backward pass.
pub(crate) struct Dropout {
    /// Values a sample.
    pub len: usize,
    pub node: usize,
    pub rate: f64,
}

impl Dropout {
    fn launch(
        &self,
        ((device, kernels), samples, drawn): (On<'_>, usize, Drawn),
        training: bool,
        from: Ptr<Value>,
        (to, accumulate): (PtrMut<Value>, bool),
    ) -> Result<(), CudaError> {
        let blocks = self.len.div_ceil(WORDS);
        let n = (samples * blocks) as u32;
        let arguments = (
            from,
            n,
            Divisor::new(blocks),
            self.len as u32,
            self.node as u32,
            self.rate,
            kept(1.0, self.rate),
            drawn.random,
            drawn.first as u32,
            i32::from(training),
            i32::from(accumulate),
            to,
        );
        // SAFETY: both are of so many samples; the kernel is made to work in place.
        unsafe { device.launch(&kernels.dropout, Grid::over(n), arguments) }
    }
}

impl Layer for Dropout {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let on = ((pass.device, pass.kernels), pass.samples, pass.drawn);
        self.launch(on, pass.mode != Mode::Evaluate, pass.input, (pass.output, false))
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let on = ((pass.device, pass.kernels), pass.samples, pass.drawn);
        self.launch(on, true, pass.d_output, (to.values, to.accumulate))
    }
}
