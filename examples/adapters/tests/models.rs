//! The models: gradients against differences and against each other, and SAM on them.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2};
use num_dual::{DualDVec64, DualNum};
use sam_adapters::dual::DualOracle;
use sam_adapters::linear_algebra::{LogisticRegression, Vector};
use sam_adapters::two_layer::TwoLayer;
use sam_core::testkit::check_oracle;
use sam_core::{
    CountingOracle, EachTensor, FnOracle, GradientOracle, Outcome, Pass, Rule, Sam, Sgd, TensorSpace, Tensors,
};

/// Two classes that no line separates: inside and outside of a ring.
fn ring() -> (Array2<f64>, Array1<usize>) {
    let point = |i: usize| {
        let (angle, radius) = (i as f64 * 2.4, 0.2 + (i % 10) as f64 * 0.2);
        [radius * angle.cos(), radius * angle.sin()]
    };
    let x = Array2::from_shape_fn((80, 2), |(i, j)| point(i)[j]);
    let classes = Array1::from_shape_fn(80, |i| usize::from(i % 10 > 4));
    (x, classes)
}

fn start() -> TwoLayer {
    let mut model = TwoLayer::zeros(2, 8, 2);
    let values = (0..).map(|i: i32| 0.7 * (f64::from(i) * 1.7).sin());
    model.tensors_mut().flatten().zip(values).for_each(|(w, value)| *w = value);
    model
}

#[test]
fn the_gradient_by_hand_is_right() {
    let (x, classes) = ring();
    let (mut model, mut gradient) = (start(), start());
    let w: Vec<f64> = model.tensors().flatten().copied().collect();
    let mut oracle = FnOracle(|w: &[f64], g: &mut [f64], _| {
        model.tensors_mut().flatten().zip(w).for_each(|(to, w)| *to = *w);
        let loss = model.loss(x.view(), classes.view(), &mut gradient);
        g.iter_mut().zip(gradient.tensors().flatten()).for_each(|(g, from)| *g = *from);
        Ok::<_, ()>(loss)
    });
    check_oracle(&mut oracle, &w, 1e-5, 1e-8);
}

#[test]
fn a_network_of_ones_own_learns() {
    let (x, classes) = ring();
    let (mut w, mut g) = (start(), TwoLayer::zeros(2, 8, 2));
    let mut sam = Sam::new(
        TensorSpace::new(TwoLayer::zeros(2, 8, 2)),
        Rule::l2(0.05),
        EachTensor::of(&w, |_, tensor| Sgd::new(0.3).with_momentum(0.9, vec![0.0; tensor.len()])),
    );
    let mut oracle = CountingOracle::new(FnOracle(|w: &TwoLayer, g: &mut TwoLayer, _| {
        Ok::<_, ()>(w.loss(x.view(), classes.view(), g))
    }));
    let mut losses = Vec::new();
    for _ in 0..150 {
        let step = sam.step(&mut w, &mut g, &mut oracle).unwrap();
        assert_eq!(step.outcome, Outcome::Descended);
        losses.push(step.clean);
    }
    assert_eq!((oracle.clean, oracle.perturbed), (150, 150));
    let logits = w.logits(x.view());
    let right = classes.iter().zip(logits.rows()).filter(|(class, row)| (row[1] > row[0]) == (**class == 1));
    let right = right.count();
    assert!(right >= 76, "{right} of 80 right, loss {:?}", losses.last());
}

fn regression() -> LogisticRegression {
    let samples = DMatrix::from_fn(40, 3, |i, j| ((i * 3 + j) as f64 * 1.3).sin());
    let targets = DVector::from_fn(40, |i, _| {
        let row = samples.row(i);
        // One label in eight is wrong, so that the loss has a minimum.
        let side = row[0] - 2.0 * row[1] + 0.5 * row[2];
        if (side > 0.0) == (i % 8 > 0) { 1.0 } else { -1.0 }
    });
    LogisticRegression { samples, targets }
}

/// The loss of [`LogisticRegression`] once more, on dual numbers.
fn dual_loss(data: &LogisticRegression, w: &DVector<DualDVec64>) -> DualDVec64 {
    let count = data.samples.nrows();
    let terms = (0..count).map(|i| {
        let margin = (0..w.len()).map(|j| w[j].clone() * data.samples[(i, j)]).sum::<DualDVec64>();
        (margin * -data.targets[i]).exp().ln_1p()
    });
    terms.sum::<DualDVec64>() / count as f64
}

#[test]
fn dual_numbers_agree_with_the_formula_and_with_differences() {
    let data = regression();
    let mut by_hand = FnOracle(|w: &DVector<f64>, g: &mut DVector<f64>, _| Ok::<_, ()>(data.loss(w, g)));
    let mut dual = DualOracle(|w: DVector<DualDVec64>| dual_loss(&data, &w));
    for scale in [0.0, 0.5, 3.0] {
        let w = DVector::from_vec(vec![1.0, -0.4, 0.7]) * scale;
        let (mut g, mut h) = (DVector::zeros(3), DVector::zeros(3));
        let a = by_hand.gradient(&w, &mut g, Pass::Clean).unwrap();
        let b = dual.gradient(&w, &mut h, Pass::Clean).unwrap();
        assert!((a - b).abs() < 1e-14 && (&g - &h).amax() < 1e-14, "{g} {h}");
    }
    let mut on_slices = FnOracle(|w: &[f64], g: &mut [f64], pass| {
        let (w, mut to) = (DVector::from_column_slice(w), DVector::zeros(3));
        let loss = dual.gradient(&w, &mut to, pass)?;
        g.copy_from_slice(to.as_slice());
        Ok::<_, std::convert::Infallible>(loss)
    });
    check_oracle(&mut on_slices, &[0.3, -0.2, 0.9], 1e-5, 1e-8);
}

#[test]
fn sam_on_nalgebra_with_dual_numbers() {
    let data = regression();
    let run = |oracle: &mut dyn GradientOracle<Vector, Loss = f64, Error = std::convert::Infallible>| {
        let (mut w, mut g) = (Vector(DVector::from_element(3, 0.1)), Vector(DVector::zeros(3)));
        let mut sam = Sam::new(TensorSpace::new(g.clone()), Rule::l2(0.05), EachTensor::new([Sgd::new(0.5)]));
        let losses: Vec<f64> =
            (0..100).map(|_| sam.step(&mut w, &mut g, oracle).expect("infallible").clean).collect();
        (w.0, losses)
    };
    let (v, _) = run(&mut FnOracle(|w: &Vector, g: &mut Vector, _| Ok(data.loss(&w.0, &mut g.0))));
    let mut dual = DualOracle(|w: DVector<DualDVec64>| dual_loss(&data, &w));
    let (w, losses) =
        run(&mut FnOracle(|w: &Vector, g: &mut Vector, pass| dual.gradient(&w.0, &mut g.0, pass)));
    assert!((&v - &w).amax() < 1e-12, "{v} {w}");
    assert!(losses[99] < 0.8 * losses[0], "{losses:?}");
}
