//! A model of several tensors of any lengths, norm, radii and scope: the bits of one flat vector, or an error that leaves all as it was.

use arbitrary::{Result, Unstructured};
use sam_core::{
    EachTensor, Norm, Rule, Sam, Scope, Segment, SegmentedSpace, Sgd, StepError, TensorSpace, Tensors,
};

const MOST_TENSORS: usize = 5;
const MOST_VALUES: usize = 70;
const STEPS: usize = 4;

#[derive(Clone, Debug, PartialEq)]
struct List(Vec<Vec<f64>>);

impl Tensors for List {
    type Scalar = f64;

    fn tensors(&self) -> impl Iterator<Item = &[f64]> {
        self.0.iter().map(Vec::as_slice)
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.0.iter_mut().map(Vec::as_mut_slice)
    }
}

impl List {
    fn flat(&self) -> Vec<f64> {
        self.0.concat()
    }

    fn fill_from(&mut self, flat: &[f64]) {
        self.tensors_mut().flatten().zip(flat).for_each(|(to, from)| *to = *from);
    }

    fn bits(&self) -> Vec<u64> {
        bits(&self.flat())
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Half the sum of squares, each entry a little drawn to the next one; sometimes spoilt.
fn slope(w: &[f64], g: &mut [f64], spoilt: Option<f64>) -> f64 {
    for i in 0..w.len() {
        g[i] = w[i] + 0.3 * w[(i + 1) % w.len()];
    }
    if let (Some(value), Some(last)) = (spoilt, g.last_mut()) {
        *last = value;
    }
    w.iter().map(|w| 0.5 * w * w).sum()
}

/// The same on a model.
fn slope_of(w: &List, g: &mut List, spoilt: Option<f64>) -> f64 {
    let mut flat = vec![0.0; w.flat().len()];
    let loss = slope(&w.flat(), &mut flat, spoilt);
    g.fill_from(&flat);
    loss
}

/// Reads a model and its rule from `data`, and takes steps on it in both forms. What the input does not say is 0.
pub fn check(data: &[u8]) {
    let _ = steps(&mut Unstructured::new(data));
}

fn steps(input: &mut Unstructured<'_>) -> Result<()> {
    let mut model = List(Vec::new());
    let mut segments = Vec::new();
    for _ in 0..input.int_in_range(1..=MOST_TENSORS)? {
        let length = input.int_in_range(0..=MOST_VALUES)?;
        let values = (0..length).map(|_| Ok(f64::from(input.arbitrary::<i8>()?) / 32.0));
        model.0.push(values.collect::<Result<_>>()?);
        let segment = Segment::new(length).with_radius(*input.choose(&[1.0, 0.0, 0.5, 2.0, 1e-3])?);
        segments.push(if input.arbitrary()? { segment } else { segment.not_adaptive() });
    }
    let norm = Norm::from_p(*input.choose(&[1.0, 2.0, 3.0, 1.5, f64::INFINITY])?).expect("a norm");
    let rho = *input.choose(&[0.1, 0.0, 1.0, 1e-9])?;
    let rule = Rule::new(rho, norm).with_adaptive(*input.choose(&[None, Some(0.01), Some(0.0)])?);
    let scope = *input.choose(&[Scope::Global, Scope::Segment])?;
    if input.ratio(1, 8)? {
        return mismatch(input, &model, segments, rule, scope);
    }

    let zeros = |length: usize| vec![0.0; length];
    let base = |length| Sgd::new(0.05).with_momentum(0.9, zeros(length));
    let (mut w, mut v) = (model.flat(), model.clone());
    let (mut g, mut h) = (zeros(w.len()), model.clone());
    let space = SegmentedSpace::new(scope, segments.clone(), zeros(w.len()));
    let mut flat = Sam::new(space, rule, base(w.len()));
    let space = TensorSpace::new(model.clone()).with_segments(scope, segments);
    let mut listed = Sam::new(space, rule, EachTensor::of(&model, |_, values| base(values.len())));
    for _ in 0..STEPS {
        let spoilt = if input.ratio(1, 8)? {
            Some(*input.choose(&[f64::NAN, f64::INFINITY, 0.0, 1e300])?)
        } else {
            None
        };
        let expected =
            flat.step_with(&mut w[..], &mut g[..], |w, g, _| slope(w, g, spoilt)).expect("lengths agree");
        let step = listed.step_with(&mut v, &mut h, |w, g, _| slope_of(w, g, spoilt)).expect("lengths agree");
        assert_eq!(step.outcome, expected.outcome);
        assert_eq!(step.norm.value().to_bits(), expected.norm.value().to_bits());
        assert_eq!(bits(&v.flat()), bits(&w));
    }
    Ok(())
}

/// One length that is not the model's, in one of the places that have lengths: an error, and nothing has moved.
fn mismatch(
    input: &mut Unstructured<'_>,
    model: &List,
    mut segments: Vec<Segment<f64>>,
    rule: Rule<f64>,
    scope: Scope,
) -> Result<()> {
    let (mut w, mut g, mut perturbed) = (model.clone(), model.clone(), model.clone());
    let tensor = input.choose_index(model.0.len())?;
    match input.int_in_range(0..=4)? {
        0 => g.0[tensor].push(0.0),
        1 => perturbed.0[tensor].push(0.0),
        2 => segments[tensor].len += 1,
        3 => drop(g.0.remove(tensor)),
        _ => drop(perturbed.0.remove(tensor)),
    }
    let space = TensorSpace::new(perturbed).with_segments(scope, segments);
    let mut sam = Sam::new(space, rule, EachTensor::of(model, |_, _| Sgd::new(0.05)));
    let result = sam.step_with(&mut w, &mut g, |_, g, _| {
        g.tensors_mut().flatten().for_each(|value| *value = 1.0);
        0.0
    });
    assert!(matches!(result, Err(StepError::Space(_))), "{result:?}");
    assert_eq!(w.bits(), model.bits());
    Ok(())
}
