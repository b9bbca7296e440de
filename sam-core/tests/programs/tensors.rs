//! A model of several tensors in containers of its own, with AdamW on each and GSAM over all: nothing in it counts entries.

use sam_core::schedule::tied;
use sam_core::*;

/// A matrix, its bias, a pile of kernels, and a scale.
#[derive(Clone, Debug)]
struct Model {
    matrix: [[f64; 3]; 2],
    bias: Vec<f64>,
    kernels: Box<[[f64; 2]]>,
    scale: [f64; 1],
}

// glue
impl Tensors for Model {
    type Scalar = f64;
    fn tensors(&self) -> impl Iterator<Item = &[f64]> {
        [self.matrix.as_flattened(), &self.bias, self.kernels.as_flattened(), &self.scale].into_iter()
    }
    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        let Self { matrix, bias, kernels, scale } = self;
        [matrix.as_flattened_mut(), bias, kernels.as_flattened_mut(), scale].into_iter()
    }
}
// end of glue

/// Biases and scales are neither perturbed nor do they decay.
fn is_weight(tensor: usize) -> bool {
    tensor == 0 || tensor == 2
}

fn model(mut value: impl FnMut() -> f64) -> Model {
    let mut model =
        Model { matrix: [[0.0; 3]; 2], bias: vec![0.0; 2], kernels: vec![[0.0; 2]; 3].into(), scale: [0.0] };
    model.tensors_mut().flatten().for_each(|entry| *entry = value());
    model
}

fn start() -> Model {
    let mut i = 0.0;
    model(|| {
        i += 1.0;
        (1.3f64 * i).sin()
    })
}

const N: usize = 6 + 2 + 6 + 1;

/// `sum sin(w_i) w_(i+1) + w_i^2`, around in a circle: every tensor's gradient depends on another one.
fn gradient(w: &[f64; N]) -> (f64, [f64; N]) {
    let next = |i: usize| w[(i + 1) % N];
    let loss = (0..N).map(|i| w[i].sin() * next(i) + w[i] * w[i]).sum();
    (loss, std::array::from_fn(|i| w[i].cos() * next(i) + w[(i + N - 1) % N].sin() + 2.0 * w[i]))
}

fn flat(model: &Model) -> [f64; N] {
    let all: Vec<f64> = model.tensors().flatten().copied().collect();
    all.try_into().expect("as many entries as there are")
}

const RATES: (f64, f64) = (0.0, 0.05);
const RADII: (f64, f64) = (0.01, 0.3);
const ALPHA: f64 = 0.4;
const DECAY: f64 = 0.1;

#[test]
fn gsam_around_adamw_on_several_tensors_is_a_plain_loop() {
    let (mut w, mut g) = (start(), start());
    let table: Vec<_> = w
        .tensors()
        .enumerate()
        .map(
            |(tensor, values)| {
                if is_weight(tensor) { Segment::new(values.len()) } else { Segment::fixed(values.len()) }
            },
        )
        .collect();
    let adamw: Vec<_> = w
        .tensors()
        .enumerate()
        .map(|(tensor, values)| {
            let zeros = || vec![0.0; values.len()];
            Adam::adamw(RATES.1, if is_weight(tensor) { DECAY } else { 0.0 }, zeros(), zeros())
        })
        .collect();
    let space = TensorSpace::new(w.clone()).with_segments(Scope::Global, table);
    let gsam = Gsam::new(ALPHA, w.clone());
    let mut sam = Variant::new(space, Rule::l2(RADII.1), AlongGradient, gsam, EachTensor::new(adamw));
    let schedule = Schedule::cosine(RATES.1);

    // The same with one vector, a mask and a plain loop.
    let mut mask = Vec::new();
    for (tensor, values) in w.tensors().enumerate() {
        mask.extend(values.iter().map(|_| is_weight(tensor)));
    }
    let (mut own, mut mean, mut square) = (flat(&w), [0.0; N], [0.0; N]);
    let dot = |a: &[f64; N], b: &[f64; N]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for step in 0..25 {
        let rate = schedule.rate(step, 25);
        sam.set_learning_rate(rate);
        sam.rule.rho = tied(rate, RATES, RADII);
        let report = sam.step_with(&mut w, &mut g, |w, g, _| {
            let (loss, slopes) = gradient(&flat(w));
            let mut slopes = slopes.into_iter();
            *g = model(|| slopes.next().expect("a slope for each entry"));
            loss
        });
        assert_eq!(report.unwrap().outcome, Outcome::Descended);

        let rho = RADII.0 + (RADII.1 - RADII.0) * (rate - RATES.0) / (RATES.1 - RATES.0);
        let (_, clean) = gradient(&own);
        let norm = (0..N).filter(|i| mask[*i]).map(|i| clean[i] * clean[i]).sum::<f64>().sqrt();
        let up = std::array::from_fn(|i| if mask[i] { own[i] + rho * clean[i] / norm } else { own[i] });
        let (_, robust) = gradient(&up);
        let along = dot(&clean, &robust) / dot(&robust, &robust);
        let t = step as i32 + 1;
        for i in 0..N {
            let g = robust[i] - ALPHA * (clean[i] - along * robust[i]);
            own[i] *= 1.0 - rate * if mask[i] { DECAY } else { 0.0 };
            mean[i] = 0.9 * mean[i] + 0.1 * g;
            square[i] = 0.999 * square[i] + 0.001 * g * g;
            let (mean, square) = (mean[i] / (1.0 - 0.9f64.powi(t)), square[i] / (1.0 - 0.999f64.powi(t)));
            own[i] -= rate * mean / (square.sqrt() + 1e-8);
        }
        for (i, (a, b)) in flat(&w).iter().zip(own).enumerate() {
            assert!((a - b).abs() < 1e-11, "step {step}, entry {i}: {a} instead of {b}");
        }
    }
}
