//! Networks of one's own as any text: refused with a line of the file, or described, kept in a `config.toml` and computed.

use std::collections::HashSet;

use ndarray::Array4;
use sam_backend_ndarray::{Activations, Network, Random};
use sam_core::{GradientOracle, Pass};
use sam_model::{
    Description, ImageShape, Initialization,
    random::{BackwardCoefficients, Key},
};
use sam_train::training::own_network::OwnNetwork;

/// What is still computed.
const MOST_BYTES: u128 = 1 << 22;
const MOST_MULTIPLY_ADDS: u64 = 1 << 22;
const SAMPLES: usize = 2;

/// What is read is described the same way each time, for the images that it names and for small ones, and its tensors have names of
/// their own; a description that is small is a network whose passes have the same bits twice.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.matches('\n').count() + 1;
    let network = match OwnNetwork::parse("net", text) {
        Ok(network) => network,
        Err(error) => return assert!((1..=lines).contains(&error.line), "{error} of {lines} lines"),
    };
    assert!(OwnNetwork::parse(network.name(), network.text()).is_ok(), "what a run keeps is read again");
    for (image, classes) in [network.input(), (ImageShape::new(5, 4, 3), 3)] {
        let describe = || network.describe(image, classes, Initialization::HeFanIn);
        match describe() {
            Ok(description) => {
                let size = |network: &Description| (network.tensors(), network.multiply_adds());
                assert_eq!(describe().as_ref().map(size), Ok(size(&description)));
                compute(&description, image);
            }
            Err(error) => assert!((1..=lines).contains(&error.line), "{error} of {lines} lines"),
        }
    }
}

fn compute(description: &Description, image: ImageShape) {
    let small = Network::<f32>::size_of(description, SAMPLES, Activations::Kept).buffer_bytes <= MOST_BYTES
        && description.multiply_adds() <= MOST_MULTIPLY_ADDS;
    if !small {
        return;
    }
    let Ok(mut network) = Network::<f32>::build(description, SAMPLES, 1) else { return };
    let names: HashSet<String> = network.tensors().iter().map(|tensor| tensor.name.to_string()).collect();
    assert_eq!(names.len(), network.tensors().len(), "two tensors of one name");
    let shape = (SAMPLES, image.height, image.width, image.channels);
    let images =
        Array4::from_shape_fn(shape, |(i, y, x, c)| ((7 * i + 3 * y + 5 * x + c) % 11) as f32 / 5.0 - 1.0);
    network.set_random(Some(Random { key: Key([1, 2, 3]), first: 0, backward: BackwardCoefficients::Fresh }));
    network.set_batch(images.view(), &[0, 1]).expect("a batch of the network's own shape");
    let w = network.initial_parameters(1);
    let [first, second] = [(); 2].map(|()| {
        let mut g = vec![f32::NAN; w.len()];
        let loss = network.gradient(&w, &mut g, Pass::Clean).expect("lengths that agree");
        (loss.to_bits(), g.iter().map(|g| g.to_bits()).collect::<Vec<_>>())
    });
    assert_eq!(first, second);
    network.evaluate(&w, images.view(), &[0, 1]).expect("images of the network's own shape");
}
