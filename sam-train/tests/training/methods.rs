//! Every training method through the learner: checkpoints, costs, and the methods that must coincide.

use super::{
    steps::{BATCH, CLASSES, SHAPE, advance_at, batch, bits},
    support::BASE,
};
use ndarray::{Array4, ArrayView4};
use sam_backend_ndarray::Network;
use sam_core::{GradientOracle, Pass};
use sam_train::{
    data::DataSource,
    training::{
        checkpoint::{Checkpoint, RunPosition},
        cpu::CpuLearner,
        learner::{Batch, Learner},
        settings::{DataSettings, Method, ScheduleSettings, ScheduleShape, Settings},
    },
};

fn every_method() -> Vec<Method> {
    let rho = 0.1;
    vec![
        Method::Sgd,
        Method::Mixup { alpha: 1.0 },
        Method::sam(rho),
        Method::Asam { rho, eta: 0.01 },
        Method::AsamWeights { rho, eta: 0.01 },
        Method::RandomSam { rho },
        Method::MultiStepSam { rho, steps: 3 },
        Method::SecondOrderSam { rho },
        Method::MSharpness { rho, m: 4 },
        Method::Gsam { rho, alpha: 0.3 },
        Method::LookSam { rho, k: 5, alpha: 0.7 },
        Method::Wsam { rho, gamma: 0.9 },
        Method::FriendlySam { rho, sigma: 1.0, lambda: 0.9 },
        Method::MomentumSam { rho },
        Method::Esam { rho, beta: 0.6 },
    ]
}

fn settings(model: &str, method: Method) -> Settings {
    Settings {
        epochs: 1,
        batch: BATCH.into(),
        model: model.parse().unwrap(),
        label_smoothing: 0.1,
        data: DataSettings::new(DataSource::Digits),
        method,
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        ..BASE
    }
}

fn learner(model: &str, method: Method) -> CpuLearner {
    super::steps::learner(&settings(model, method))
}

/// Makes the steps number `steps`.
fn advance(learner: &mut CpuLearner, steps: std::ops::Range<u64>) {
    advance_at(0.05, learner, steps);
}

#[test]
fn every_method_goes_on_from_a_checkpoint_to_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    for model in ["mlp-16", "resnet-8"] {
        for method in every_method() {
            let mut whole = learner(model, method);
            advance(&mut whole, 0..4);
            let position = RunPosition { step: 4, ..RunPosition::start(&settings(model, method), "") };
            let checkpoint = Checkpoint { position, state: whole.export().unwrap() };
            checkpoint.save(&path).unwrap();
            let mut resumed = learner(model, method);
            resumed.import(&Checkpoint::load(&path).unwrap().state).unwrap();
            advance(&mut whole, 4..7);
            advance(&mut resumed, 4..7);
            assert_eq!(bits(&whole), bits(&resumed), "{model} {method:?}");
            assert_eq!(whole.export().unwrap(), resumed.export().unwrap(), "{model} {method:?}");
        }
    }
}

#[test]
fn every_method_computes_as_many_gradients_as_it_says() {
    for method in every_method() {
        let mut learner = learner("mlp-16", method);
        // A multiple of LookSAM's period.
        advance(&mut learner, 0..10);
        let counted = learner.gradients() / 10.0;
        let said = method.gradients_per_step();
        assert!((counted - said).abs() < 1e-9, "{method:?}: {counted} counted, {said} said");
    }
}

/// The same settings on mixed images.
fn mixed(model: &str, method: Method) -> CpuLearner {
    let mut settings = settings(model, method);
    settings.data.mixup = Some(1.0);
    settings.check().unwrap();
    super::steps::learner(&settings)
}

/// Those that may be had on mixed images.
fn mixing_methods() -> impl Iterator<Item = Method> {
    every_method()
        .into_iter()
        .filter(|method| !matches!(method, Method::Mixup { .. } | Method::SecondOrderSam { .. }))
}

#[test]
fn mixed_images_are_mixup_s_for_sgd_and_for_methods_without_a_radius_and_cost_every_other_one_twice_its_gradients()
 {
    for model in ["mlp-16", "resnet-8"] {
        let mut mixup = learner(model, Method::Mixup { alpha: 1.0 });
        advance(&mut mixup, 0..6);
        for method in [Method::Sgd, Method::sam(0.0), Method::RandomSam { rho: 0.0 }] {
            let mut other = mixed(model, method);
            advance(&mut other, 0..6);
            assert_eq!(bits(&other), bits(&mixup), "{model} {method:?}");
        }
    }
    for method in mixing_methods() {
        let (mut other, mut plain) = (mixed("mlp-16", method), learner("mlp-16", method));
        advance(&mut other, 0..10);
        advance(&mut plain, 0..10);
        let (counted, said) = (other.gradients() / 10.0, 2.0 * method.gradients_per_step());
        assert!((counted - said).abs() < 1e-9, "{method:?}: {counted} counted, {said} said");
        assert_ne!(bits(&other), bits(&plain), "{method:?}");
    }
}

#[test]
fn methods_that_are_sam_by_another_name_are_so_on_mixed_images_and_all_go_on_from_a_checkpoint() {
    let run = |method| {
        let mut learner = mixed("mlp-16", method);
        advance(&mut learner, 0..6);
        bits(&learner)
    };
    let sam = run(Method::sam(0.1));
    for method in [
        Method::MultiStepSam { rho: 0.1, steps: 1 },
        Method::MSharpness { rho: 0.1, m: BATCH },
        Method::Gsam { rho: 0.1, alpha: 0.0 },
    ] {
        assert_eq!(run(method), sam, "{method:?}");
    }
    for method in mixing_methods() {
        let mut whole = mixed("resnet-8", method);
        advance(&mut whole, 0..4);
        let mut resumed = mixed("resnet-8", method);
        resumed.import(&whole.export().unwrap()).unwrap();
        advance(&mut whole, 4..6);
        advance(&mut resumed, 4..6);
        assert_eq!(whole.export().unwrap(), resumed.export().unwrap(), "{method:?}");
    }
}

#[test]
fn methods_that_are_sam_by_another_name_give_its_bits() {
    let rho = 0.1;
    let run = |method| {
        let mut learner = learner("mlp-16", method);
        advance(&mut learner, 0..6);
        bits(&learner)
    };
    let sam = run(Method::sam(rho));
    for method in [
        Method::MultiStepSam { rho, steps: 1 },
        Method::MSharpness { rho, m: BATCH },
        Method::Gsam { rho, alpha: 0.0 },
        Method::LookSam { rho, k: 1, alpha: 0.7 },
        Method::Wsam { rho, gamma: 0.5 },
        Method::FriendlySam { rho, sigma: 0.0, lambda: 0.9 },
        Method::Esam { rho, beta: 1.0 },
    ] {
        assert_eq!(run(method), sam, "{method:?}");
    }
    let sgd = run(Method::Sgd);
    for method in every_method() {
        if !matches!(method, Method::Sgd) {
            assert_ne!(run(method), sgd, "{method:?} is SGD");
        }
    }
    for method in [Method::sam(0.0), Method::RandomSam { rho: 0.0 }, Method::MomentumSam { rho: 0.0 }] {
        assert_eq!(run(method), sgd, "{method:?} at radius 0 is not SGD");
    }
}

/// Kwon et al., equation 6 and their code, in double precision: biases and norms are perturbed as in SAM, or all alike.
fn asam_by_hand(model: &str, weights_only: bool, rho: f64, eta: f64, steps: u64) -> Vec<f64> {
    let settings = settings(model, Method::Sgd);
    let mut network = Network::<f64>::build(&settings.describe(SHAPE, CLASSES).unwrap(), BATCH, 1).unwrap();
    network.set_label_smoothing(settings.label_smoothing);
    let start = learner(model, Method::Sgd);
    let mut w: Vec<f64> = start.weights().iter().map(|&weight| f64::from(weight)).collect();
    let mut adaptive = vec![!weights_only; w.len()];
    for tensor in network.tensors().iter().filter(|tensor| tensor.name.ends_with(".weight")) {
        adaptive[tensor.range.clone()].fill(true);
    }
    let (mut g, mut velocity) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    for step in 0..steps {
        let (images, labels) = batch(step);
        network.set_batch(images.mapv(f64::from).view(), &labels).unwrap();
        network.gradient(&w, &mut g, Pass::Clean).unwrap();
        let scale: Vec<f64> =
            w.iter().zip(&adaptive).map(|(w, &a)| if a { w.abs() + eta } else { 1.0 }).collect();
        let norm = scale.iter().zip(&g).map(|(t, g)| (t * g) * (t * g)).sum::<f64>().sqrt();
        let up: Vec<f64> = (0..w.len()).map(|i| w[i] + rho * scale[i] * scale[i] * g[i] / norm).collect();
        network.gradient(&up, &mut g, Pass::Perturbed).unwrap();
        for ((w, g), v) in w.iter_mut().zip(&g).zip(&mut velocity) {
            let decayed = g + 5e-4 * *w;
            *v = 0.9 * *v + decayed;
            *w -= 0.05 * (decayed + 0.9 * *v);
        }
    }
    w
}

#[test]
fn both_forms_of_asam_are_what_plain_code_computes_and_they_differ() {
    let (rho, eta, steps) = (0.5, 0.01, 3);
    for model in ["mlp-16", "lenet"] {
        let distance = |method, weights_only| {
            let mut learner = learner(model, method);
            advance(&mut learner, 0..steps);
            let expected = asam_by_hand(model, weights_only, rho, eta, steps);
            let off = learner.weights().iter().zip(expected).map(|(w, e)| (f64::from(*w) - e).abs());
            off.fold(0.0, f64::max)
        };
        let (all, weights) = (Method::Asam { rho, eta }, Method::AsamWeights { rho, eta });
        assert!(distance(all, false) < 1e-5, "{model}: {}", distance(all, false));
        assert!(distance(weights, true) < 1e-5, "{model}: {}", distance(weights, true));
        assert!(distance(all, true) > 1e-3 && distance(weights, false) > 1e-3, "{model}");
    }
}

/// A batch whose gradients overflow must leave the learner as it was, whatever it was doing.
#[test]
fn no_method_is_changed_by_a_batch_without_a_finite_gradient() {
    let huge = Array4::from_elem((BATCH, 8, 8, 1), f32::MAX);
    let labels: Vec<u16> = (0..BATCH).map(|i| (i % CLASSES) as u16).collect();
    for method in every_method() {
        let mut learner = learner("mlp-16", method);
        advance(&mut learner, 0..3);
        let before = learner.export().unwrap();
        let images: ArrayView4<'_, f32> = huge.view();
        let report = learner.step_on(Batch { images, labels: &labels }, 0.05).unwrap();
        assert!(matches!(report.outcome, sam_core::Outcome::NonFinite(_)), "{method:?}: {report:?}");
        assert_eq!(learner.export().unwrap(), before, "{method:?}");
    }
}
