//! Train, compare and measure with Sharpness-Aware Minimization: what the `sam` command is made of.

pub mod data;
pub mod random;

/// Lower-case hexadecimal digits of `bytes`.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
