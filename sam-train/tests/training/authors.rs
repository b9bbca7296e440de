//! Training as the code of SAM's authors does it, against NumPy in double precision.

use ndarray::Array4;
use sam_model::ImageShape;
use sam_train::{
    data::DataSource,
    training::{
        cpu::CpuLearner,
        learner::{Batch, Learner},
        settings::{Base, DecayIn, Method, Settings},
    },
};

const IMAGES: usize = 8;
const SHAPE: ImageShape = ImageShape::new(2, 2, 1);

/// Weights after three steps, from `python3 sam-train/tests/python/authors_steps.py` (NumPy 2).
const SGD: [f64; 35] = [
    0.394_491_816,
    0.440_511_302,
    0.305_977_936,
    0.034_720_740,
    -0.286_380_545,
    -0.468_630_574,
    -0.417_579_998,
    -0.157_178_829,
    0.134_801_724,
    0.383_908_019,
    0.450_470_534,
    0.322_742_396,
    -0.004_168_213,
    -0.294_063_707,
    -0.462_347_058,
    -0.392_561_916,
    -0.160_919_608,
    0.158_718_863,
    0.391_951_887,
    0.468_644_781,
    0.301_161_454,
    0.000_218_582,
    -0.292_041_464,
    -0.448_182_223,
    -0.395_686_256,
    -0.173_115_413,
    0.162_673_217,
    0.412_906_621,
    0.441_922_301,
    0.291_297_845,
    0.007_466_266,
    -0.309_144_203,
    -0.445_471_807,
    -0.382_065_138,
    -0.179_484_497,
];
const RMSPROP_TF: [f64; 35] = [
    0.400_990_907,
    0.451_321_102,
    0.312_875_075,
    0.032_404_841,
    -0.290_678_160,
    -0.475_604_866,
    -0.423_925_060,
    -0.163_653_809,
    0.140_325_151,
    0.392_125_532,
    0.460_675_016,
    0.325_053_143,
    0.000_380_303,
    -0.299_524_279,
    -0.469_237_276,
    -0.403_604_286,
    -0.164_922_898,
    0.160_612_292,
    0.400_829_995,
    0.476_305_708,
    0.306_883_714,
    0.001_071_264,
    -0.298_441_621,
    -0.457_934_361,
    -0.403_923_044,
    -0.174_255_610,
    0.165_009_502,
    0.420_505_567,
    0.451_134_787,
    0.297_806_883,
    0.007_431_509,
    -0.315_811_983,
    -0.457_120_728,
    -0.388_214_872,
    -0.180_657_413,
];

fn settings(base: Base) -> Settings {
    let method = Method::MSharpness { rho: 0.05, m: 4 };
    let mut settings = Settings::new("mlp-4".parse().unwrap(), DataSource::Digits, method);
    settings.batch = IMAGES.into();
    (settings.base, settings.sgd) = (base, base.usual(settings.sgd));
    (settings.sgd.momentum, settings.sgd.weight_decay) = (0.9, 0.1);
    (settings.sgd.decay_in, settings.sgd.clip_norm) = (DecayIn::Loss, Some(0.265));
    settings
}

fn train(settings: &Settings) -> Vec<f32> {
    settings.check().unwrap();
    let mut learner = CpuLearner::new(settings, SHAPE, 3, 1).unwrap();
    let start: Vec<f32> = (0..35).map(|i| (0.5 * (1.0 + 0.7 * f64::from(i)).sin()) as f32).collect();
    learner.weight_access().unwrap().set_parameters(&start, &[]).unwrap();
    for step in 0..3 {
        let pixel = |i: usize| (0.3 * i as f64 + step as f64).cos() as f32;
        let images = Array4::from_shape_vec((IMAGES, 2, 2, 1), (0..IMAGES * 4).map(pixel).collect()).unwrap();
        let labels: Vec<u16> = (0..IMAGES).map(|i| ((i * 7 + step) % 3) as u16).collect();
        learner.step_on(Batch { images: images.view(), labels: &labels }, 0.1).unwrap();
    }
    learner.weights().to_vec()
}

fn farthest(weights: &[f32], expected: &[f64]) -> f64 {
    weights.iter().zip(expected).map(|(w, e)| (f64::from(*w) - e).abs()).fold(0.0, f64::max)
}

#[test]
fn groups_climb_each_by_itself_along_loss_and_decay_and_their_mean_is_cut() {
    for (base, expected) in [(Base::Sgd, SGD), (Base::RMSPROP_TF, RMSPROP_TF)] {
        let settings = settings(base);
        assert!(farthest(&train(&settings), &expected) < 2e-6, "{base:?}");
        // The same where the run cuts its batches into groups itself, as a run on several devices does.
        let grouped = Settings { groups: Some(2), ..settings.clone() };
        assert!(farthest(&train(&grouped), &expected) < 2e-6, "{base:?}, in groups");
        // Each of the settings matters: without it the weights are others.
        let without: [&dyn Fn(&mut Settings); 3] =
            [&|s| s.sgd.decay_in = DecayIn::Base, &|s| s.sgd.clip_norm = None, &|s| {
                s.method = Method::sam(0.05);
            }];
        for change in without {
            let mut other = settings.clone();
            change(&mut other);
            assert!(farthest(&train(&other), &expected) > 1e-5, "{base:?}: {other:?}");
        }
    }
}
