//! Weights and running statistics by PyTorch's names and in its order of axes.
//!
//! Filters are `[outputs, inputs, rows, columns]` and matrices `[outputs, inputs]`. A dense layer behind the vector of an image
//! reads it channel by channel, as `torch.flatten` of NCHW gives it, and not pixel by pixel.

use std::collections::HashMap;

use safetensors::{Dtype, tensor::TensorView};
use sam_model::{Description, Node, Op, Role, Shape};

use super::ExportError;
use crate::training::state::{STATISTICS, State, StateMismatch, Tensor, WEIGHTS};

/// The tensors of `state`, the network of `description`, for PyTorch.
///
/// # Errors
/// [`ExportError`], when the state is of another network, or a vector of an image has no order of channels.
pub fn tensors(description: &Description, state: &State) -> Result<Vec<Tensor>, ExportError> {
    let mut tensors = Vec::new();
    for node in description.nodes() {
        let order = image_of_vector(description, node)?;
        for (group, parameters) in [(WEIGHTS, &node.parameters), (STATISTICS, &node.statistics)] {
            for parameter in parameters {
                let own = format!("{group}{}.{}", node.name, parameter.role);
                let found = state.get(&own).filter(|tensor| tensor.shape == parameter.shape);
                let tensor = found.ok_or_else(|| StateMismatch {
                    name: own.clone(),
                    expected: format!("shape {:?}", parameter.shape),
                    found: state
                        .get(&own)
                        .map_or("none".into(), |tensor| format!("shape {:?}", tensor.shape)),
                })?;
                let name = format!("{}.{}", node.name, name(parameter.role));
                tensors.push(turned(name, tensor, order));
            }
        }
    }
    Ok(tensors)
}

/// A safetensors file of `tensors` with `metadata`.
///
/// # Errors
/// [`ExportError::Layout`], when two tensors have one name.
pub fn encode(tensors: &[Tensor], metadata: HashMap<String, String>) -> Result<Vec<u8>, ExportError> {
    let layout = |error: safetensors::SafeTensorError| ExportError::Layout(error.to_string());
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(layout)?;
        Ok((tensor.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, ExportError>>()?;
    safetensors::serialize(views, Some(metadata)).map_err(layout)
}

/// The last part of a tensor's name in PyTorch.
pub fn name(role: Role) -> &'static str {
    match role {
        Role::Weight | Role::Scale => "weight",
        Role::Bias | Role::Shift => "bias",
        Role::RunningMean => "running_mean",
        Role::RunningVariance => "running_var",
    }
}

/// The shape of the image whose pixels in a row a dense layer reads, if that is what it reads.
fn image_of_vector(description: &Description, node: &Node) -> Result<Option<Shape>, ExportError> {
    match node.op {
        Op::Dense { .. } | Op::Classify { .. } => vector_of(description, node.inputs[0]),
        _ => Ok(None),
    }
}

/// The image whose values in a row a tensor has, if it has those.
fn vector_of(description: &Description, tensor: usize) -> Result<Option<Shape>, ExportError> {
    let Some(producer) = description.producer(tensor) else { return Ok(None) };
    match producer.op {
        Op::Flatten => Ok(Some(description.shape(producer.inputs[0]))),
        Op::Relu | Op::Relu6 | Op::Swish | Op::Sigmoid | Op::Dropout { .. } | Op::DropConnect { .. } => {
            vector_of(description, producer.inputs[0])
        }
        Op::BatchNorm(_) | Op::Scale | Op::Add | Op::Concat | Op::ShakeShake | Op::ShakeDrop { .. } => {
            for &input in &producer.inputs {
                if vector_of(description, input)?.is_some_and(|image| image.pixels() > 1) {
                    let (layer, found) = (producer.name.to_string(), format!("{:?}", producer.op));
                    return Err(ExportError::Order { layer, found });
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn turned(name: String, tensor: &Tensor, image: Option<Shape>) -> Tensor {
    let values = &tensor.values;
    match *tensor.shape.as_slice() {
        [rows, columns, inputs, outputs] => {
            let mut turned = Vec::with_capacity(values.len());
            for output in 0..outputs {
                for input in 0..inputs {
                    let filter =
                        (0..rows * columns).map(|place| values[(place * inputs + input) * outputs + output]);
                    turned.extend(filter);
                }
            }
            Tensor { name, shape: vec![outputs, inputs, rows, columns], values: turned }
        }
        [inputs, outputs] => {
            let source = |input: usize| match image {
                // Input number `input` is pixel `input % pixels` of channel `input / pixels`.
                Some(shape) => input % shape.pixels() * shape.channels + input / shape.pixels(),
                None => input,
            };
            let turned = (0..outputs * inputs).map(|to| values[source(to % inputs) * outputs + to / inputs]);
            Tensor { name, shape: vec![outputs, inputs], values: turned.collect() }
        }
        _ => Tensor { name, ..tensor.clone() },
    }
}
