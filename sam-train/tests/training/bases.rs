//! Base optimizers, and when and where a method perturbs, through the learner: against plain loops in double precision, and against
//! what must have the same bits.

use super::steps::{BATCH, CLASSES, SHAPE, advance_at, batch, bits, learner};
use sam_backend_ndarray::Network;
use sam_core::{GradientOracle, Pass};
use sam_model::Role;
use sam_train::{
    data::DataSource,
    training::{
        cpu::CpuLearner,
        learner::Learner,
        settings::{
            AscentSettings, Base, DataSettings, DecayIn, LastBatch, Method, RadiusShape, ScheduleSettings,
            ScheduleShape, Settings, SgdSettings, Tensors,
        },
        trainer::Trainer,
    },
};

const RATE: f32 = 0.01;

fn advance(learner: &mut CpuLearner, steps: std::ops::Range<u64>) {
    advance_at(RATE, learner, steps);
}

fn settings(model: &str, method: Method, base: Base) -> Settings {
    let mut settings = Settings::new(model.parse().unwrap(), DataSource::Digits, method);
    (settings.batch, settings.base) = (BATCH.into(), base);
    settings.sgd = SgdSettings { weight_decay: 0.02, ..base.usual(settings.sgd) };
    settings
}

fn run(settings: &Settings) -> Vec<u32> {
    let mut learner = learner(settings);
    advance(&mut learner, 0..4);
    bits(&learner)
}

/// Two SAM steps with each base as its paper or PyTorch's documentation states it, perturbing and decaying all tensors or weights only.
fn by_hand(settings: &Settings, steps: u64) -> Vec<f64> {
    let mut network = Network::<f64>::build(&settings.describe(SHAPE, CLASSES).unwrap(), BATCH, 1).unwrap();
    let start = learner(settings);
    let mut w: Vec<f64> = start.weights().iter().map(|&weight| f64::from(weight)).collect();
    let n = w.len();
    let mut is_weight = vec![false; n];
    for tensor in network.tensors().iter().filter(|tensor| tensor.role == Role::Weight) {
        is_weight[tensor.range.clone()].fill(true);
    }
    let chosen = |tensors: Tensors, i: usize| tensors == Tensors::All || is_weight[i];
    let (rho, rate) = (settings.method.rho().unwrap(), f64::from(RATE));
    let sgd = settings.sgd;
    let (mut g, mut m, mut v) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    for step in 0..steps {
        let (images, labels) = batch(step);
        network.set_batch(images.mapv(f64::from).view(), &labels).unwrap();
        network.gradient(&w, &mut g, Pass::Clean).unwrap();
        let penalize = |w: &[f64], g: &mut [f64]| {
            for i in (0..n).filter(|&i| sgd.decay_in == DecayIn::Loss && chosen(sgd.decay_on, i)) {
                g[i] += sgd.weight_decay * w[i];
            }
        };
        penalize(&w, &mut g);
        let climbs: Vec<bool> = (0..n).map(|i| chosen(settings.ascent.tensors, i)).collect();
        let norm = (0..n).filter(|&i| climbs[i]).map(|i| g[i] * g[i]).sum::<f64>().sqrt();
        let up: Vec<f64> = (0..n).map(|i| if climbs[i] { w[i] + rho * g[i] / norm } else { w[i] }).collect();
        network.gradient(&up, &mut g, Pass::Perturbed).unwrap();
        penalize(&up, &mut g);
        let length = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        let cut = sgd.clip_norm.map_or(1.0, |longest| (longest / length).min(1.0));
        g.iter_mut().for_each(|g| *g *= cut);
        let t = step as i32 + 1;
        for i in 0..n {
            let outside = sgd.decay_in == DecayIn::Base && chosen(sgd.decay_on, i);
            let decay = if outside { sgd.weight_decay } else { 0.0 };
            match settings.base {
                Base::Sgd => {
                    let g = g[i] + decay * w[i];
                    m[i] = 0.9 * m[i] + g;
                    w[i] -= rate * (g + 0.9 * m[i]);
                }
                Base::Adam { epsilon, .. } | Base::AdamW { epsilon, .. } => {
                    let apart = matches!(settings.base, Base::AdamW { .. });
                    let g = if apart { g[i] } else { g[i] + decay * w[i] };
                    w[i] *= if apart { 1.0 - rate * decay } else { 1.0 };
                    m[i] = 0.9 * m[i] + 0.1 * g;
                    v[i] = 0.999 * v[i] + 0.001 * g * g;
                    let mean = m[i] / (1.0 - 0.9_f64.powi(t));
                    let square = v[i] / (1.0 - 0.999_f64.powi(t));
                    w[i] -= rate * mean / (square.sqrt() + epsilon);
                }
                Base::RmsProp { epsilon, .. } => {
                    let g = g[i] + decay * w[i];
                    v[i] = 0.9 * v[i] + 0.1 * g * g;
                    m[i] = 0.9 * m[i] + g / (v[i].sqrt() + epsilon);
                    w[i] -= rate * m[i];
                }
                Base::RmsPropTf { epsilon, .. } => {
                    let g = g[i] + decay * w[i];
                    v[i] = 0.9 * if t == 1 { 1.0 } else { v[i] } + 0.1 * g * g;
                    m[i] = 0.9 * m[i] + g / (v[i] + epsilon).sqrt();
                    w[i] -= rate * m[i];
                }
                Base::Lion { .. } => {
                    let direction = 0.9 * m[i] + 0.1 * g[i];
                    let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
                    w[i] = (1.0 - rate * decay) * w[i] - rate * sign;
                    m[i] = 0.99 * m[i] + 0.01 * g[i];
                }
            }
        }
    }
    w
}

#[test]
fn every_base_computes_what_plain_code_does_on_all_tensors_and_on_weights_alone() {
    // Where a gradient is all rounding, a small epsilon or a sign makes a whole step of it.
    let epsilon = 0.01;
    let bases = [
        Base::Sgd,
        Base::Adam { beta1: 0.9, beta2: 0.999, epsilon },
        Base::AdamW { beta1: 0.9, beta2: 0.999, epsilon },
        Base::RmsProp { beta2: 0.9, epsilon },
        Base::RmsPropTf { beta2: 0.9, epsilon },
        Base::LION,
    ];
    assert_eq!(
        bases.map(|base| base.name()).as_slice(),
        Base::ALL.iter().map(Base::name).collect::<Vec<_>>()
    );
    for base in bases {
        for (perturb, decay_on) in [
            (Tensors::All, Tensors::All),
            (Tensors::Weights, Tensors::Weights),
            (Tensors::All, Tensors::Weights),
        ] {
            let mut settings = settings("resnet-8", Method::sam(0.1), base);
            (settings.ascent.tensors, settings.sgd.decay_on) = (perturb, decay_on);
            assert_eq!(settings.check(), Ok(()));
            let mut learner = learner(&settings);
            advance(&mut learner, 0..2);
            let expected = by_hand(&settings, 2);
            let off = |(w, e): (&f32, &f64)| (f64::from(*w) - e).abs() > 2e-5;
            let wrong = learner.weights().iter().zip(&expected).filter(|&pair| off(pair)).count();
            let allowed = if matches!(base, Base::Lion { .. }) { expected.len() / 50 } else { 0 };
            assert!(wrong <= allowed, "{base:?} {perturb} {decay_on}: {wrong} of {}", expected.len());
        }
    }
}

#[test]
fn decay_in_the_loss_turns_the_ascent_and_counts_in_the_length_that_is_cut() {
    for base in [Base::Sgd, Base::RMSPROP_TF] {
        for (decay_on, clip) in
            [(Tensors::All, None), (Tensors::All, Some(0.7)), (Tensors::Weights, Some(0.7))]
        {
            let mut settings = settings("resnet-8", Method::sam(0.1), base);
            (settings.sgd.decay_in, settings.sgd.decay_on) = (DecayIn::Loss, decay_on);
            (settings.sgd.weight_decay, settings.sgd.clip_norm) = (0.1, clip);
            assert_eq!(settings.check(), Ok(()));
            let mut learner = learner(&settings);
            advance(&mut learner, 0..2);
            let expected = by_hand(&settings, 2);
            let farthest = learner.weights().iter().zip(&expected).map(|(w, e)| (f64::from(*w) - e).abs());
            let farthest = farthest.fold(0.0, f64::max);
            assert!(farthest < 2e-5, "{base:?} {decay_on} {clip:?}: {farthest}");
            // It is another training than the decay outside: the comparison above can tell.
            settings.sgd.decay_in = DecayIn::Base;
            let outside = by_hand(&settings, 2);
            assert!(
                outside.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 2e-4),
                "{base:?} {decay_on} {clip:?}"
            );
        }
    }
}

#[test]
fn decay_of_plain_sgd_is_the_same_in_the_loss_and_in_the_base() {
    let mut settings = settings("resnet-8", Method::Sgd, Base::Sgd);
    let outside = run(&settings);
    settings.sgd.decay_in = DecayIn::Loss;
    let inside = run(&settings);
    for (a, b) in outside.iter().zip(inside) {
        let (a, b) = (f32::from_bits(*a), f32::from_bits(b));
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let refused = [(Base::ADAMW, false), (Base::LION, false), (Base::Sgd, true)];
    for (base, decoupled) in refused {
        (settings.base, settings.sgd) = (base, base.usual(settings.sgd));
        (settings.sgd.decay_in, settings.sgd.decoupled) = (DecayIn::Loss, decoupled);
        let found = settings.check().unwrap_err().to_string();
        assert!(found.starts_with("`decay-in`: expected base"), "{found}");
    }
}

#[test]
fn bases_differ_and_go_on_from_a_state_to_the_same_bits() {
    let mut seen = Vec::new();
    for &base in Base::ALL {
        for method in [Method::Sgd, Method::sam(0.1), Method::MomentumSam { rho: 0.1 }, Method::GSAM] {
            let settings = settings("mlp-16", method, base);
            let mut whole = learner(&settings);
            advance(&mut whole, 0..3);
            let state = whole.export().unwrap();
            advance(&mut whole, 3..5);
            let mut resumed = learner(&settings);
            resumed.import(&state).unwrap();
            advance(&mut resumed, 3..5);
            assert_eq!(bits(&whole), bits(&resumed), "{base:?} {method:?}");
            assert_eq!(whole.export().unwrap(), resumed.export().unwrap(), "{base:?} {method:?}");
            assert!(!seen.contains(&bits(&whole)), "{base:?} {method:?}");
            seen.push(bits(&whole));
        }
    }
}

#[test]
fn where_every_tensor_is_a_weight_the_choice_of_tensors_changes_no_bit() {
    // Behind batch normalisation nothing has a bias; an MLP's biases are the only other tensors.
    for &base in Base::ALL {
        let whole = settings("mlp-16", Method::sam(0.1), base);
        let mut chosen = whole.clone();
        (chosen.sgd.decay_on, chosen.sgd.weight_decay) = (Tensors::Weights, 0.0);
        let mut none = whole.clone();
        none.sgd.weight_decay = 0.0;
        assert_eq!(run(&chosen), run(&none), "{base:?}");
        let mut weights = whole.clone();
        weights.sgd.decay_on = Tensors::Weights;
        assert_ne!(run(&weights), run(&whole), "{base:?}");
        let mut perturbed = whole.clone();
        perturbed.ascent.tensors = Tensors::Weights;
        assert_ne!(run(&perturbed), run(&whole), "{base:?}");
    }
}

#[test]
fn a_share_of_the_radius_is_that_radius_and_none_is_the_base_at_one_gradient() {
    let able = || Method::ALL.iter().filter(|method| method.rho().is_some());
    for &method in able() {
        let rho = method.rho().unwrap();
        let of = |settings: &Settings, share| {
            let mut learner = learner(settings);
            learner.set_radius(share);
            advance(&mut learner, 0..4);
            (bits(&learner), learner.gradients())
        };
        let of_method = |method| settings("mlp-16", method, Base::Sgd);
        assert_eq!(
            of(&of_method(method), Some(0.5)),
            of(&of_method(method.with_rho(0.5 * rho)), Some(1.0)),
            "{method:?}"
        );
        assert_eq!(of(&of_method(method), None), (run(&of_method(Method::Sgd)), 4.0), "{method:?}");
    }
}

#[test]
fn a_run_climbs_from_the_epoch_that_its_settings_say_and_then_as_sam_does() {
    let ascent = AscentSettings { from_epoch: 2, ..AscentSettings::PLAIN };
    let base = Settings {
        epochs: 2,
        data: DataSettings { limit: Some(60), ..DataSettings::new(DataSource::Digits) },
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        last_batch: LastBatch::Keep,
        ..settings("mlp-8", Method::sam(0.2), Base::Sgd)
    };
    let data = base.data.load(None).unwrap().dataset;
    let weights = |settings: &Settings| {
        let learner =
            |settings: &Settings| Box::new(CpuLearner::new(settings, data.shape, data.classes, 1).unwrap());
        let mut trainer = Trainer::new(settings, &data, "", learner(settings)).unwrap();
        let mut out = Vec::new();
        while !trainer.finished() {
            trainer.step().unwrap();
            if trainer.at_epoch_end() {
                trainer.end_epoch(false).unwrap();
                out.push(trainer.state().unwrap().weights_sha256());
            }
        }
        out
    };
    let late = weights(&Settings { ascent, ..base.clone() });
    let sgd = weights(&Settings { method: Method::Sgd, ..base.clone() });
    let sam = weights(&base);
    assert_eq!(late[0], sgd[0]);
    assert!(late[0] != sam[0] && late[1] != sgd[1] && late[1] != sam[1]);
    // With a radius that rises from nothing, the first step climbs by a part of it.
    let warm = AscentSettings { warmup_epochs: 1, ..AscentSettings::PLAIN };
    let rate = AscentSettings { schedule: RadiusShape::Rate, ..AscentSettings::PLAIN };
    assert_ne!(weights(&Settings { ascent: warm, ..base.clone() }), sam);
    // In proportion to a constant rate it is constant.
    assert_eq!(weights(&Settings { ascent: rate, ..base.clone() }), sam);
}

#[test]
fn a_configuration_with_all_of_it_is_read_as_it_was_written_and_plain_ones_do_not_say_it() {
    let mut all = settings("mlp-8", Method::sam(0.2), Base::ADAMW);
    all.ascent = AscentSettings {
        from_epoch: 2,
        warmup_epochs: 3,
        schedule: RadiusShape::Cosine,
        tensors: Tensors::Weights,
    };
    all.sgd.decay_on = Tensors::Weights;
    let text = toml::to_string(&all).unwrap();
    assert_eq!(toml::from_str::<Settings>(&text).unwrap(), all);
    for part in ["[base]\nname = \"adamw\"", "[ascent]\nfrom-epoch = 2", "decay-on = \"weights\""] {
        assert!(text.contains(part), "{text}");
    }
    let plain = toml::to_string(&settings("mlp-8", Method::sam(0.2), Base::Sgd)).unwrap();
    assert!(!plain.contains("base") && !plain.contains("ascent") && !plain.contains("decay-on"), "{plain}");
}
