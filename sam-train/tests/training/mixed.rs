//! Steps on mixed images beside plain code in double precision, which mixes images and labels itself.

use ndarray::Array4;
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};
use sam_backend_ndarray::Network;
use sam_core::{GradientOracle, Pass};
use sam_train::{
    data::DataSource,
    random::{Purpose, stream},
    training::settings::{DataSettings, Method, ScheduleSettings, ScheduleShape, Settings},
};

use super::{
    steps::{BATCH, CLASSES, SHAPE, advance_at, batch, learner},
    support::BASE,
};

const MODEL: &str = "mlp-16";
const RATE: f64 = 0.05;
const STEPS: u64 = 4;

fn settings(method: Method, alpha: f64) -> Settings {
    let mut settings = Settings {
        epochs: 1,
        batch: BATCH.into(),
        model: MODEL.parse().unwrap(),
        label_smoothing: 0.1,
        data: DataSettings::new(DataSource::Digits),
        method,
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        ..BASE
    };
    settings.data.mixup = Some(alpha);
    settings.check().unwrap();
    settings
}

/// Images and both labels of a step, and the share of the first ones: one share a batch, and partners in any order.
fn mixed(seed: u64, alpha: f64, step: u64) -> (Array4<f64>, [Vec<u16>; 2], f64) {
    let mut random = stream(seed, Purpose::Mixup, 0, step);
    let share: f64 = Beta::new(alpha, alpha).unwrap().sample(&mut random);
    let mut partners: Vec<usize> = (0..BATCH).collect();
    partners.shuffle(&mut random);
    let (images, labels) = batch(step);
    let images = images.mapv(f64::from);
    let all = Array4::from_shape_fn(images.dim(), |(number, row, column, channel)| {
        let of = |number| images[(number, row, column, channel)];
        share * of(number) + (1.0 - share) * of(partners[number])
    });
    let others = partners.iter().map(|&partner| labels[partner]).collect();
    (all, [labels, others], share)
}

/// SAM of radius `rho`, SGD where that is 0: both gradients are of mixed images, and of each a share of either label's.
fn by_hand(rho: f64, alpha: f64) -> Vec<f64> {
    let settings = settings(Method::Sgd, alpha);
    let mut network = Network::<f64>::build(&settings.describe(SHAPE, CLASSES).unwrap(), BATCH, 1).unwrap();
    network.set_label_smoothing(settings.label_smoothing);
    let mut w: Vec<f64> = learner(&settings).weights().iter().map(|&weight| f64::from(weight)).collect();
    let mut velocity = vec![0.0; w.len()];
    for step in 0..STEPS {
        let (images, labels, share) = mixed(settings.seed, alpha, step);
        let mut gradient = |w: &[f64]| -> Vec<f64> {
            let [own, other] = labels.each_ref().map(|labels| {
                let mut g = vec![0.0; w.len()];
                network.set_batch(images.view(), labels).unwrap();
                network.gradient(w, &mut g, Pass::Clean).unwrap();
                g
            });
            own.iter().zip(other).map(|(own, other)| share * own + (1.0 - share) * other).collect()
        };
        let mut g = gradient(&w);
        if rho > 0.0 {
            let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
            let up: Vec<f64> = w.iter().zip(&g).map(|(w, g)| w + rho * g / norm).collect();
            g = gradient(&up);
        }
        for ((w, g), v) in w.iter_mut().zip(&g).zip(&mut velocity) {
            let decayed = g + settings.sgd.weight_decay * *w;
            *v = settings.sgd.momentum * *v + decayed;
            *w -= RATE * (decayed + settings.sgd.momentum * *v);
        }
    }
    w
}

#[test]
fn steps_on_mixed_images_are_what_plain_code_computes() {
    for (rho, method) in [(0.0, Method::Sgd), (0.1, Method::sam(0.1))] {
        let off = |alpha, other| {
            let mut learner = learner(&settings(method, alpha));
            advance_at(RATE as f32, &mut learner, 0..STEPS);
            let expected = by_hand(rho, other);
            let off = learner.weights().iter().zip(expected).map(|(w, e)| (f64::from(*w) - e).abs());
            off.fold(0.0, f64::max)
        };
        for alpha in [0.3, 1.0, 8.0] {
            assert!(off(alpha, alpha) < 1e-5, "{method:?}, alpha {alpha}: {}", off(alpha, alpha));
        }
        assert!(off(0.3, 8.0) > 1e-3, "{method:?}: {}", off(0.3, 8.0));
    }
}
