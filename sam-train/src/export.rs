//! Trained networks for other programs: PyTorch's names and layouts in safetensors, ONNX, and TensorBoard's events.

pub mod graph;
pub mod onnx;
pub(crate) mod protobuf;
pub mod pytorch;
pub mod tensorboard;

/// A network that cannot be written for other programs.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The state is of another network.
    #[error(transparent)]
    State(#[from] crate::training::state::StateMismatch),
    /// Between the image as a vector and the first product stands something that is not value by value.
    #[error(
        "layer {layer}: expected a dense layer behind the vector of an image, found {found}; it has no order of channels in PyTorch"
    )]
    Order {
        /// The layer.
        layer: String,
        /// What it is.
        found: String,
    },
    /// The file cannot be laid out.
    #[error("the tensors cannot be laid out: {0}")]
    Layout(String),
}
