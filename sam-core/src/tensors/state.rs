//! A model of several tensors as a method's buffer, in a checkpoint.

use super::Tensors;
use crate::state::Name;
use crate::{Sink, Source, Values, ValuesMut};

/// Shows each tensor under `name` and its number, `looksam.sharpness.3`: [`StateBuffer::save_as`](crate::StateBuffer::save_as) of a
/// model.
pub fn save_tensors<P: Tensors>(model: &P, name: &str, sink: &mut Sink<'_, P::Scalar>) {
    for (i, tensor) in model.tensors().enumerate() {
        sink(Name::joined(name, i).as_str(), Values::Reals(tensor));
    }
}

/// Has each tensor filled under the names of [`save_tensors`].
pub fn load_tensors<P: Tensors>(model: &mut P, name: &str, source: &mut Source<'_, P::Scalar>) {
    for (i, tensor) in model.tensors_mut().enumerate() {
        source(Name::joined(name, i).as_str(), ValuesMut::Reals(tensor));
    }
}
