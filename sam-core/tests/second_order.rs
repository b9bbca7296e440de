//! The exact gradient of the SAM objective, against differences of the objective itself.

#[path = "support/problem.rs"]
mod problem;

use problem::{N, SAMPLES, START, Vector, Waves, assert_close};
use sam_core::formula::{Ascent, dual_norm};
use sam_core::{FiniteDifference, HessianVector, Norm, Outcome, Rule, SecondOrderSam, Sgd, SliceSpace};

fn rules() -> Vec<Rule<f64>> {
    let mut rules = Vec::new();
    for p in [1.0, 1.3, 2.0, 3.0, 7.0, f64::INFINITY] {
        let rule = Rule::new(0.2, Norm::from_p(p).unwrap_or(Norm::L2));
        rules.extend([rule, rule.adaptive(0.05)]);
    }
    rules
}

/// `L(w + eps-hat(w))`.
fn objective(rule: &Rule<f64>, w: &Vector) -> f64 {
    let g = Waves::grad(w);
    let ascent = Ascent::new(rule, &dual_norm(rule, w, &g));
    let up: Vector = std::array::from_fn(|i| w[i] + ascent.eps(i, w[i], g[i]));
    Waves::loss(0..SAMPLES, &up)
}

/// What the base optimizer is given: plain descent with rate 1 shows it.
fn gradient(
    rule: Rule<f64>,
    oracle: &mut impl HessianVector<[f64], Loss = f64, Error: std::fmt::Debug>,
) -> Vector {
    let (mut w, mut g) = (START, [0.0; N]);
    let buffers = [[f64::NAN; N]; 2];
    let mut sam = SecondOrderSam::new(SliceSpace::new([f64::NAN; N]), rule, Sgd::new(1.0), buffers);
    let step = sam.step(&mut w[..], &mut g[..], oracle);
    assert!(step.is_ok_and(|step| step.outcome == Outcome::Descended));
    std::array::from_fn(|i| START[i] - w[i])
}

#[test]
fn it_is_the_derivative_of_the_perturbed_loss() {
    for rule in rules() {
        let found = gradient(rule, &mut Waves);
        let expected: Vector = std::array::from_fn(|i| {
            // Richardson's extrapolation of central differences: error of order h^4.
            let difference = |h: f64| {
                let at = |h: f64| {
                    let mut w = START;
                    w[i] += h;
                    objective(&rule, &w)
                };
                (at(h) - at(-h)) / (2.0 * h)
            };
            (4.0 * difference(5e-4) - difference(1e-3)) / 3.0
        });
        println!("{rule:?}");
        assert_close(&found, &expected, 1e-8);
    }
}

#[test]
fn finite_differences_stand_in_for_the_hessian() {
    for rule in rules() {
        let exact = gradient(rule, &mut Waves);
        let buffers = [[f64::NAN; N]; 2];
        let approximate = gradient(rule, &mut FiniteDifference::double(Waves, buffers));
        assert_close(&approximate, &exact, 1e-8);
    }
}

#[test]
fn the_term_that_equation_3_drops_is_not_small() {
    let without = problem::sharp(0.2, START);
    let with = gradient(Rule::l2(0.2), &mut Waves);
    assert!(problem::norm(&problem::mix(1.0, with, -1.0, without)) > 1e-3);
}
