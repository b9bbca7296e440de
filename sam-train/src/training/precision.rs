//! What networks multiply in.

use serde::{Deserialize, Serialize};

use crate::named::named;

/// What a network's products are of; everything else is in single precision in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// TF32, on a GPU's tensor cores.
    Tf32,
    /// bfloat16, on a GPU's tensor cores.
    Bf16,
}

named!(Precision, "expected f32, tf32 or bf16", F32 = "f32", Tf32 = "tf32", Bf16 = "bf16");
