//! The stand-in for cuBLASLt, cuDNN and NCCL: what the libraries' documentation forbids, it refuses. That what it computes is right
//! is seen where it is used, against kernels and in f64.
#![allow(unsafe_code, reason = "calls C functions")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod cublaslt;
mod cudnn;
mod graph;
mod nccl;
