//! Weights of other programs: exports with PyTorch's names, the files of `torch.save`, ONNX models, and networks as they were published.

pub mod names;
pub mod onnx;
pub mod torch;
pub mod weights;
