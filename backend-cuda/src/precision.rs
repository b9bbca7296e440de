//! The numbers that convolutions and dense layers multiply.

use core::{fmt, str::FromStr};

/// What convolutions and dense layers multiply in, and what activations are kept as. Parameters, their gradients, what optimizers
/// keep, norms, perturbations, statistics, losses and sums are f32, or more, in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32, on the card's ordinary units.
    #[default]
    Single,
    /// Factors of 10 bits of fraction and f32's range, rounded on their way to the tensor cores; activations are f32. From compute
    /// capability 8.0 on.
    Tf32,
    /// Factors of 7 bits of fraction and f32's range. Activations and their gradients are kept so too, rounded to nearest even by
    /// the kernel that makes them and computed with in f32; weights are rounded on their way to the tensor cores. From compute
    /// capability 8.0 on.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "f32" => Ok(Self::Single),
            "tf32" => Ok(Self::Tf32),
            "bf16" => Ok(Self::Bf16),
            _ => Err("expected f32, tf32 or bf16"),
        }
    }
}
