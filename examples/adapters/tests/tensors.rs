//! Storage in several arrays: through the conformance kit, and bit for bit what one slice is.

use proptest::prelude::*;
use sam_core::formula::DualNorm;
use sam_core::testkit::{Storage, adam, check_descent, check_space, sgd};
use sam_core::{
    Adam, EachTensor, Friendly, GradientAlgebra, Gsam, LookSam, Norm, Outcome, Reuse, Rule, Sam, Sgd,
    SliceSpace, TensorMismatch, TensorSpace, Tensors, Variant, WeightDecay,
};

#[derive(Clone, Debug)]
struct Arrays(Vec<Vec<f64>>);

impl Tensors for Arrays {
    type Scalar = f64;
    fn tensors(&self) -> impl Iterator<Item = &[f64]> {
        self.0.iter().map(Vec::as_slice)
    }
    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.0.iter_mut().map(Vec::as_mut_slice)
    }
}

impl Arrays {
    /// Cuts a vector at a third and before its last value.
    fn of(values: &[f64]) -> Self {
        let (body, last) = values.split_at(values.len() - 1);
        let (first, second) = body.split_at(body.len() / 3);
        Self(vec![first.to_vec(), second.to_vec(), last.to_vec()])
    }
}

struct Kit;

impl Storage for Kit {
    type Scalar = f64;
    type Space = TensorSpace<Arrays>;
    type Params = Arrays;
    type Grads = Arrays;
    const TOLERANCE: f64 = 1e-13;
    fn space(&mut self, len: usize) -> TensorSpace<Arrays> {
        TensorSpace::new(Arrays::of(&vec![f64::NAN; len]))
    }
    fn params(&mut self, values: &[f64]) -> Arrays {
        Arrays::of(values)
    }
    fn grads(&mut self, values: &[f64]) -> Arrays {
        Arrays::of(values)
    }
    fn read(&mut self, params: &Arrays) -> Vec<f64> {
        params.0.concat()
    }
    fn read_norm(&mut self, norm: &DualNorm) -> f64 {
        norm.value()
    }
}

#[test]
fn arrays_are_a_storage() {
    check_space(&mut Kit);
}

#[test]
fn slices_optimizers_work_array_by_array() {
    let base = |_: &mut Kit, len, lr| {
        let momentum = |_, tensor: &[f64]| {
            Sgd::new(lr).with_momentum(0.9, vec![0.0; tensor.len()]).with_decay(WeightDecay::Coupled(0.01))
        };
        EachTensor::of(&Arrays::of(&vec![0.0; len]), momentum)
    };
    check_descent(&mut Kit, base, sgd);
    let base = |_: &mut Kit, len, lr| {
        let adamw = |_, tensor: &[f64]| {
            let zeros = || vec![0.0; tensor.len()];
            Adam::new(lr, zeros(), zeros()).with_decay(WeightDecay::Decoupled(0.01))
        };
        EachTensor::of(&Arrays::of(&vec![0.0; len]), adamw)
    };
    check_descent(&mut Kit, base, adam);
}

fn gradient(w: &[f64], g: &mut [f64]) {
    g.iter_mut().zip(w).for_each(|(g, w)| *g = w.sin() + 0.3 * w);
}

proptest! {
    #[test]
    fn the_split_changes_no_bit(
        start in prop::collection::vec(-2.0..2.0f64, 1..3000),
        p in prop::sample::select(vec![1.0, 1.5, 2.0, 4.0, f64::INFINITY]),
        adaptive in any::<bool>(),
    ) {
        let mut rule = Rule::new(0.3, Norm::from_p(p).expect("p is at least 1"));
        if adaptive {
            rule = rule.adaptive(0.1);
        }
        let n = start.len();
        let (mut w, mut g) = (start.clone(), vec![0.0; n]);
        let base = Sgd::new(0.1).with_momentum(0.9, vec![0.0; n]);
        let mut whole = Sam::new(SliceSpace::new(vec![0.0; n]), rule, base);
        let (mut v, mut h) = (Arrays::of(&start), Arrays::of(&g));
        let base = EachTensor::of(&v, |_, tensor| Sgd::new(0.1).with_momentum(0.9, vec![0.0; tensor.len()]));
        let mut split = Sam::new(TensorSpace::new(h.clone()), rule, base);
        for _ in 0..3 {
            let _ = whole.step_with(&mut w[..], &mut g[..], |w, g, _| { gradient(w, g);  }).unwrap();
            let step = split.step_with(&mut v, &mut h, |v, h, _| {
                v.tensors().zip(h.tensors_mut()).for_each(|(v, h)| gradient(v, h));

            });
            prop_assert_eq!(step.unwrap().outcome, Outcome::Descended);
        }
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&w), bits(&v.0.concat()));
    }
}

/// Steps the same method over one slice and over arrays.
macro_rules! compare {
    ($start:ident, $buffer:ident => $method:expr) => {{
        let zeros = vec![0.0; $start.len()];
        let (mut w, mut g) = ($start.clone(), zeros.clone());
        let $buffer = || zeros.clone();
        let mut method = $method(SliceSpace::new(zeros.clone()), Sgd::new(0.1));
        for _ in 0..5 {
            let step = method.step_with(&mut w[..], &mut g[..], |w, g, _| gradient(w, g));
            assert_eq!(step.unwrap().outcome, Outcome::Descended);
        }
        let (mut v, mut h) = (Arrays::of(&$start), Arrays::of(&zeros));
        let $buffer = || Arrays::of(&zeros);
        let mut method =
            $method(TensorSpace::new(Arrays::of(&zeros)), EachTensor::of(&v, |_, _| Sgd::new(0.1)));
        for _ in 0..5 {
            let step = method.step_with(&mut v, &mut h, |v, h, _| {
                v.tensors().zip(h.tensors_mut()).for_each(|(v, h)| gradient(v, h));
            });
            assert_eq!(step.unwrap().outcome, Outcome::Descended);
        }
        for (found, expected) in v.0.concat().into_iter().zip(w) {
            prop_assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
        }
    }};
}

proptest! {
    /// Of one weight all gradients are parallel, and what is orthogonal to one is rounding.
    #[test]
    fn methods_that_combine_gradients_work_on_arrays(start in prop::collection::vec(0.1..2.0f64, 5..100)) {
        let rule = Rule::l2(0.3);
        compare!(start, buffer => |space, base| Variant::new(space, rule, Friendly::new(1.0, 0.9, buffer(), buffer()), Gsam::new(0.3, buffer()), base));
        compare!(start, buffer => |space, base| LookSam::new(space, rule, Reuse::new(3, 0.7, buffer(), buffer()), base));
    }
}

#[test]
fn quotients_keep_their_range() {
    let mut space = TensorSpace::new(Arrays::of(&[0.0; 3]));
    let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-14, "{found:e}");
    let (large, small) = (Arrays::of(&[1e200, 2e200, 0.0]), Arrays::of(&[3e-200, 0.0, 1e-200]));
    close(space.projection(&large, &Arrays::of(&[3e200, 0.0, 1e200])).unwrap(), 0.3);
    close(space.ratio(&small, &small).unwrap(), 1.0);
    let zero = Arrays::of(&[0.0; 3]);
    assert_eq!((space.projection(&large, &zero).unwrap(), space.ratio(&large, &zero).unwrap()), (0.0, 0.0));
    assert!(space.projection(&Arrays::of(&[f64::NAN, 0.0, 1.0]), &large).unwrap().is_nan());
}

#[test]
fn shapes_that_differ_are_named() {
    let mut space = TensorSpace::new(Arrays::of(&[0.0; 4]));
    let mut step = |w: usize, g: usize| {
        use sam_core::ParamSpace;
        space.dual_norm(&Arrays::of(&vec![1.0; w]), &Arrays::of(&vec![1.0; g]), &Rule::l2(0.1)).unwrap_err()
    };
    assert!(matches!(step(4, 7), TensorMismatch::Length { tensor: 0, expected: 1, found: 2, .. }));
    assert!(matches!(step(7, 7), TensorMismatch::Length { tensor: 0, expected: 2, found: 1, .. }));
}
