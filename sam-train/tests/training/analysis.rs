//! Analyses of networks where the answer can be had in another way.

use super::support::BASE;
use nalgebra::{DMatrix, SymmetricEigen};
use sam_backend_ndarray::{Dual64, Scalar};
use sam_core::{GradientOracle, Pass, Rule};
use sam_train::{
    analysis::{
        lanczos::{Hessian, lanczos},
        model::Model,
        update::perturbed_error,
    },
    data::Dataset,
    training::{
        cpu::CpuLearner,
        learner::{Batch, Learner},
        settings::{DataSettings, Method, ScheduleSettings, ScheduleShape, Settings, SgdSettings},
    },
};

fn settings(model: &str) -> Settings {
    Settings {
        seed: 5,
        epochs: 1,
        batch: 16.into(),
        model: model.parse().unwrap(),
        data: DataSettings { limit: Some(40), ..BASE.data },
        method: Method::Sgd,
        sgd: SgdSettings {
            lr: 0.1,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            decoupled: false,
            ..SgdSettings::new(0.05)
        },
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        ..BASE
    }
}

/// A model of 40 images, and weights away from where the logits are all zero.
fn model<T: Scalar>(architecture: &str) -> (Model<T>, Vec<T>, Dataset) {
    let settings = settings(architecture);
    let dataset = settings.data.name.load(None, settings.data.limit).unwrap();
    let learner = &mut CpuLearner::new(&settings, dataset.shape, dataset.classes, 1).unwrap();
    let mut model =
        Model::<T>::new(&settings, &dataset, &dataset.train, dataset.train.labels.clone()).unwrap();
    let mut weights: Vec<T> = model.weights(&learner.export().unwrap()).unwrap();
    weights.iter_mut().enumerate().for_each(|(i, w)| *w += T::of(0.05 * (i as f64 * 1.7).sin()));
    (model, weights, dataset)
}

fn gradient(model: &mut Model<f64>, weights: &[f64]) -> (f64, Vec<f64>) {
    let mut gradient = vec![0.0; weights.len()];
    let loss = model.gradient(weights, &mut gradient, Pass::Clean).unwrap();
    (loss, gradient)
}

fn moved(weights: &[f64], along: &[f64], distance: f64) -> Vec<f64> {
    weights.iter().zip(along).map(|(w, v)| w + distance * v).collect()
}

/// Column by column, what `product` makes of the unit vectors.
fn dense_hessian(count: usize, mut product: impl FnMut(&[f64], &mut [f64])) -> DMatrix<f64> {
    let mut hessian = DMatrix::zeros(count, count);
    let mut unit = vec![0.0; count];
    for (i, mut column) in hessian.column_iter_mut().enumerate() {
        unit[i] = 1.0;
        product(&unit, column.as_mut_slice());
        unit[i] = 0.0;
    }
    hessian
}

/// Fourth-order differences of the gradient (Richardson): no dual number takes part.
fn hessian_by_differences(model: &mut Model<f64>, weights: &[f64]) -> DMatrix<f64> {
    dense_hessian(weights.len(), |unit, column| {
        let mut difference = |distance: f64| {
            let above = gradient(model, &moved(weights, unit, distance)).1;
            let below = gradient(model, &moved(weights, unit, -distance)).1;
            above.iter().zip(below).map(|(a, b)| (a - b) / (2.0 * distance)).collect::<Vec<f64>>()
        };
        let (near, far) = (difference(1e-5), difference(2e-5));
        column
            .iter_mut()
            .zip(near.iter().zip(far))
            .for_each(|(to, (near, far))| *to = (4.0 * near - far) / 3.0);
    })
}

#[test]
fn lanczos_finds_the_eigenvalues_of_the_dense_hessian() {
    let (mut plain, weights, _) = model::<f64>("mlp-3");
    let differences = hessian_by_differences(&mut plain, &weights);
    let (mut model, weights, _) = model::<Dual64>("mlp-3");
    let mut hessian = Hessian::new(&mut model, &weights);
    let dense = dense_hessian(weights.len(), |x, out| hessian.product(x, out).unwrap());
    let scale = dense.abs().max();
    assert!((&dense - &differences).abs().max() < 1e-7 * scale, "the Hessian is that of the loss");
    assert!((&dense - dense.transpose()).abs().max() < 1e-14 * scale, "a Hessian is symmetric");
    let mut expected: Vec<f64> = SymmetricEigen::new(dense).eigenvalues.iter().copied().collect();
    expected.sort_by(|a, b| b.total_cmp(a));
    let start = (0..weights.len()).map(|i| 1.0 + (i as f64 * 0.9).sin()).collect();
    let ritz = lanczos(|x, out| hessian.product(x, out), start, 100).unwrap();
    for rank in 1..=5 {
        let (found, expected) = (ritz.eigenvalue(rank), expected[rank - 1]);
        assert!((found - expected).abs() < 1e-9 * scale, "{rank}: {found} {expected}");
    }
    let (found, expected) = (ritz.values.last().unwrap().0, expected[expected.len() - 1]);
    assert!((found - expected).abs() < 1e-9 * scale, "the least: {found} {expected}");
}

/// The curvature along a line is the second difference of the loss: no gradient takes part.
#[test]
fn a_hessian_product_agrees_with_the_loss_alone() {
    for architecture in ["mlp-5-4", "lenet"] {
        let (mut plain, weights, _) = model::<f64>(architecture);
        let direction: Vec<f64> = (0..weights.len()).map(|i| (i as f64 * 2.3).cos()).collect();
        let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        let direction: Vec<f64> = direction.iter().map(|x| x / length).collect();
        let mut loss = |distance| gradient(&mut plain, &moved(&weights, &direction, distance)).0;
        let step = 2e-5;
        let expected = (loss(step) - 2.0 * loss(0.0) + loss(-step)) / (step * step);
        let (mut model, weights, _) = model::<Dual64>(architecture);
        let mut product = vec![0.0; weights.len()];
        Hessian::new(&mut model, &weights).product(&direction, &mut product).unwrap();
        let found: f64 = product.iter().zip(&direction).map(|(p, d)| p * d).sum();
        assert!(
            (found - expected).abs() < 1e-3 * (1.0 + expected.abs()),
            "{architecture}: {found} {expected}"
        );
    }
}

/// A model's gradient is that which training computes, batch by batch, and its choice of images is respected.
#[test]
fn losses_and_predictions_are_those_of_the_learner() {
    let settings = settings("mlp-8");
    let (mut model, _, dataset) = model::<f64>("mlp-8");
    let mut learner = CpuLearner::new(&settings, dataset.shape, dataset.classes, 1).unwrap();
    let mut batches = sam_train::data::BatchMaker::new(&dataset, 40).unwrap();
    let mut evaluated = None;
    batches
        .visit(&dataset.train, |images, labels| {
            for _ in 0..20 {
                let images = images.slice(ndarray::s![..16, .., .., ..]);
                learner.step_on(Batch { images, labels: &labels[..16] }, 0.1).unwrap();
            }
            evaluated = Some(learner.evaluate(Batch { images, labels }).unwrap());
            Ok::<_, sam_train::data::DataError>(())
        })
        .unwrap();
    let expected = evaluated.unwrap();
    let weights = model.weights(&learner.export().unwrap()).unwrap();
    let found = model.evaluate(&weights).unwrap();
    assert_eq!((found.correct, found.count), (expected.correct, expected.count));
    assert!((found.loss - expected.loss).abs() < 1e-5, "{} {}", found.loss, expected.loss);
    let classes = model.predict(&weights, dataset.classes).unwrap();
    let hits = classes.iter().zip(&dataset.train.labels).filter(|(found, label)| found == label).count();
    assert_eq!(hits, expected.correct);
    assert!(hits > 8, "the network has learned something: {hits}");
    let whole = gradient(&mut model, &weights).0;
    let mut parts = 0.0;
    for range in [0..10, 10..40] {
        let share = range.len() as f64 / 40.0;
        model.choose(range);
        parts += share * gradient(&mut model, &weights).0;
    }
    assert!((whole - parts).abs() < 1e-12, "{whole} {parts}");
}

/// A perceptron classifies alike in training and in evaluation: the error where SAM climbs to is that of the weights there.
#[test]
fn the_training_error_above_is_that_of_the_weights_that_sam_climbs_to() {
    let (mut model, weights, _) = model::<f64>("mlp-8");
    let mut seen = Vec::new();
    for rho in [1e-9, 0.5, 5.0] {
        let (_, gradient) = gradient(&mut model, &weights);
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let there = model.evaluate(&moved(&weights, &gradient, rho / norm)).unwrap();
        let expected = 100.0 * (there.count - there.correct) as f64 / there.count as f64;
        assert_eq!(perturbed_error(&mut model, &weights, &Rule::l2(rho)).unwrap(), expected, "{rho}");
        seen.push(expected);
    }
    assert!(seen[0] < seen[2], "{seen:?}");
    // Of the images chosen alone, and of the latest gradient.
    model.choose(0..10);
    gradient(&mut model, &weights);
    let there = model.evaluate(&weights).unwrap();
    assert_eq!(model.error(), 10.0 * (there.count - there.correct) as f64);
}
