//! Somebody else's automatic differentiation: a tape that records scalars and knows nothing of optimizers.

use std::cell::RefCell;
use std::ops::{Add, Mul, Sub};

use sam_core::*;

/// Each value with the two it was made of and its slopes along them.
#[derive(Default)]
struct Tape(RefCell<Vec<[(usize, f64); 2]>>);

#[derive(Clone, Copy)]
struct Var<'t> {
    tape: &'t Tape,
    index: usize,
    value: f64,
}

impl Tape {
    fn push(&self, value: f64, from: [(usize, f64); 2]) -> Var<'_> {
        let mut nodes = self.0.borrow_mut();
        nodes.push(from);
        Var { tape: self, index: nodes.len() - 1, value }
    }

    fn var(&self, value: f64) -> Var<'_> {
        let index = self.0.borrow().len();
        self.push(value, [(index, 0.0); 2])
    }
}

impl Var<'_> {
    fn tanh(self) -> Self {
        let value = self.value.tanh();
        self.tape.push(value, [(self.index, 1.0 - value * value), (self.index, 0.0)])
    }

    /// Slopes of this value along everything on the tape.
    fn slopes(self) -> Vec<f64> {
        let nodes = self.tape.0.borrow();
        let mut slopes = vec![0.0; nodes.len()];
        slopes[self.index] = 1.0;
        for (index, from) in nodes.iter().enumerate().rev() {
            let slope = slopes[index];
            from.iter().for_each(|(of, along)| slopes[*of] += slope * along);
        }
        slopes
    }
}

impl<'t> Add for Var<'t> {
    type Output = Var<'t>;
    fn add(self, other: Self) -> Self {
        self.tape.push(self.value + other.value, [(self.index, 1.0), (other.index, 1.0)])
    }
}

impl<'t> Sub for Var<'t> {
    type Output = Var<'t>;
    fn sub(self, other: Self) -> Self {
        self.tape.push(self.value - other.value, [(self.index, 1.0), (other.index, -1.0)])
    }
}

impl<'t> Mul for Var<'t> {
    type Output = Var<'t>;
    fn mul(self, other: Self) -> Self {
        self.tape.push(self.value * other.value, [(self.index, other.value), (other.index, self.value)])
    }
}

const HIDDEN: usize = 8;
/// Two inputs and a bias for each hidden value, which has one weight to the output.
const WEIGHTS: usize = 4 * HIDDEN;
/// Whether two switches differ.
const SAMPLES: [([f64; 2], f64); 4] =
    [([0.0, 0.0], -1.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], -1.0)];

fn start() -> Vec<f64> {
    (0..WEIGHTS).map(|i| 0.8 * (1.9 * i as f64 + 0.4).sin()).collect()
}

/// The mean squared error of a network 2-8-1, as its author writes it.
fn error<'t>(tape: &'t Tape, w: &[Var<'t>]) -> Var<'t> {
    let mut sum = tape.var(0.0);
    for (input, wanted) in SAMPLES {
        let [a, b] = input.map(|x| tape.var(x));
        let neurons = w.chunks_exact(4).map(|w| w[3] * (w[0] * a + w[1] * b + w[2]).tanh());
        let miss = neurons.reduce(|x, y| x + y).expect("there are neurons") - tape.var(wanted);
        sum = sum + miss * miss * tape.var(0.25);
    }
    sum
}

/// The same error and its gradient, worked out by hand.
fn by_hand(w: &[f64]) -> (f64, Vec<f64>) {
    let (mut error, mut g) = (0.0, vec![0.0; WEIGHTS]);
    for ([a, b], wanted) in SAMPLES {
        let hidden: Vec<f64> = w.chunks_exact(4).map(|w| (w[0] * a + w[1] * b + w[2]).tanh()).collect();
        let miss = w.chunks_exact(4).zip(&hidden).map(|(w, h)| w[3] * h).sum::<f64>() - wanted;
        error += miss * miss / 4.0;
        for ((g, w), h) in g.chunks_exact_mut(4).zip(w.chunks_exact(4)).zip(&hidden) {
            let inside = miss / 2.0 * w[3] * (1.0 - h * h);
            g.iter_mut()
                .zip([inside * a, inside * b, inside, miss / 2.0 * h])
                .for_each(|(g, part)| *g += part);
        }
    }
    (error, g)
}

#[test]
fn a_network_on_a_tape_learns_and_its_steps_are_those_of_a_plain_loop() {
    const RHO: f64 = 0.05;
    let (mut w, mut g) = (start(), vec![0.0; WEIGHTS]);
    let base = Sgd::new(0.1).with_momentum(0.9, vec![0.0; WEIGHTS]);
    let mut sam = Sam::new(SliceSpace::new(vec![0.0; WEIGHTS]), Rule::l2(RHO), base);
    let (mut own, mut momentum) = (start(), vec![0.0; WEIGHTS]);
    let mut errors = Vec::new();
    for step in 0..150 {
        // glue
        let report = sam.step_with(&mut w, &mut g, |w, g, _| {
            let tape = Tape::default();
            let vars: Vec<_> = w.iter().map(|w| tape.var(*w)).collect();
            let error = error(&tape, &vars);
            g.copy_from_slice(&error.slopes()[..w.len()]);
            error.value
        });
        // end of glue
        let report = report.unwrap();
        assert_eq!(report.outcome, Outcome::Descended);

        let (clean, first) = by_hand(&own);
        let norm = first.iter().map(|g| g * g).sum::<f64>().sqrt();
        let up: Vec<f64> = own.iter().zip(&first).map(|(w, g)| w + RHO * g / norm).collect();
        let (perturbed, second) = by_hand(&up);
        for ((w, m), g) in own.iter_mut().zip(&mut momentum).zip(second) {
            *m = 0.9 * *m + g;
            *w -= 0.1 * *m;
        }
        // Rounding grows along the way; 20 steps are compared.
        if step < 20 {
            let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-11, "step {step}: {a} instead of {b}");
            close(report.clean, clean);
            close(report.perturbed.expect("a second loss"), perturbed);
            w.iter().zip(&own).for_each(|(a, b)| close(*a, *b));
        }
        errors.push(report.clean);
    }
    assert!(errors[149] < 0.05 * errors[0], "{} to {}", errors[0], errors[149]);
}
