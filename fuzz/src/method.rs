//! A training method by its name and settings as text: refused with a message, or it trains a small network and resumes to the same bits.

use std::path::Path;

use ndarray::Array4;
use sam_model::ImageShape;
use sam_train::training::{
    config::Config,
    cpu::CpuLearner,
    learner::{Batch, Learner, LearnerError},
    settings::Settings,
};

const IMAGES: usize = 4;
const SIDE: usize = 2;
const STEPS: u64 = 3;
/// More gradients a step say nothing new.
const MOST_GRADIENTS: usize = 40;
/// A run but for its method.
const BEFORE: &str = r#"
on-nonfinite = "stop"
machine = { threads = 1 }
[run]
seed = 0
epochs = 1
batch = 4
model = "mlp-2"
label-smoothing = 0.0
data = { name = "digits", label-noise = 0.0, augment = "none" }
sgd = { lr = 0.05, momentum = 0.9, nesterov = true, weight-decay = 0.0005, decoupled = false }
schedule = { shape = "constant", warmup-epochs = 0 }
[run.method]
"#;

/// `data` is the text of a method's table in `config.toml`.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("config.toml");
    let config = match Config::decode(path, &format!("{BEFORE}{text}")) {
        Ok(config) => config,
        Err(error) => return assert!(error.to_string().starts_with("config.toml: ")),
    };
    let settings = &config.run;
    // Text may hold more tables than the method's: what they ask for is the target `config`'s business.
    let own = Config::decode(path, &format!("{BEFORE}name = \"sgd\"")).expect("a run").run;
    if settings.gradients_per_step() > MOST_GRADIENTS
        || *settings != (Settings { method: settings.method, ..own })
    {
        return;
    }
    let shape = ImageShape { height: SIDE, width: SIDE, channels: 1 };
    let new = || CpuLearner::new(settings, shape, 2, 1).expect("settings that were accepted give a learner");
    let mut whole = new();
    let mut resumed: Option<CpuLearner> = None;
    for step in 0..STEPS {
        let before = bits(&mut whole);
        let moved = make(&mut whole, step);
        if let Some(mut other) = resumed.take() {
            assert_eq!(make(&mut other, step).ok(), moved.as_ref().ok().copied());
            assert_eq!(bits(&mut other), bits(&mut whole));
        }
        if !moved.is_ok_and(|moved| moved) {
            // What comes to nothing changes nothing.
            return assert_eq!(bits(&mut whole), before);
        }
        let state = whole.export().expect("a state");
        if state.first_nonfinite().is_some() {
            return;
        }
        // Another process goes on from here.
        let mut other = new();
        other.import(&state).expect("a state of the same settings");
        resumed = Some(other);
    }
}

/// Step number `step`; whether the weights moved.
fn make(learner: &mut CpuLearner, step: u64) -> Result<bool, LearnerError> {
    let value = |(i, y, x, _)| ((7 * i + 3 * y + 5 * x + step as usize) % 11) as f32 / 5.0 - 1.0;
    let images = Array4::from_shape_fn((IMAGES, SIDE, SIDE, 1), value);
    learner.set_step(step);
    let report = learner.step_on(Batch { images: images.view(), labels: &[0, 1, 1, 0] }, 0.05)?;
    Ok(report.outcome.moved())
}

fn bits(learner: &mut CpuLearner) -> Vec<u32> {
    let state = learner.export().expect("a state");
    state.tensors.iter().flat_map(|tensor| &tensor.values).map(|value| value.to_bits()).collect()
}
