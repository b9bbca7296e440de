//! What trained weights are like: losses and gradients anywhere around them, sharpness, curvature, bounds.
//!
//! Everything here computes on the host, in double precision where differences matter, from the state of any run.

pub mod association;
pub mod lanczos;
pub mod model;
pub mod pac_bayes;
pub mod sharpness;
pub mod surface;
pub mod update;
