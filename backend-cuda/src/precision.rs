//! The numbers that convolutions and dense layers multiply.

use core::{fmt, str::FromStr};

/// What convolutions and dense layers multiply in. Parameters, activations, gradients and sums are f32 in any case: only
/// the factors of products are rounded, on their way to the tensor cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32, on the card's ordinary units.
    #[default]
    Single,
    /// Factors of 10 bits of fraction and f32's range. From compute capability 8.0 on.
    Tf32,
    /// Factors of 7 bits of fraction and f32's range. From compute capability 8.0 on.
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
