//! Gradients that are told of in parts, and who may rely on what was told.

use std::ops::Range;

use proptest::prelude::*;
use sam_core::formula::DualNorm;
use sam_core::*;

/// Scales the parameters, entry by entry, and tells of each part as soon as it is written.
struct Layers {
    scales: Vec<f64>,
    parts: Vec<Range<usize>>,
}

impl GradientOracle<[f64]> for Layers {
    type Loss = f64;
    type Error = LengthMismatch;

    fn gradient(&mut self, w: &[f64], g: &mut [f64], pass: Pass) -> Result<f64, LengthMismatch> {
        self.gradient_in_parts(w, g, pass, &mut |_, _| {})
    }

    fn gradient_in_parts(
        &mut self,
        w: &[f64],
        g: &mut [f64],
        _: Pass,
        ready: &mut Ready<'_, [f64]>,
    ) -> Result<f64, LengthMismatch> {
        g.fill(f64::NAN);
        for part in &self.parts {
            part.clone().for_each(|i| g[i] = self.scales[i] * w[i]);
            ready(g, part.clone());
        }
        Ok(w.iter().zip(&self.scales).map(|(w, scale)| scale * w * w / 2.0).sum())
    }
}

impl MiniBatch<f64> for Layers {
    type Error = LengthMismatch;

    fn samples(&self) -> usize {
        6
    }

    /// Of a sample, its number times the gradient.
    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        w: &[f64],
        g: &mut [f64],
        pass: Pass,
    ) -> Result<f64, LengthMismatch> {
        let mean = samples.clone().sum::<usize>() as f64 / samples.len() as f64;
        let loss = self.gradient(w, g, pass)?;
        g.iter_mut().for_each(|g| *g *= mean);
        Ok(mean * loss)
    }
}

/// Takes the norm of entries as they were when it was told of them; `told` counts those.
struct Trusting {
    inner: SliceSpace<f64, Vec<f64>>,
    told: usize,
}

impl ParamSpace for Trusting {
    type Params = [f64];
    type Grads = [f64];
    type Scalar = f64;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[f64], g: &[f64], rule: &Rule<f64>) -> Result<DualNorm, LengthMismatch> {
        self.inner.dual_norm(w, g, rule)
    }

    fn clean_gradient<O>(
        &mut self,
        w: &[f64],
        g: &mut [f64],
        rule: &Rule<f64>,
        oracle: &mut O,
    ) -> CleanGradient<Self, O::Loss, O::Error>
    where
        O: GradientOracle<[f64]> + ?Sized,
    {
        let mut early = vec![None; g.len()];
        let loss = oracle
            .gradient_in_parts(w, g, Pass::Clean, &mut |g, part| part.for_each(|i| early[i] = Some(g[i])))
            .map_err(|e| StepError::Oracle(e, Pass::Clean))?;
        self.told += early.iter().flatten().count();
        let seen: Vec<f64> = early.iter().zip(g).map(|(early, g)| early.unwrap_or(*g)).collect();
        let norm = self.inner.dual_norm(w, &seen, rule).map_err(StepError::Space)?;
        Ok((loss, norm))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        self.inner.verdict(norm)
    }

    fn ascend(
        &mut self,
        w: &mut [f64],
        g: &[f64],
        rule: &Rule<f64>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        self.inner.ascend(w, g, rule, norm)
    }

    fn perturbed<'a>(&'a self, w: &'a [f64]) -> &'a [f64] {
        self.inner.perturbed(w)
    }

    fn restore(&mut self, w: &mut [f64]) -> Result<(), LengthMismatch> {
        self.inner.restore(w)
    }

    fn check(&mut self, g: &[f64]) -> Result<Verdict, LengthMismatch> {
        self.inner.check(g)
    }
}

fn bits(w: &[f64]) -> Vec<u64> {
    w.iter().map(|w| w.to_bits()).collect()
}

/// Takes two steps with a storage that relies on what it is told, and two with one that does not; returns how
/// many entries it was told of.
fn same_steps<O>(w: &[f64], rule: Rule<f64>, mut oracle: O) -> Result<usize, TestCaseError>
where
    O: GradientOracle<[f64], Error: std::fmt::Debug>,
    O::Loss: std::fmt::Debug + PartialEq,
{
    let zeros = || vec![0.0; w.len()];
    let trusting = Trusting { inner: SliceSpace::new(zeros()), told: 0 };
    let mut trusting = Sam::new(trusting, rule, Sgd::new(0.1));
    let mut careful = Sam::new(SliceSpace::new(zeros()), rule, Sgd::new(0.1));
    let [(mut v, mut h), (mut w, mut g)] = [0, 1].map(|_| (w.to_vec(), zeros()));
    for _ in 0..2 {
        let found = trusting.step(&mut v[..], &mut h[..], &mut oracle).expect("lengths that agree");
        let expected = careful.step(&mut w[..], &mut g[..], &mut oracle).expect("lengths that agree");
        prop_assert_eq!(found, expected);
        prop_assert_eq!((bits(&v), bits(&h)), (bits(&w), bits(&g)));
    }
    Ok(trusting.space.told / 2)
}

/// Disjoint parts of all entries, in any order.
fn parts(len: usize) -> impl Strategy<Value = Vec<Range<usize>>> {
    prop::collection::vec(0..=len, 0..8).prop_flat_map(move |mut cuts| {
        cuts.extend([0, len]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|ends| ends[0]..ends[1]).collect();
        Just(parts).prop_shuffle()
    })
}

proptest! {
    /// Who passes a gradient on as it is passes on what is told of it too.
    #[test]
    fn wrappers_that_change_nothing_pass_it_on(
        w in prop::collection::vec(-2.0..2.0f64, 12),
        scales in prop::collection::vec(-2.0..2.0f64, 12),
        parts in parts(12),
        adaptive in prop::option::of(0.01..0.1f64),
    ) {
        let rule = Rule::l2(0.3).with_adaptive(adaptive);
        let oracle = || Layers { scales: scales.clone(), parts: parts.clone() };
        prop_assert_eq!(same_steps(&w, rule, oracle())?, 12);
        prop_assert_eq!(same_steps(&w, rule, &mut oracle())?, 12);
        let mut counting = CountingOracle::new(oracle());
        prop_assert_eq!(same_steps(&w, rule, &mut counting)?, 12);
        prop_assert_eq!((counting.clean, counting.perturbed), (4, 4));
        let quiet = Penalty::new(oracle(), 0.1);
        prop_assert_eq!(same_steps(&w, rule, SplitOracle::new(oracle(), &mut oracle()))?, 12);
        prop_assert_eq!(same_steps(&w, rule, SplitOracle::new(quiet, oracle()))?, 0);
        let products = FiniteDifference::double(oracle(), [[0.0; 12]; 2]);
        prop_assert_eq!(same_steps(&w, rule, products)?, 12);
    }

    /// Who changes a gradient tells nothing of it.
    #[test]
    fn wrappers_that_change_something_tell_nothing(
        w in prop::collection::vec(-2.0..2.0f64, 12),
        scales in prop::collection::vec(-2.0..2.0f64, 12),
        parts in parts(12),
        size in 1..7usize,
    ) {
        let rule = Rule::l2(0.3);
        let oracle = || Layers { scales: scales.clone(), parts: parts.clone() };
        prop_assert_eq!(same_steps(&w, rule, Penalty::new(oracle(), 0.1))?, 0);
        prop_assert_eq!(same_steps(&w, rule, MicroBatches::new(oracle(), size, [0.0; 12]))?, 0);
        prop_assert_eq!(same_steps(&w, rule, SamGradient::new(oracle(), rule, [0.0; 12]))?, 0);
        let mut inner = oracle();
        let closure = FnOracle(|w: &[f64], g: &mut [f64], pass| inner.gradient(w, g, pass));
        prop_assert_eq!(same_steps(&w, rule, closure)?, 0);
    }
}
