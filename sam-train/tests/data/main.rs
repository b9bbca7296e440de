//! What is read: data sets, files of one's own, pictures, published weights; and the batches made of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod augment;
mod idx_and_cifar;
mod own_data;
mod parquet;
mod pictures;
mod prefetch;
mod published;
mod streamed;
mod streaming;
mod svhn;
