//! Steps of a learner on random images, for several tests: the batch of a step is a function of it.

use ndarray::Array4;
use rand::RngExt;
use sam_model::ImageShape;
use sam_train::{
    random::{Purpose, stream},
    training::{
        cpu::CpuLearner,
        learner::{Batch, Learner},
        settings::Settings,
    },
};

pub const BATCH: usize = 12;
pub const CLASSES: usize = 3;
pub const SHAPE: ImageShape = ImageShape::new(8, 8, 1);

pub fn learner(settings: &Settings) -> CpuLearner {
    CpuLearner::new(settings, SHAPE, CLASSES, 1).unwrap()
}

/// Images and labels of step number `step`.
pub fn batch(step: u64) -> (Array4<f32>, Vec<u16>) {
    let mut random = stream(1, Purpose::BenchBatch, 0, step);
    let images = Array4::from_shape_simple_fn((BATCH, 8, 8, 1), || random.random::<f32>() * 3.0 - 1.5);
    let labels = (0..BATCH).map(|_| random.random_range(0..CLASSES as u16)).collect();
    (images, labels)
}

/// Makes the steps number `steps` with that learning rate.
pub fn advance_at(rate: f32, learner: &mut CpuLearner, steps: std::ops::Range<u64>) {
    for step in steps {
        let (images, labels) = batch(step);
        learner.step_on(Batch { images: images.view(), labels: &labels }, rate).unwrap();
    }
}

pub fn bits(learner: &CpuLearner) -> Vec<u32> {
    learner.weights().iter().map(|weight| weight.to_bits()).collect()
}
