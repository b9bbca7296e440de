#![doc = include_str!("../README.md")]

pub mod dual;
pub mod linear_algebra;
pub mod remote;
pub mod two_layer;

/// The guide's code is tested.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
struct Guide;

/// So is that of the page for readers who know Python's libraries.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from-pytorch.md")]
struct ComingFromPyTorch;
