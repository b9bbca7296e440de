//! The UCI digits of `sam-train/data` as constants, and the weights that the host trained on them.

use crate::{PIXELS, Set};

macro_rules! set {
    ($part:literal) => {
        Set {
            images: include_bytes!(concat!(env!("OUT_DIR"), "/", $part, "-images")).as_chunks::<PIXELS>().0,
            labels: include_bytes!(concat!(env!("OUT_DIR"), "/", $part, "-labels")),
        }
    };
}

/// 1,200 images to learn from.
pub static TRAIN: Set<'static> = set!("train");

/// 597 images to test on.
pub static TEST: Set<'static> = set!("test");

/// Bytes that the digits take.
pub const BYTES: usize = (1200 + 597) * (PIXELS + 1);

/// The network of [`crate::experiment`], trained by the program `pretrain`: `f32`, little-endian.
pub static PRETRAINED: &[[u8; 4]] = include_bytes!("../pretrained.bin").as_chunks::<4>().0;
