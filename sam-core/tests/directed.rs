//! Perturbations along a direction of one's own, in segments and in several tensors: what one slice does, radius by radius.

use proptest::prelude::*;
use sam_core::{
    AlongGradient, Bayesian, DirectedAscent, Gsam, LookSam, ParamSpace, PrecisionFromClean, Reuse, Rule,
    Scope, Segment, SegmentedSpace, Sgd, SliceSpace, TensorSpace, Tensors, Variant, VariationalNewton,
};

const N: usize = 6;
const CUT: usize = 2;

#[derive(Clone, Debug, PartialEq)]
struct Pair([f64; CUT], [f64; N - CUT]);

impl Tensors for Pair {
    type Scalar = f64;
    fn tensors(&self) -> impl Iterator<Item = &[f64]> {
        [&self.0[..], &self.1].into_iter()
    }
    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        [&mut self.0[..], &mut self.1].into_iter()
    }
}

fn pair(flat: [f64; N]) -> Pair {
    Pair(std::array::from_fn(|i| flat[i]), std::array::from_fn(|i| flat[CUT + i]))
}

fn bits<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<u64> {
    values.into_iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #[test]
    fn a_segment_moves_by_its_radius_and_one_without_stays_bit_for_bit(
        w in prop::array::uniform6(prop_oneof![Just(-0.0), -2.0f64..2.0]),
        x in prop::array::uniform6(prop_oneof![Just(0.0), -2.0f64..2.0]),
        a in prop_oneof![Just(0.0), -1.0f64..1.0],
        radii in prop::array::uniform2(prop_oneof![Just(0.0), Just(1.0), Just(0.3)]),
    ) {
        let table = [Segment::new(CUT).with_radius(radii[0]), Segment::new(N - CUT).with_radius(radii[1])];
        let mut expected = Vec::new();
        for (range, radius) in [(0..CUT, radii[0]), (CUT..N, radii[1])] {
            let mut slice = SliceSpace::new(vec![f64::NAN; range.len()]);
            slice.displace(&mut { w }[range.clone()], a * radius, &x[range]).unwrap();
            expected.extend(bits(slice.perturbed(&[])));
        }
        let mut segments = SegmentedSpace::new(Scope::Global, table, [f64::NAN; N]);
        let (mut kept, mut model) = (w, pair(w));
        segments.displace(&mut kept, a, &x).unwrap();
        let mut tensors = TensorSpace::new(pair([f64::NAN; N])).with_segments(Scope::Segment, table);
        tensors.displace(&mut model, a, &pair(x)).unwrap();
        prop_assert_eq!(bits(segments.perturbed(&w)), &expected[..]);
        prop_assert_eq!(bits(tensors.perturbed(&model).tensors().flatten()), expected);
        prop_assert_eq!((bits(&kept), bits(model.tensors().flatten())), (bits(&w), bits(&w)));
    }
}

#[test]
fn a_direction_of_another_shape_is_refused() {
    let table = [Segment::new(CUT), Segment::new(N - CUT)];
    let mut segments = SegmentedSpace::new(Scope::Global, table, [0.0; N]);
    assert!(segments.displace(&mut [0.0; N], 1.0, &[0.0; 5]).is_err());
    let mut tensors = TensorSpace::new(pair([0.0; N])).with_segments(Scope::Global, [Segment::new(CUT)]);
    assert!(tensors.displace(&mut pair([0.0; N]), 1.0, &pair([0.0; N])).is_err());
}

/// bSAM with an offset that it neither scatters nor perturbs, which still learns.
#[test]
fn bsam_leaves_out_what_the_table_leaves_out() {
    let table = [Segment::fixed(CUT), Segment::new(N - CUT)];
    let mut method = Variant::new(
        SegmentedSpace::new(Scope::Global, table, [0.0; N]),
        Rule::l2(0.05),
        Bayesian::new(50.0, 1),
        PrecisionFromClean::new([0.0; N]),
        VariationalNewton::new(0.1, [0.0; N], [0.0; N]).with_damping(0.1),
    );
    let (mut w, mut g) = ([1.0, -2.0, 0.5, 3.0, -1.0, 0.25], [0.0; N]);
    let start = w;
    for _ in 0..3 {
        let before = w;
        let mut moved = 0;
        let _ = method.step_with(&mut w, &mut g, |at, g, _| {
            assert_eq!(at[..CUT], before[..CUT]);
            moved += usize::from(at[CUT..] != before[CUT..]);
            g.copy_from_slice(at);
        });
        assert_eq!(moved, 2);
    }
    assert!((0..N).all(|i| w[i] != start[i]));
}

/// GSAM and LookSAM around segments: with a table that leaves nothing out they are what they are on a slice, bit for bit.
#[test]
fn methods_that_combine_gradients_work_on_segments() {
    let slope = |w: &[f64], g: &mut [f64]| (0..N).for_each(|i| g[i] = w[i] + 0.3 * w[(i + 1) % N].sin());
    let (rule, zero) = (Rule::l2(0.2), [0.0; N]);
    macro_rules! run {
        ($space:expr, |$it:ident| $method:expr) => {{
            let $it = $space;
            let (mut method, mut w, mut g) = ($method, [1.0, -2.0, 0.5, 3.0, -1.0, 0.25], zero);
            for _ in 0..5 {
                let _ = method.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).unwrap();
            }
            w.map(f64::to_bits)
        }};
    }
    let segments =
        |kept: Segment<f64>| SegmentedSpace::new(Scope::Global, [Segment::new(CUT), kept], [0.0; N]);
    macro_rules! compare {
        (|$space:ident| $method:expr) => {{
            let whole = run!(SliceSpace::new(zero), |$space| $method);
            assert_eq!(run!(segments(Segment::new(N - CUT)), |$space| $method), whole);
            assert_ne!(run!(segments(Segment::fixed(N - CUT)), |$space| $method), whole);
        }};
    }
    compare!(|space| Variant::new(space, rule, AlongGradient, Gsam::new(0.4, zero), Sgd::new(0.1)));
    compare!(|space| LookSam::new(space, rule, Reuse::new(2, 0.7, zero, zero), Sgd::new(0.1)));
}
