//! What norm and ascent keep in device memory: the host's side of `kernels/rule.cuh`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;
use sam_core::{Norm, Rule, Verdict};

/// Hyper-parameters that may change from step to step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct DeviceRule {
    pub rho: f32,
    pub eta: f32,
}

impl DeviceRule {
    pub fn new(rule: &Rule<f32>) -> Self {
        Self { rho: rule.rho, eta: rule.adaptive.unwrap_or(0.0) }
    }
}

/// The dual norm and what the ascent needs of it.
#[derive(Clone, Copy, Debug, Default, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct NormParts {
    pub scale: f64,
    pub scaled: f64,
    pub divisor: f64,
    pub unit: f64,
    pub factor: f64,
    pub index: u32,
    pub verdict: u32,
}

impl NormParts {
    /// What the norm says about the gradient.
    pub const fn verdict(&self) -> Verdict {
        match self.verdict {
            0 => Verdict::Finite,
            1 => Verdict::Zero,
            _ => Verdict::NonFinite,
        }
    }
}

/// A chunk's share of a sweep.
#[derive(Clone, Copy, Debug, Default, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Partial {
    value: f64,
    index: u32,
    unused: u32,
}

/// What a sweep finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Reduction {
    Squares,
    Absolutes,
    Peak,
    Powers,
}

/// The exponent's kind, by the number that the kernels know it by.
pub(crate) fn exponent_kind(norm: &Norm) -> i32 {
    match norm {
        Norm::L1 => 0,
        Norm::L2 => 1,
        Norm::LInf => 2,
        // Any other p.
        _ => 3,
    }
}

/// The sweeps that a norm takes.
pub(crate) fn reductions(norm: &Norm) -> &'static [Reduction] {
    match norm {
        Norm::L1 => &[Reduction::Peak],
        Norm::L2 => &[Reduction::Squares],
        Norm::LInf => &[Reduction::Absolutes],
        _ => &[Reduction::Peak, Reduction::Powers],
    }
}
