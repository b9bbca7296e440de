//! Tensors that an operation owns: trained parameters, and running statistics.

use crate::{Init, shape::count};
use alloc::{vec, vec::Vec};
use core::fmt;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Matrix or filter bank.
    Weight,
    /// Added per output.
    Bias,
    /// Batch normalisation's factor, gamma.
    Scale,
    /// Batch normalisation's offset, beta.
    Shift,
    /// Batch normalisation's running mean.
    RunningMean,
    /// Batch normalisation's running variance; whether unbiased says [`BatchNorm`](crate::BatchNorm).
    RunningVariance,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Scale => "scale",
            Self::Shift => "shift",
            Self::RunningMean => "running_mean",
            Self::RunningVariance => "running_variance",
        })
    }
}

/// One tensor of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// What it is for; the last part of its name. An operation has one tensor for each role at most.
    pub role: Role,
    /// How it starts.
    pub init: Init,
    /// Extents, row-major: `[inputs, outputs]` of a matrix, `[rows, columns, inputs, outputs]` of filters.
    pub shape: Vec<usize>,
}

impl Parameter {
    /// A vector whose values all start as `value`.
    pub(crate) fn constant(role: Role, value: f32, n: usize) -> Self {
        Self { role, init: Init::Constant(value), shape: vec![n] }
    }

    /// Weights `[inputs, outputs]`.
    pub(crate) fn matrix(inputs: usize, outputs: usize, init: Init) -> Self {
        Self { role: Role::Weight, init, shape: vec![inputs, outputs] }
    }

    /// Weights `[kernel rows, kernel columns, input channels, output channels]`.
    pub(crate) fn filters(kernel: usize, inputs: usize, outputs: usize, init: Init) -> Self {
        Self { role: Role::Weight, init, shape: vec![kernel, kernel, inputs, outputs] }
    }

    /// Number of values, if they can be counted.
    pub(crate) fn checked_len(&self) -> Option<usize> {
        count(self.shape.iter().copied())
    }
}
