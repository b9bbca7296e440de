//! Training images on the device.

use sam_backend_cuda::{CudaNetwork, DeviceImages, NetworkError};
use sam_model::{Evaluation, ImageShape};
use sam_train::{
    data::{Augment, BatchMaker, Policy, epoch_order},
    training::{
        backend::Backend,
        cuda::{CudaLearner, augmentation},
        host_batches::HostBatches,
        learner::{Batch, Learner, LearnerError, StepReport},
        state::State,
        trainer::Trainer,
    },
};

use super::support::{CLASSES, SAM, SHAPE, cuda, dataset, settings};

/// Every pixel and label of batches made on the device is the host's, bit for bit.
#[test]
fn batches_made_on_the_device_are_the_hosts() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let (count, seed) = (40, u64::MAX - 5);
    for shape in [ImageShape::new(8, 8, 1), ImageShape::new(9, 13, 3)] {
        let dataset = dataset(shape, count);
        let mut maker = BatchMaker::new(&dataset, 16).unwrap();
        let tables = maker.standardizer().tables().to_vec();
        let (pixels, labels) = (dataset.train.pixels.all().unwrap(), &dataset.train.labels);
        let mut images = DeviceImages::new(&device.gpu, shape, &pixels, labels, &tables).unwrap();
        let model = "mlp-4".parse().unwrap();
        let mut network = CudaNetwork::new(&device.gpu, &model, shape, CLASSES, 16).unwrap();
        let mut plain = Vec::new();
        for augment in [Augment::None, Augment::Basic, Augment::Cutout] {
            for epoch in [0, 1, 1 << 40] {
                let order = epoch_order(seed, epoch, count);
                images.set_order(&order).unwrap();
                for range in [0..16, 16..32, 33..40] {
                    let augmentation = augmentation(augment, seed, epoch);
                    network.set_batch_from(&images, range.clone(), augmentation.as_ref()).unwrap();
                    let (found, found_labels) = network.batch().unwrap();
                    let expected = maker.train(&order[range.clone()], augment, seed, epoch).unwrap();
                    let bits = |x: &f32| x.to_bits();
                    let expected: Vec<u32> = expected.iter().map(bits).collect();
                    assert_eq!(found.iter().map(bits).collect::<Vec<_>>(), expected, "{augment}, {range:?}");
                    let expected: Vec<u32> = order[range].iter().map(|&i| u32::from(labels[i])).collect();
                    assert_eq!(found_labels, expected);
                    plain.push(found);
                }
            }
        }
        // The test would not notice a kernel that draws nothing if the host did not either.
        assert!(plain[..9].iter().zip(&plain[9..18]).all(|(plain, augmented)| plain != augmented));
        assert!(plain[9..18].iter().zip(&plain[18..]).all(|(basic, cutout)| basic != cutout));
        let error = images.set_order(&[0, count]).unwrap_err().to_string();
        assert!(error.contains("image of an order") && error.contains("40"), "{error}");
        let error = network.set_batch_from(&images, 30..41, None).unwrap_err().to_string();
        assert!(error.contains("expected 40 entries, found 41"), "{error}");
        let other = ImageShape::new(shape.width + 1, shape.height, shape.channels);
        let mut network = CudaNetwork::new(&device.gpu, &model, other, CLASSES, 16).unwrap();
        assert!(matches!(network.set_batch_from(&images, 0..4, None), Err(NetworkError::Images { .. })));
    }
}

/// Brings every batch from the host.
struct Bringing(CudaLearner, Option<HostBatches>);

impl Learner for Bringing {
    fn batches(&mut self) -> &mut Option<HostBatches> {
        &mut self.1
    }

    fn set_step(&mut self, step: u64) {
        self.0.set_step(step);
    }

    fn step_on(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.0.step_on(batch, rate)
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        self.0.evaluate(batch)
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        self.0.export()
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        self.0.import(state)
    }

    fn arithmetic(&self) -> String {
        "numbers of a test".to_owned()
    }

    fn parameter_count(&self) -> usize {
        self.0.parameter_count()
    }
}

/// A run whose images are on the device has the losses and the weights of one that brings each batch; so has one with an augmentation
/// that only the host has.
#[test]
fn a_run_on_images_of_the_devices_is_the_run() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let dataset = dataset(SHAPE, 21);
    for augment in [Augment::Cutout, Augment::Crop, Augment::Policy(Policy::RAND)] {
        let mut settings = settings("mlp-5", SAM);
        (settings.epochs, settings.data.augment, settings.data.label_noise) = (2, augment, 0.3);
        let learner = || CudaLearner::new(&device, &settings, SHAPE, CLASSES).unwrap();
        let mut here = Trainer::new(&settings, &dataset, "data", Box::new(learner())).unwrap();
        let mut brought =
            Trainer::new(&settings, &dataset, "data", Box::new(Bringing(learner(), None))).unwrap();
        while !here.finished() {
            while !here.at_epoch_end() {
                here.step().unwrap();
                brought.step().unwrap();
            }
            let (found, expected) = (here.end_epoch(true).unwrap(), brought.end_epoch(true).unwrap());
            assert_eq!(found.train_loss.to_bits(), expected.train_loss.to_bits(), "{augment}");
            assert_eq!(found.test_loss, expected.test_loss);
        }
        assert_eq!(here.state().unwrap(), brought.state().unwrap(), "{augment}");
    }
}
