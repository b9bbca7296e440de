//! Arrays as storage: the core's conformance kit, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array1, Array2, Ix1, array};
use sam_backend_ndarray::{ArrayError, ArraySpace, OnArrays};
use sam_core::{
    ParamSpace, Rule, Sam, Sgd, SliceSpace,
    formula::DualNorm,
    testkit::{Storage, check_space},
};

struct Arrays;

impl Storage for Arrays {
    type Scalar = f64;
    type Space = ArraySpace<f64, Ix1>;
    type Params = Array1<f64>;
    type Grads = Array1<f64>;
    const TOLERANCE: f64 = 1e-13;
    fn space(&mut self, len: usize) -> Self::Space {
        ArraySpace::new(Ix1(len))
    }
    fn params(&mut self, values: &[f64]) -> Array1<f64> {
        values.iter().copied().collect()
    }
    fn grads(&mut self, values: &[f64]) -> Array1<f64> {
        self.params(values)
    }
    fn read(&mut self, params: &Array1<f64>) -> Vec<f64> {
        params.to_vec()
    }
    fn read_norm(&mut self, norm: &DualNorm) -> f64 {
        norm.value()
    }
}

#[test]
fn arrays_conform() {
    check_space(&mut Arrays);
}

/// A step on a matrix has the bits of a step on its values in a slice.
#[test]
fn a_matrix_steps_like_a_slice() {
    let start = array![[0.3, -1.2, 2.5], [4.0, -0.1, 0.7]];
    let gradient = |w: &f64| w.sin() + 0.2;
    let (mut w, mut g) = (start.clone(), Array2::zeros((2, 3)));
    let base = Sgd::new(0.1).with_momentum(0.9, vec![0.0; 6]);
    let mut sam = Sam::new(ArraySpace::new(w.raw_dim()), Rule::l2(0.05), OnArrays(base.clone()));
    let (mut flat, mut flat_g) = (start.iter().copied().collect::<Vec<_>>(), vec![0.0; 6]);
    let mut slices = Sam::new(SliceSpace::new(vec![0.0; 6]), Rule::l2(0.05), base);
    for _ in 0..5 {
        let _ = sam
            .step_with(&mut w, &mut g, |w, g, _| {
                g.zip_mut_with(w, |g, w| *g = gradient(w));
            })
            .unwrap();
        let _ = slices
            .step_with(&mut flat[..], &mut flat_g[..], |w, g, _| {
                g.iter_mut().zip(w).for_each(|(g, w)| *g = gradient(w));
            })
            .unwrap();
    }
    assert_ne!(w, start);
    assert_eq!(w.as_slice().unwrap(), flat);
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let mut space = ArraySpace::<f64, _>::new(ndarray::Ix2(2, 3));
    let good = Array2::<f64>::ones((2, 3));
    let rule = Rule::l2(0.1);
    assert_eq!(
        space.dual_norm(&good, &Array2::ones((3, 2)), &rule).unwrap_err(),
        ArrayError::Shape { expected: vec![2, 3], found: vec![3, 2] }
    );
    let turned = Array2::<f64>::ones((3, 2)).reversed_axes();
    assert_eq!(space.dual_norm(&good, &turned, &rule).unwrap_err(), ArrayError::Order);
}
