//! 6 x 16 tiles in the thirty-two 4-wide registers of NEON: 24 sums, 4 of B, 1 of A.
#![expect(unsafe_code, reason = "intrinsics and unchecked reads in the innermost loop")]

use core::arch::aarch64::{float32x4_t, vdupq_n_f32, vfmaq_f32, vld1q_f32, vst1q_f32};

use super::{COLUMNS, Initial, MicroKernel, Operands, tiles};

tiles! {
    features: "neon", vector: float32x4_t, load: vld1q_f32, store: vst1q_f32, everywhere: vdupq_n_f32,
    multiply_add: |a, b, sum| vfmaq_f32(sum, a, b), rows: 1 2 3 4 5 6
}
