//! Weights of other programs: exports with PyTorch's names, the files of `torch.save`, and networks as they were published.

pub mod names;
pub mod torch;
pub mod weights;
