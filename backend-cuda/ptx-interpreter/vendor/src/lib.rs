//! cuBLASLt, cuDNN and NCCL, the part of them that `sam-backend-cuda` calls, on the memory of the PTX interpreter.
//!
//! Plain loops compute; what they are asked is checked by the libraries' documentation: descriptors, layouts, types,
//! alignments, workspaces. What is wrong is refused with the status that the documentation gives, and a sentence on standard
//! error. Constants are those of the libraries' headers, written down here once more. Handles and descriptors are numbers,
//! never pointers.
//!
//! It opens the interpreter's driver as its caller does, by `SAM_CUDA_DRIVER`. Faults can be planted: `fault.rs`.

#![allow(unsafe_code, reason = "C functions that are given pointers")]
#![allow(non_snake_case, reason = "the libraries' own names")]

mod convolution;
mod cublaslt;
mod cudnn;
mod device;
mod fault;
mod nccl;
mod objects;
mod product;
