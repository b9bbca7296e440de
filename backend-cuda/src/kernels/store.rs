//! A value that travels with a launch: the host's side of `kernels/store.cu`.

use bytemuck::{Pod, Zeroable};

/// What the kernel `store` takes.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct StoreArguments([u32; 8]);

// SAFETY: the kernel's struct is the same array.
#[allow(unsafe_code, reason = "vouches for the layout")]
unsafe impl crate::Argument for StoreArguments {}
