//! Steps of every method with an oracle that fails, gives NaN, infinite, zero or huge gradients, or losses that are not
//! finite, at arbitrary calls: a step that comes to nothing changes neither the weights nor any state.

use arbitrary::Unstructured;
use sam_core::{FnOracle, LengthMismatch, Outcome, Pass, Rule, Sam, Sgd, SliceSpace, StepError};

use crate::every_method::{N, Vector, methods};

const MOST_STEPS: usize = 12;

/// What the oracle does at one call.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Gradient,
    Error,
    NotANumber(u8),
    Infinite(u8),
    Zero,
    /// A gradient, and a loss that is none.
    Loss(f64),
    Bits(u64),
}

impl Answer {
    fn read(input: &mut Unstructured<'_>) -> Self {
        // When the input is used up all answers are good ones.
        let Ok(kind) = input.arbitrary::<u8>() else { return Self::Gradient };
        match kind {
            0..=115 => Self::Gradient,
            116..=127 => Self::Loss([f64::NAN, f64::INFINITY, f64::NEG_INFINITY][usize::from(kind) % 3]),
            128..=151 => Self::Error,
            152..=175 => Self::NotANumber(kind),
            176..=199 => Self::Infinite(kind),
            200..=223 => Self::Zero,
            _ => input.arbitrary().map_or(Self::Gradient, Self::Bits),
        }
    }

    /// Of `sum w_i^2 / 2`, if it is a gradient.
    fn give(self, w: &[f64], g: &mut [f64]) -> Result<f64, &'static str> {
        g.copy_from_slice(w);
        match self {
            Self::Gradient => {}
            Self::Error => {
                g.fill(7.0);
                return Err("the oracle's own error");
            }
            Self::NotANumber(at) => g[usize::from(at) % g.len()] = f64::NAN,
            Self::Infinite(at) => g[usize::from(at) % g.len()] = f64::NEG_INFINITY,
            Self::Zero => g.fill(0.0),
            Self::Loss(loss) => return Ok(loss),
            Self::Bits(bits) => g.fill(f64::from_bits(bits)),
        }
        Ok(0.5 * w.iter().map(|w| w * w).sum::<f64>())
    }
}

/// Runs a method chosen by the first bytes of `data`; the rest are the oracle's answers.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    if input.ratio(1, 8).unwrap_or(false) {
        lengths(&mut input);
        return;
    }
    let rho = if input.ratio(1, 8).unwrap_or(false) { 0.0 } else { 0.1 };
    let mut all = methods(rho, 0.05);
    let chosen = input.choose_index(all.len()).unwrap_or(0);
    let entry = &mut all[chosen];
    let mut w: Vector = std::array::from_fn(|i| 1.0 - 0.3 * i as f64);
    for step in 0..MOST_STEPS {
        let (bits_before, state_before) = (w.map(f64::to_bits), entry.method.save());
        let mut spoilt = false;
        let result = entry.method.step(&mut w, &mut |w, g, _| {
            assert_eq!((w.len(), g.len()), (N, N));
            let answer = Answer::read(&mut input);
            spoilt |= !matches!(answer, Answer::Gradient | Answer::Zero | Answer::Bits(_));
            answer.give(w, g)
        });
        let changed = w.map(f64::to_bits) != bits_before || entry.method.save() != state_before;
        let what = format!("{}, step {step}: {result:?}", entry.name);
        match result {
            Err(_) | Ok(Outcome::NonFinite(_)) => assert!(!changed, "{what}: something changed"),
            Ok(Outcome::Descended | Outcome::ZeroGradient) => {
                assert!(!spoilt, "{what}: a bad gradient went in")
            }
            Ok(outcome) => panic!("{what}: a storage on the host knows the outcome, not {outcome:?}"),
        }
        // What an update by huge gradients makes of the weights is not the step's business.
        if w.iter().any(|w| w.is_nan() || w.abs() >= 1e100) {
            return;
        }
    }
}

/// Weights, gradient and buffers of any lengths: an error unless they agree, and then nothing is changed.
fn lengths(input: &mut Unstructured<'_>) {
    let mut length = || input.int_in_range(0..=5_usize).unwrap_or(3);
    let [weights, gradient, buffer, momentum] = [length(), length(), length(), length()];
    let mut w: Vec<f64> = (0..weights).map(|i| i as f64 - 1.5).collect();
    let mut g = vec![0.0; gradient];
    let (before, mut calls) = (w.clone(), 0);
    let base = Sgd::new(0.1).with_momentum(0.9, vec![0.0; momentum]);
    let mut sam = Sam::new(SliceSpace::new(vec![0.0; buffer]), Rule::l2(0.1), base);
    let mut oracle = FnOracle(|w: &[f64], g: &mut [f64], _: Pass| {
        calls += 1;
        g.iter_mut().zip(w).for_each(|(g, w)| *g = *w);
        Ok::<_, ()>(0.0)
    });
    let result = sam.step(&mut w[..], &mut g[..], &mut oracle);
    let agree = weights == gradient && weights == buffer && weights == momentum;
    match result {
        Ok(_) => assert!(agree, "{weights} weights, {gradient}, {buffer}, {momentum}"),
        Err(
            StepError::Space(LengthMismatch { expected, found, .. })
            | StepError::Descent(LengthMismatch { expected, found, .. }),
        ) => {
            assert!(!agree && expected == weights && found != expected);
            assert_eq!(w, before, "a step that failed moved the weights");
        }
        Err(error) => panic!("neither oracle nor settings are at fault, yet: {error:?}"),
    }
    assert!(calls <= 2);
}
