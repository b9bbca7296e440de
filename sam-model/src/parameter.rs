use core::fmt;

/// What a parameter tensor is for.
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
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Scale => "scale",
            Self::Shift => "shift",
        })
    }
}

/// How a parameter tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Independent normal values of mean 0 and variance `2 / fan_in` (He et al. 2015, "Delving Deep into
    /// Rectifiers", eq. 10).
    He {
        /// Inputs that one output sums over.
        fan_in: usize,
    },
    /// Every value the same.
    Constant(f32),
}

/// One parameter tensor of an operation, in the order of the flat arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// What it is for; the last part of its name.
    pub role: Role,
    /// How it starts.
    pub init: Init,
    shape: [usize; 4],
    rank: usize,
}

impl Parameter {
    pub(crate) const fn vector(role: Role, init: Init, n: usize) -> Self {
        Self { role, init, shape: [n, 0, 0, 0], rank: 1 }
    }

    /// A matrix `[inputs, outputs]`.
    pub(crate) const fn matrix(inputs: usize, outputs: usize, init: Init) -> Self {
        Self { role: Role::Weight, init, shape: [inputs, outputs, 0, 0], rank: 2 }
    }

    /// A filter bank `[kernel rows, kernel columns, input channels, output channels]`.
    pub(crate) const fn filters(kernel: usize, inputs: usize, outputs: usize) -> Self {
        let init = Init::He { fan_in: kernel * kernel * inputs };
        Self { role: Role::Weight, init, shape: [kernel, kernel, inputs, outputs], rank: 4 }
    }

    /// Extents, row-major: `[inputs, outputs]` of a matrix, `[rows, columns, inputs, outputs]` of filters.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.shape.get(..self.rank).unwrap_or(&[])
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
