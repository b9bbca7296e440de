//! What can go wrong on a device.

use core::fmt;

use crate::Precision;

/// What can go wrong on a device, with what a report about it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CudaError {
    /// There is no driver, or no device behind it.
    NoDevice {
        /// Why.
        reason: String,
    },
    /// The driver refused, or a kernel failed. Failures of kernels show at a later call; with `SAM_CUDA_BLOCKING=1`
    /// in the environment every launch is waited for, and the error names its kernel.
    Driver {
        /// What was being done.
        doing: String,
        /// The driver's code.
        code: String,
        /// The card, and the driver's version.
        card: String,
    },
    /// Not enough memory on the device.
    Memory {
        /// Bytes asked for.
        asked: usize,
        /// Bytes free.
        free: usize,
        /// Bytes there are.
        total: usize,
        /// The card, and the driver's version.
        card: String,
    },
    /// A module of kernels was refused.
    Module {
        /// Its name.
        name: String,
        /// The driver's code.
        code: String,
        /// What its compiler said.
        log: String,
        /// The card, and the driver's version.
        card: String,
    },
    /// A kernel is not what its caller takes it for.
    Signature {
        /// The kernel's name.
        kernel: String,
        /// Bytes of each parameter, according to the caller.
        expected: Vec<usize>,
        /// According to the module; `None` if it has no such kernel.
        found: Option<Vec<usize>>,
    },
    /// Buffers that must have the same length do not.
    Length {
        /// Which buffer.
        what: &'static str,
        /// Entries expected.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// Two things live on different devices.
    OtherDevice {
        /// Which.
        what: &'static str,
    },
    /// The card has no tensor cores for this.
    Precision {
        /// What was asked for.
        precision: Precision,
        /// The card, and the driver's version.
        card: String,
    },
    /// NVIDIA's libraries were asked for and are not there.
    Libraries {
        /// Which, and where they were looked for.
        missing: String,
    },
    /// NCCL was asked for and is not there.
    NoNccl {
        /// Where it was looked for.
        missing: String,
    },
    /// Ranks that cannot add in a tree.
    Ranks {
        /// Which of them this is to be.
        rank: usize,
        /// How many there are.
        ranks: usize,
    },
    /// The other ranks cannot be reached, or have gone.
    Peers {
        /// What is known of them.
        reason: String,
    },
    /// A buffer was given up while a step was recorded, which would go on to use it.
    Recording {
        /// Its size.
        bytes: usize,
    },
    /// More entries than a kernel can count.
    TooLarge {
        /// Which buffer.
        what: &'static str,
        /// Entries.
        found: u128,
    },
}

impl CudaError {
    pub(crate) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self::Length { what, expected, found }) }
    }
}

impl fmt::Display for CudaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice { reason } => write!(
                f,
                "expected an NVIDIA GPU with its driver, found none ({reason}); use the CPU backend here"
            ),
            Self::Driver { doing, code, card } => write!(f, "{card}: {doing}: {code}"),
            Self::Memory { asked, free, total, card } => {
                let mib = |bytes: &usize| bytes.div_ceil(1 << 20);
                write!(
                    f,
                    "{card}: out of memory: {} MiB asked for, {} of {} MiB free; use a smaller batch or network",
                    mib(asked),
                    free >> 20,
                    mib(total)
                )
            }
            Self::Module { name, code, log, card } => {
                write!(f, "{card}: kernels {name} cannot be loaded: {code}")?;
                if log.is_empty() { Ok(()) } else { write!(f, "; the driver's compiler says: {log}") }
            }
            Self::Signature { kernel, expected, found: Some(found) } => write!(
                f,
                "kernel {kernel} is called with parameters of {expected:?} bytes, but takes {found:?}; correct the caller"
            ),
            Self::Signature { kernel, found: None, .. } => {
                write!(f, "the module has no kernel {kernel}; is it declared extern \"C\"?")
            }
            Self::Length { what, expected, found } => {
                write!(f, "the {what}: expected {expected} entries, found {found}")
            }
            Self::OtherDevice { what } => {
                write!(f, "the {what} was allocated through another Device; allocate everything through one")
            }
            Self::Precision { precision, card } => {
                write!(f, "{card}: products in {precision} need compute capability 8.0 or more; use f32")
            }
            Self::Libraries { missing } => {
                write!(
                    f,
                    "expected NVIDIA's libraries for vendor kernels, found {missing}; or use native kernels"
                )
            }
            Self::NoNccl { missing } => {
                write!(f, "expected NCCL for several GPUs, found {missing}; or use one GPU")
            }
            Self::Ranks { rank, ranks } => write!(
                f,
                "expected a rank of as many as a power of two, found rank {rank} of {ranks}; start another number of them"
            ),
            Self::Peers { reason } => {
                write!(
                    f,
                    "expected an answer of the other ranks' GPUs, found none ({reason}); see what those say"
                )
            }
            Self::Recording { bytes } => write!(
                f,
                "recording a step: expected every buffer to be kept, found one of {bytes} bytes given up meanwhile; launch such steps"
            ),
            Self::TooLarge { what, found } => write!(
                f,
                "the {what} would have {found} entries, at most {} are possible; use a smaller batch, image or network",
                i32::MAX
            ),
        }
    }
}

impl std::error::Error for CudaError {}
