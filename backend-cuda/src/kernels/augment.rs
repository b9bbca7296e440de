//! How images are put into a batch: the host's side of `Turn` in `kernels/augment.cu`.

use bytemuck::{Pod, Zeroable};

use super::Divisor;

/// The shape of the images, and how each is changed on its way into the batch.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct Turn {
    pub draws: u32,
    pub erases: u32,
    pub padding: u32,
    pub height: u32,
    pub width: u32,
    pub by_channels: Divisor,
    pub by_width: Divisor,
    pub key: [u32; 6],
}

// SAFETY: the kernel's struct has the same fields.
#[allow(unsafe_code, reason = "vouches for the layout")]
unsafe impl crate::Argument for Turn {}
