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
                let (shape, values) = turned(&tensor.shape, &tensor.values, order);
                tensors.push(Tensor { name, shape, values });
            }
        }
    }
    Ok(tensors)
}

/// The state of the network of `description` whose tensors for PyTorch are `exported`, as far as they are there: what [`tensors`] makes
/// of that state, to the bit.
///
/// # Errors
/// As [`tensors`], but for tensors that are not there or of another shape, which are left out.
pub fn state(description: &Description, exported: &[Tensor]) -> Result<State, ExportError> {
    let mut state = State::default();
    for node in description.nodes() {
        let order = image_of_vector(description, node)?;
        for (group, parameters) in [(WEIGHTS, &node.parameters), (STATISTICS, &node.statistics)] {
            for parameter in parameters {
                let theirs = format!("{}.{}", node.name, name(parameter.role));
                let Some(found) = exported.iter().find(|tensor| tensor.name == theirs) else { continue };
                let own = format!("{group}{}.{}", node.name, parameter.role);
                let count: usize = parameter.shape.iter().product();
                // Where each number goes says where it comes from.
                let (shape, places) = turned(&parameter.shape, &(0..count).collect::<Vec<_>>(), order);
                if shape != found.shape || found.values.len() != count {
                    continue;
                }
                let mut values = vec![0.0; count];
                places.iter().zip(&found.values).for_each(|(&place, &value)| values[place] = value);
                state.tensors.push(Tensor { name: own, shape: parameter.shape.clone(), values });
            }
        }
    }
    Ok(state)
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

/// A tensor's dimensions and values in PyTorch's order of axes.
fn turned<T: Copy>(shape: &[usize], values: &[T], image: Option<Shape>) -> (Vec<usize>, Vec<T>) {
    match *shape {
        [rows, columns, inputs, outputs] => {
            let mut turned = Vec::with_capacity(values.len());
            for output in 0..outputs {
                for input in 0..inputs {
                    let filter =
                        (0..rows * columns).map(|place| values[(place * inputs + input) * outputs + output]);
                    turned.extend(filter);
                }
            }
            (vec![outputs, inputs, rows, columns], turned)
        }
        [inputs, outputs] => {
            let source = |input: usize| match image {
                // Input number `input` is pixel `input % pixels` of channel `input / pixels`.
                Some(shape) => input % shape.pixels() * shape.channels + input / shape.pixels(),
                None => input,
            };
            let turned = (0..outputs * inputs).map(|to| values[source(to % inputs) * outputs + to / inputs]);
            (vec![outputs, inputs], turned.collect())
        }
        _ => (shape.to_vec(), values.to_vec()),
    }
}
