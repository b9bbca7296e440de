//! Sweeps on several threads: the core's conformance kit, and the bits of one thread.

use proptest::prelude::*;
use sam_backend_ndarray::{Parallel, ParallelSpace, Threads};
use sam_core::{
    Descent, DirectedAscent, LengthMismatch, Norm, ParamSpace, Rule, Sam, Sgd, SliceSpace, State, Values,
    Verdict, WeightDecay,
    formula::DualNorm,
    testkit::{Storage, check_space},
};

use super::support::noise;

struct OnThreads(Threads);

impl Storage for OnThreads {
    type Scalar = f64;
    type Space = ParallelSpace<f64>;
    type Params = Vec<f64>;
    type Grads = Vec<f64>;
    const TOLERANCE: f64 = 1e-13;
    fn space(&mut self, len: usize) -> Self::Space {
        ParallelSpace::new(len, self.0.clone())
    }
    fn params(&mut self, values: &[f64]) -> Vec<f64> {
        values.to_vec()
    }
    fn grads(&mut self, values: &[f64]) -> Vec<f64> {
        values.to_vec()
    }
    fn read(&mut self, params: &[f64]) -> Vec<f64> {
        params.to_vec()
    }
    fn read_norm(&mut self, norm: &DualNorm) -> f64 {
        norm.value()
    }
}

#[test]
fn sweeps_on_threads_conform() {
    for count in 1..=3 {
        check_space(&mut OnThreads(Threads::new(count).unwrap()));
    }
}

/// Lengths around the ends of blocks (1024) and of the parts that threads take (8192).
pub fn length() -> impl Strategy<Value = usize> {
    let near = prop::sample::select(vec![0_usize, 1024, 8192, 16384, 24576, 40960]);
    prop_oneof![0..50_000_usize, (near, 0..3_usize).prop_map(|(near, more)| near + more)]
}

pub fn rule() -> impl Strategy<Value = Rule<f64>> {
    let norm = prop_oneof![
        Just(Norm::L1),
        Just(Norm::L2),
        Just(Norm::LInf),
        (1.1_f64..9.0).prop_map(|p| Norm::from_p(p).unwrap())
    ];
    (norm, 1e-3_f64..2.0, prop::option::of(1e-3_f64..0.1))
        .prop_map(|(norm, rho, adaptive)| Rule::new(rho, norm).with_adaptive(adaptive))
}

/// Cheap to make, unlike a strategy for each entry.
pub fn values(len: usize, seed: u64, size: f64) -> Vec<f64> {
    noise(seed).map(|value| size * value).take(len).collect()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whole steps have the bits of steps on slices, for every rule and form of SGD, with sums of any size.
    #[test]
    fn steps_have_the_bits_of_one_thread(
        len in length(),
        rule in rule(),
        count in 1..=3_usize,
        seed in any::<u64>(),
        size in prop::sample::select(vec![1e-200, 1e-3, 1.0, 1e200]),
        momentum in prop::sample::select(vec![0.0, 0.9]),
        decay in prop::sample::select(vec![WeightDecay::Coupled(0.1), WeightDecay::Decoupled(0.1)]),
    ) {
        let threads = Threads::new(count).unwrap();
        let base = Sgd::new(0.1).with_decay(decay).with_momentum(momentum, vec![0.0; len]);
        let start = values(len, seed, 1.0);
        let gradient = values(len, seed.rotate_left(32), size);
        let (mut w, mut g) = (start.clone(), vec![0.0; len]);
        let mut one = Sam::new(SliceSpace::new(vec![0.0; len]), rule, base.clone());
        let (mut shared_w, mut shared_g) = (start, vec![0.0; len]);
        let space = ParallelSpace::new(len, threads.clone());
        let mut shared = Sam::new(space, rule, Parallel::new(base, threads));
        for _ in 0..3 {
            let evaluate = |w: &[f64], g: &mut [f64], _| {
                g.iter_mut().zip(w.iter().zip(&gradient)).for_each(|(g, (w, slope))| *g = slope * (1.0 + w * w));
            };
            let expected = one.step_with(&mut w[..], &mut g[..], evaluate).unwrap();
            let found = shared.step_with(&mut shared_w[..], &mut shared_g[..], evaluate).unwrap();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(bits(&shared_w), bits(&w));
            prop_assert_eq!(bits(shared.space.perturbed(&shared_w)), bits(one.space.perturbed(&w)));
            prop_assert_eq!(bits(shared.base.base.momentum_buffer()), bits(one.base.momentum_buffer()));
        }
    }

    /// One entry that is not finite is found wherever it lies.
    #[test]
    fn a_bad_entry_is_found(len in 1..50_000_usize, at in any::<prop::sample::Index>(), bad in prop::sample::select(vec![f64::NAN, f64::INFINITY])) {
        let mut space = ParallelSpace::new(len, Threads::new(2).unwrap());
        let mut g = vec![1.0; len];
        prop_assert_eq!(space.check(&g).unwrap(), Verdict::Finite);
        g[at.index(len)] = bad;
        prop_assert_eq!(space.check(&g).unwrap(), Verdict::NonFinite);
        let norm = space.dual_norm(&vec![1.0; len], &g, &Rule::l2(0.1)).unwrap();
        prop_assert_eq!(space.verdict(&norm), Verdict::NonFinite);
    }
}

#[test]
fn lengths_that_disagree_are_refused() {
    let threads = Threads::new(2).unwrap();
    let mut space = ParallelSpace::<f64>::new(3, threads.clone());
    let rule = Rule::l2(0.1);
    let mismatch = |buffer, expected, found| LengthMismatch::new(buffer, expected, found);
    assert_eq!(space.dual_norm(&[1.0; 3], &[1.0; 2], &rule).unwrap_err(), mismatch("gradient", 3, 2));
    let buffer = "buffer for perturbed parameters";
    assert_eq!(space.dual_norm(&[1.0; 4], &[1.0; 4], &rule).unwrap_err(), mismatch(buffer, 4, 3));
    let mut base = Parallel::new(Sgd::new(0.1).with_momentum(0.9, vec![0.0; 2]), threads);
    assert_eq!(base.descend(&mut [1.0; 3], &mut [1.0; 3]).unwrap_err(), mismatch("momentum buffer", 3, 2));
}

#[test]
fn the_state_is_that_of_the_base() {
    let mut base = Parallel::new(Sgd::new(0.1).with_momentum(0.9, vec![0.0; 2]), Threads::new(2).unwrap());
    base.descend(&mut [1.0, 2.0], &mut [0.5, -0.5]).unwrap();
    let mut saved = Vec::new();
    base.save(&mut |name, values: Values<'_, f64>| saved.push((name.to_owned(), format!("{values:?}"))));
    assert_eq!(saved, [("momentum".to_owned(), "Reals([0.5, -0.5])".to_owned())]);
}

#[test]
fn a_direction_of_ones_own_is_taken_as_on_slices() {
    let (mut w, x) = (values(3000, 1, 1.0), values(3000, 2, 0.1));
    let (mut shared, mut slice) =
        (ParallelSpace::new(3000, Threads::new(2).unwrap()), SliceSpace::new(vec![0.0; 3000]));
    shared.displace(&mut w.clone(), -0.3, &x).unwrap();
    slice.displace(&mut w, -0.3, &x).unwrap();
    assert_eq!(bits(shared.perturbed(&w)), bits(slice.perturbed(&w)));
    assert_ne!(bits(shared.perturbed(&w)), bits(&w));
    assert!(shared.displace(&mut w, 1.0, &x[1..]).is_err());
}
