//! What random layers draw from and by, and what they drew: the host's side of `kernels/draw.cuh` and `draw.cu`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;
use sam_model::{
    Op,
    random::{BackwardCoefficients, Random, kept},
};

/// What the numbers of a step are counted from.
#[derive(Clone, Copy, Debug, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct DeviceRandom {
    key: [u32; 6],
    first: u32,
    backward: u32,
}

impl DeviceRandom {
    pub fn new(random: Option<Random>) -> Self {
        let Some(Random { key, first, backward }) = random else { return Self::zeroed() };
        Self {
            key: core::array::from_fn(|i| (key.0[i / 2] >> (32 * (i % 2))) as u32),
            first: first as u32,
            backward: match backward {
                BackwardCoefficients::Forward => 1,
                BackwardCoefficients::Fresh => 2,
                BackwardCoefficients::FreshWhenPerturbed => 3,
            },
        }
    }
}

/// A layer that draws a coefficient for each sample.
#[derive(Clone, Copy, Debug, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct DrawRule {
    kind: u32,
    node: u32,
    rate: f64,
    kept: f32,
    expectation: f32,
}

impl DrawRule {
    /// Of the operation at that node, if it draws so.
    pub fn new(op: Op, node: usize) -> Option<Self> {
        let (kind, rate, factor, expectation) = match op {
            Op::DropConnect { rate } => (0, rate, kept(1.0, rate), 1.0),
            Op::ShakeShake => (1, 0.0, 0.0, 0.5),
            Op::ShakeDrop { keep } => (2, keep, 0.0, keep as f32),
            _ => return None,
        };
        Some(Self { kind, node: node as u32, rate, kept: factor, expectation })
    }
}

/// Of a sample in a layer what values and what gradients are multiplied by.
#[derive(Clone, Copy, Debug, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Coefficient([f32; 2]);
