//! A model of several tensors: the bits of one flat vector, its state in a checkpoint, and the whole of a user's program.

use proptest::prelude::*;
use sam_core::tensors::{load_tensors, save_tensors};
use sam_core::{
    Adam, AlongGradient, EachTensor, Gsam, LookSam, Norm, ParamSpace, Reuse, Rule, Sam, Scope, Segment,
    SegmentedSpace, Sgd, Sink, SliceSpace, Source, State, StateBuffer, TensorMismatch, TensorSpace, Tensors,
    Values, ValuesMut, Variant, WeightDecay,
};

#[derive(Clone, Debug, PartialEq)]
struct Model {
    weight: [[f64; 3]; 2],
    bias: [f64; 2],
    head: [f64; 3],
}

impl Tensors for Model {
    type Scalar = f64;

    fn tensors(&self) -> impl Iterator<Item = &[f64]> {
        [self.weight.as_flattened(), &self.bias, &self.head].into_iter()
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        [self.weight.as_flattened_mut(), &mut self.bias, &mut self.head].into_iter()
    }
}

/// What a method keeps of this model goes into a checkpoint tensor by tensor.
impl StateBuffer<f64> for Model {
    fn save_as(&self, name: &str, sink: &mut Sink<'_, f64>) {
        save_tensors(self, name, sink);
    }

    fn load_as(&mut self, name: &str, source: &mut Source<'_, f64>) {
        load_tensors(self, name, source);
    }
}

const N: usize = 11;
const LENGTHS: [usize; 3] = [6, 2, 3];

fn model(values: [f64; N]) -> Model {
    let mut model = Model { weight: [[0.0; 3]; 2], bias: [0.0; 2], head: [0.0; 3] };
    model.tensors_mut().flatten().zip(values).for_each(|(to, value)| *to = value);
    model
}

fn bits<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<u64> {
    values.into_iter().map(|value| value.to_bits()).collect()
}

/// A loss whose gradient mixes neighbours: half the square, and the product of each entry with the one after it.
fn slope(w: &[f64], g: &mut [f64]) -> f64 {
    for i in 0..w.len() {
        g[i] = w[i] + 0.3 * (w[(i + 1) % w.len()] + w[(i + w.len() - 1) % w.len()]);
    }
    w.iter().zip(g).map(|(w, g)| 0.5 * w * *g).sum()
}

fn slope_of(w: &Model, g: &mut Model) -> f64 {
    let flat: Vec<f64> = w.tensors().flatten().copied().collect();
    let mut slopes = [0.0; N];
    let loss = slope(&flat, &mut slopes);
    *g = model(slopes);
    loss
}

fn segments() -> impl Strategy<Value = [Segment<f64>; 3]> {
    let one = prop_oneof![Just((1.0, true)), Just((1.0, false)), Just((0.0, false)), Just((0.5, true)),];
    [one.clone(), one.clone(), one].prop_map(|kinds| {
        let mut lengths = LENGTHS.into_iter();
        kinds.map(|(radius, adaptive)| {
            let segment = Segment::new(lengths.next().expect("a length for each")).with_radius(radius);
            if adaptive { segment } else { segment.not_adaptive() }
        })
    })
}

proptest! {
    #[test]
    fn several_tensors_have_the_bits_of_one_vector_for_every_norm_and_table(
        start in prop::array::uniform11(-2.0f64..2.0),
        table in segments(),
        p in prop_oneof![Just(1.0), Just(2.0), Just(3.0), Just(f64::INFINITY)],
        eta in prop::option::of(Just(0.01)),
        own in any::<bool>(),
    ) {
        let scope = if own { Scope::Segment } else { Scope::Global };
        let rule = Rule::new(0.1, Norm::from_p(p).unwrap()).with_adaptive(eta);
        let base = Sgd::new(0.05);
        let mut flat = Sam::new(SegmentedSpace::new(scope, table, [0.0; N]), rule, base.clone());
        let space = TensorSpace::new(model(start)).with_segments(scope, table);
        let mut listed = Sam::new(space, rule, EachTensor::new([base.clone(), base.clone(), base]));
        let (mut w, mut g) = (start, [0.0; N]);
        let (mut v, mut h) = (model(start), model(start));
        for _ in 0..4 {
            let a = flat.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).unwrap();
            let b = listed.step_with(&mut v, &mut h, |w, g, _| slope_of(w, g)).unwrap();
            prop_assert_eq!(a.outcome, b.outcome);
            prop_assert_eq!(a.norm, b.norm);
        }
        prop_assert_eq!(bits(&w), bits(v.tensors().flatten()));
    }

    /// Without a table nothing tells where a tensor ends.
    #[test]
    fn several_tensors_have_the_bits_of_one_vector_without_tensors(
        start in prop::array::uniform11(-2.0f64..2.0),
        p in prop_oneof![Just(1.0), Just(2.0), Just(3.0), Just(f64::INFINITY)],
        eta in prop::option::of(Just(0.01)),
    ) {
        let rule = Rule::new(0.1, Norm::from_p(p).unwrap()).with_adaptive(eta);
        let base = Sgd::new(0.05);
        let mut flat = Sam::new(SliceSpace::new([0.0; N]), rule, base.clone());
        let mut listed =
            Sam::new(TensorSpace::new(model(start)), rule, EachTensor::new([base.clone(), base.clone(), base]));
        let (mut w, mut g) = (start, [0.0; N]);
        let (mut v, mut h) = (model(start), model(start));
        for _ in 0..4 {
            let a = flat.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).unwrap();
            let b = listed.step_with(&mut v, &mut h, |w, g, _| slope_of(w, g)).unwrap();
            prop_assert_eq!(a.norm, b.norm);
        }
        prop_assert_eq!(bits(&w), bits(v.tensors().flatten()));
    }

    #[test]
    fn gsam_on_several_tensors_has_the_bits_of_gsam_on_one_vector(start in prop::array::uniform11(-2.0f64..2.0)) {
        let (rule, sgd) = (Rule::l2(0.1), Sgd::new(0.05));
        let mut flat = Variant::new(SliceSpace::new([0.0; N]), rule, AlongGradient, Gsam::new(0.4, [0.0; N]), sgd.clone());
        let mut listed = Variant::new(
            TensorSpace::new(model(start)), rule, AlongGradient, Gsam::new(0.4, model(start)),
            EachTensor::new([sgd.clone(), sgd.clone(), sgd]),
        );
        let (mut w, mut g) = (start, [0.0; N]);
        let (mut v, mut h) = (model(start), model(start));
        for _ in 0..4 {
            let _ = flat.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).unwrap();
            let _ = listed.step_with(&mut v, &mut h, |w, g, _| slope_of(w, g)).unwrap();
        }
        prop_assert_eq!(bits(&w), bits(v.tensors().flatten()));
    }
}

#[test]
fn a_tensor_that_is_left_out_does_not_move_the_one_coordinate_of_p_1() {
    // The largest gradient lies behind the tensor that is left out.
    let mut w = model([0.0; N]);
    let g = model(std::array::from_fn(|i| if i == 9 { 4.0 } else { 1.0 }));
    let table = [Segment::new(6), Segment::fixed(2), Segment::new(3)];
    let mut space = TensorSpace::new(w.clone()).with_segments(Scope::Global, table);
    let rule = Rule::l1(0.5);
    let norm = space.dual_norm(&w, &g, &rule).unwrap();
    space.ascend(&mut w, &g, &rule, &norm).unwrap();
    assert_eq!(space.perturbed(&w), &model(std::array::from_fn(|i| if i == 9 { 0.5 } else { 0.0 })));
}

/// Weights decay and are perturbed as ASAM does; biases and norms are left out of both.
#[test]
fn a_model_trains_and_resumes_without_index_arithmetic() {
    let start = model(std::array::from_fn(|i| 1.0 - 0.2 * i as f64));
    let is_weight = |tensor: usize| tensor != 1;
    let make = |w: &Model| {
        let segment = |(tensor, values): (usize, &[f64])| {
            if is_weight(tensor) { Segment::new(values.len()) } else { Segment::fixed(values.len()) }
        };
        let table: Vec<_> = w.tensors().enumerate().map(segment).collect();
        let adam = |(tensor, values): (usize, &[f64])| {
            let zeros = || vec![0.0; values.len()];
            let decay = if is_weight(tensor) { 0.1 } else { 0.0 };
            Adam::new(0.05, zeros(), zeros()).with_decay(WeightDecay::Decoupled(decay))
        };
        let base: Vec<_> = w.tensors().enumerate().map(adam).collect();
        let space = TensorSpace::new(w.clone()).with_segments(Scope::Global, table);
        let reuse = Reuse::new(3, 0.5, w.clone(), w.clone());
        LookSam::new(space, Rule::l2(0.1).adaptive(0.01), reuse, EachTensor::new(base))
    };
    let (mut sam, mut w, mut g) = (make(&start), start.clone(), start.clone());
    let first = slope_of(&w, &mut g);
    let mut run = |sam: &mut LookSam<_, EachTensor<_, Vec<_>>, Model>, w: &mut Model, steps| {
        for _ in 0..steps {
            let step = sam.step_with(w, &mut g, |w, g, _| slope_of(w, g)).unwrap();
            assert!(step.outcome.moved());
        }
    };
    run(&mut sam, &mut w, 4);
    let (mut reals, mut counts) = (Vec::new(), Vec::new());
    sam.save(&mut |name, values| match values {
        Values::Reals(values) => reals.push((name.to_owned(), values.to_vec())),
        Values::Counts(values) => counts.push((name.to_owned(), values.to_vec())),
    });
    let names: std::collections::BTreeSet<_> =
        reals.iter().map(|(name, _)| name).chain(counts.iter().map(|(name, _)| name)).collect();
    assert_eq!(names.len(), reals.len() + counts.len(), "names collide: {names:?}");
    assert!(names.contains(&"looksam.sharpness.2".to_owned()) && names.contains(&"2.adam.mean".to_owned()));

    let (mut resumed, mut v) = (make(&start), w.clone());
    resumed.load(&mut |name, values| match values {
        ValuesMut::Reals(to) => to.copy_from_slice(&reals.iter().find(|(n, _)| n == name).unwrap().1),
        ValuesMut::Counts(to) => to.copy_from_slice(&counts.iter().find(|(n, _)| n == name).unwrap().1),
    });
    run(&mut sam, &mut w, 60);
    run(&mut resumed, &mut v, 60);
    assert_eq!(bits(w.tensors().flatten()), bits(v.tensors().flatten()));
    assert!(slope_of(&w, &mut start.clone()) < 0.1 * first, "it does not learn: {w:?}");
}

#[test]
fn tables_and_lists_that_do_not_go_with_the_model_are_errors() {
    let (mut w, mut g) = (model([1.0; N]), model([1.0; N]));
    let short = [Segment::new(6), Segment::new(2)];
    let mut space = TensorSpace::new(w.clone()).with_segments(Scope::Global, short);
    let error = space.dual_norm(&w, &g, &Rule::l2(0.1)).unwrap_err();
    assert_eq!(error.to_string(), "expected 3 tensors, as many as the parameters have, found 2");
    let long = [Segment::new(6), Segment::new(3), Segment::new(3)];
    let mut space = TensorSpace::new(w.clone()).with_segments(Scope::Global, long);
    let error = space.dual_norm(&w, &g, &Rule::l2(0.1)).unwrap_err();
    assert!(matches!(error, TensorMismatch::Length { tensor: 1, expected: 2, found: 3, .. }), "{error}");
    let two = EachTensor::new([Sgd::new(0.1), Sgd::new(0.1)]);
    let mut sam = Sam::new(TensorSpace::new(w.clone()), Rule::l2(0.1), two);
    let error = sam.step_with(&mut w, &mut g, |w, g, _| slope_of(w, g)).unwrap_err();
    assert!(error.to_string().contains("list of optimizers: expected 3 tensors"), "{error}");
    assert_eq!(w, model([1.0; N]), "a step that failed moved the weights");
}
