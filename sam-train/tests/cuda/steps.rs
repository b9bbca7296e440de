//! Steps on the device beside steps on the CPU.

use std::time::Duration;

use ndarray::s;
use sam_core::{Outcome, Pass};
use sam_train::training::{
    backend::Backend,
    cuda::CudaLearner,
    learner::{Batch, Learner},
    settings::Method,
    state::State,
};

use super::support::{CLASSES, SAM, SHAPE, assert_close, cuda, images, learners, settings, step};

/// Begun on the CPU, continued on the GPU and back: the run that never left the CPU, to rounding.
#[test]
fn a_run_moves_between_the_backends() {
    for method in [
        SAM,
        Method::Sgd,
        Method::Gsam { rho: 0.05, alpha: 0.3 },
        Method::Wsam { rho: 0.05, gamma: 0.8 },
        Method::LookSam { rho: 0.05, k: 2, alpha: 0.7 },
        Method::FriendlySam { rho: 0.05, sigma: 1.0, lambda: 0.9 },
        // Groups of four and of two.
        Method::MSharpness { rho: 0.05, m: 4 },
        Method::Mixup { alpha: 1.0 },
    ] {
        let [mut host, mut device] = learners("resnet-8", method);
        let [mut stayed, _] = learners("resnet-8", method);
        for seed in 0..2 {
            step(&mut *host, seed);
        }
        device.import(&host.export().unwrap()).unwrap();
        assert_eq!(device.export().unwrap(), host.export().unwrap());
        for seed in 2..4 {
            step(&mut *device, seed);
        }
        host.import(&device.export().unwrap()).unwrap();
        let last = step(&mut *host, 4);
        let expected = (0..5).map(|seed| step(&mut *stayed, seed)).last().unwrap();
        assert!((last - expected).abs() <= 1e-4 * expected, "{last}, expected {expected}");
        assert_close(&host.export().unwrap(), &stayed.export().unwrap(), 1e-3);
        let (images, labels) = images(9);
        let batch = Batch { images: images.view(), labels: &labels };
        let [found, expected] = [&mut device, &mut stayed].map(|learner| {
            learner.import(&host.export().unwrap()).unwrap();
            learner.evaluate(batch).unwrap()
        });
        assert!((found.loss - expected.loss).abs() <= 1e-4 * expected.loss);
        assert_eq!((found.correct, found.count), (expected.correct, expected.count));
    }
}

/// A batch that cannot be learned from changes nothing: not the weights, the momentum or the running statistics.
#[test]
fn a_batch_that_is_not_finite_leaves_no_trace() {
    let look = Method::LookSam { rho: 0.05, k: 2, alpha: 0.7 };
    let friendly = Method::FriendlySam { rho: 0.05, sigma: 1.0, lambda: 0.9 };
    let (groups, mixup) = (Method::MSharpness { rho: 0.05, m: 4 }, Method::Mixup { alpha: 1.0 });
    for method in [SAM, Method::Sgd, Method::Gsam { rho: 0.05, alpha: 0.3 }, look, friendly, groups, mixup] {
        let [_, mut device] = learners("resnet-8", method);
        step(&mut *device, 0);
        let before = device.export().unwrap();
        let (mut bad, labels) = images(1);
        bad[[2, 3, 3, 0]] = f32::NAN;
        let report = device.step_on(Batch { images: bad.view(), labels: &labels }, 0.02).unwrap();
        assert_eq!(report.outcome, Outcome::NonFinite(Pass::Clean));
        assert_eq!(device.export().unwrap(), before);
        step(&mut *device, 1);
        assert_ne!(device.export().unwrap(), before);
    }
}

/// A recorded step is the step: same losses, same state, bit for bit, also after an evaluation and another batch size.
#[test]
fn recording_changes_no_bit() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let (asam, wsam) = (Method::Asam { rho: 0.5, eta: 0.01 }, Method::Wsam { rho: 0.05, gamma: 0.8 });
    for (method, model) in [
        (SAM, "resnet-8"),
        (Method::Sgd, "mlp-5"),
        (asam, "mlp-5"),
        (wsam, "mlp-5"),
        (Method::Gsam { rho: 0.05, alpha: 0.3 }, "mlp-5"),
        (Method::FriendlySam { rho: 0.05, sigma: 1.0, lambda: 0.9 }, "mlp-5"),
        (Method::MSharpness { rho: 0.05, m: 4 }, "resnet-8"),
        (Method::Mixup { alpha: 1.0 }, "mlp-5"),
        (SAM, "pyramidnet-11-6-shakedrop"),
    ] {
        let settings = settings(model, method);
        let learner = || CudaLearner::new(&device, &settings, SHAPE, CLASSES).unwrap();
        let (mut recorded, mut launched) = (learner(), learner().without_recording());
        for (seed, size) in [(0, 6), (1, 6), (2, 4), (3, 6), (4, 6)] {
            let (images, labels) = images(seed);
            let images = images.slice(s![..size, .., .., ..]);
            let batch = Batch { images, labels: &labels[..size] };
            let [found, expected] = [&mut recorded, &mut launched].map(|learner| {
                let report = learner.step_on(batch, 0.02 / (seed + 1) as f32).unwrap();
                assert!(report.in_gradients > Duration::ZERO);
                let evaluation = learner.evaluate(batch).unwrap();
                (report.loss.to_bits(), report.outcome, evaluation.loss.to_bits())
            });
            assert_eq!(found, expected, "step {seed}");
            assert_eq!(launched.launches().unwrap(), None);
            // The first step of a size is launched, the second recorded.
            let launches = recorded.launches().unwrap();
            assert_eq!(launches.is_some_and(|launches| launches > 15), [1, 4].contains(&seed), "step {seed}");
        }
        assert_eq!(recorded.export().unwrap(), launched.export().unwrap());
    }
}

/// Steps of both kinds are recorded, each by itself.
#[test]
fn steps_that_alternate_are_recorded() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let settings = settings("resnet-8", Method::LookSam { rho: 0.05, k: 2, alpha: 0.7 });
    let learner = || CudaLearner::new(&device, &settings, SHAPE, CLASSES).unwrap();
    let (mut recorded, mut launched) = (learner(), learner().without_recording());
    let mut launches = Vec::new();
    for seed in 0..6 {
        let [found, expected] = [&mut recorded, &mut launched].map(|learner| step(learner, seed).to_bits());
        assert_eq!(found, expected, "step {seed}");
        launches.push(recorded.launches().unwrap().unwrap_or(0));
    }
    assert_eq!(launches[..2], [0, 0]);
    assert!(launches[3] > launches[2] && launches[2] > 0 && launches[5] == launches[3], "{launches:?}");
    assert_eq!(recorded.export().unwrap(), launched.export().unwrap());
}

/// As in fine-tuning: both passes normalise by the running statistics, which stay.
#[test]
fn frozen_statistics_stay_on_both() {
    for method in [SAM, Method::MSharpness { rho: 0.05, m: 4 }] {
        let [mut host, mut device] = learners("resnet-8", method);
        step(&mut *host, 0);
        let before = host.export().unwrap();
        device.import(&before).unwrap();
        for learner in [&mut host, &mut device] {
            learner.weight_access().unwrap().freeze_statistics().unwrap();
        }
        for seed in 1..4 {
            let [found, expected] = [&mut device, &mut host].map(|learner| step(&mut **learner, seed));
            assert!((found - expected).abs() <= 1e-4 * expected, "{found}, expected {expected}");
        }
        let (found, expected) = (device.export().unwrap(), host.export().unwrap());
        assert_close(&found, &expected, 1e-3);
        let statistics = |state: &State| -> Vec<f32> {
            state.group("statistics/").flat_map(|tensor| &tensor.values).copied().collect()
        };
        assert_eq!(statistics(&found), statistics(&before));
    }
}

/// Masks and coefficients of random layers are those of the CPU, step by step, and so is the network without them.
#[test]
fn random_layers_draw_the_hosts_numbers() {
    for (model, method) in [("shake-shake-26-2x2d", SAM), ("pyramidnet-11-6-shakedrop", Method::Sgd)] {
        let [mut host, mut device] = learners(model, method);
        for number in [0, 7, 1 << 32] {
            host.set_step(number);
            device.set_step(number);
            let [found, expected] = [&mut device, &mut host].map(|learner| step(&mut **learner, 1));
            assert!((found - expected).abs() <= 1e-4 * expected, "{model}: {found}, expected {expected}");
        }
        assert_close(&device.export().unwrap(), &host.export().unwrap(), 1e-3);
        let [found, expected] = [&mut device, &mut host].map(|learner| step(&mut **learner, 2));
        assert!((found - expected).abs() <= 1e-3 * expected, "{model}: {found}, expected {expected}");
    }
}
