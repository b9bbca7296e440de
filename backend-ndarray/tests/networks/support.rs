//! Inputs that look random, and small networks with a batch of them.

use ndarray::Array4;
use sam_backend_ndarray::{Network, Scalar};
use sam_model::{Description, DescriptionError, Graph, ImageShape, Op, Tensor};

pub use super::wirings::{CLASSES, noise};

/// Images of noise.
pub fn images<T: Scalar>(samples: usize, image: ImageShape, seed: u64) -> Array4<T> {
    let mut values = noise(seed);
    let shape = (samples, image.height, image.width, image.channels);
    Array4::from_shape_simple_fn(shape, || T::of(values.next().unwrap_or_default()))
}

/// A network of one's own on two threads, whose batch is noise.
pub fn network<T: Scalar>(
    image: ImageShape,
    samples: usize,
    describe: impl FnOnce(&mut Graph) -> Result<Tensor, DescriptionError>,
) -> Network<T> {
    described_network(&Description::new(image, CLASSES, describe).unwrap(), samples)
}

/// The same of a description with that many classes.
pub fn described_network<T: Scalar>(description: &Description, samples: usize) -> Network<T> {
    let mut network = Network::build(description, samples, 2).unwrap();
    network.set_label_smoothing(T::of(0.1));
    let labels: Vec<u16> = (0..samples).map(|i| (i * 7 % CLASSES) as u16).collect();
    network.set_batch(images(samples, description.image(), 1).view(), &labels).unwrap();
    network
}

/// Adds an operation to a description.
pub fn push(
    graph: &mut Graph,
    name: &'static str,
    op: Op,
    inputs: &[Tensor],
) -> Result<Tensor, DescriptionError> {
    graph.push(name, op, inputs)
}
