//! GSAM on each device's share of a mini-batch, as `big_vision` trains: against a plain loop after its code.

#[path = "support/problem.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod problem;

use std::ops::Range;

use problem::{N, SAMPLES, START, Vector, Waves, assert_close, dot, mix, norm};
use sam_core::{
    AlongGradient, BufferedError, Gsam, GsamGradient, MicroBatches, MiniBatch, Outcome, Pass, Plain, Rule,
    SamGradient, Sgd, SliceSpace, StepError, Variant,
};

const ZERO: Vector = [0.0; N];
const RHO: f64 = 0.2;
const ALPHA: f64 = 0.4;

/// One device's gradient.
fn of_device(samples: Range<usize>, w: &Vector, adaptive: bool, around_clean: bool) -> Vector {
    let clean = Waves::gradient(samples.clone(), w);
    let length = norm(&clean);
    let scale = |i: usize| if adaptive { w[i].abs() } else { 1.0 };
    let up: Vector = std::array::from_fn(|i| w[i] + scale(i) * RHO * clean[i] / length);
    let robust = Waves::gradient(samples, &up);
    let (kept, other, sign) = if around_clean { (clean, robust, 1.0) } else { (robust, clean, -1.0) };
    let along = dot(&kept, &other) / dot(&kept, &kept);
    std::array::from_fn(|i| kept[i] + sign * ALPHA * (other[i] - along * kept[i]))
}

#[test]
fn gsam_in_groups_is_the_mean_of_what_devices_compute() {
    for (adaptive, around_clean) in [(false, false), (false, true), (true, false), (true, true)] {
        let gsam = Gsam::new(ALPHA, ZERO);
        let gsam = if around_clean { gsam.around_clean() } else { gsam };
        let gradient = GsamGradient::new(Waves, Rule::l2(RHO), gsam, ZERO);
        let gradient = if adaptive { gradient.by_magnitude() } else { gradient };
        let mut groups = MicroBatches::new(gradient, 2, ZERO);
        let mut plain = Plain::new(SliceSpace::new(ZERO), Sgd::new(0.05));
        let (mut w, mut g, mut own) = (START, ZERO, START);
        for _ in 0..10 {
            let _ = plain.step(&mut w[..], &mut g[..], &mut groups).unwrap();
            // Groups of 2, 2 and 1 of the 5 samples.
            let mut mean = ZERO;
            for (samples, share) in [(0..2, 0.4), (2..4, 0.4), (4..SAMPLES, 0.2)] {
                mean = mix(1.0, mean, share, of_device(samples, &own, adaptive, around_clean));
            }
            own = mix(1.0, own, -0.05, mean);
            assert_close(&w, &own, 1e-12);
        }
    }
}

#[test]
fn one_group_is_gsam_and_without_alpha_it_is_sam_bit_for_bit() {
    let mut method = Variant::new(
        SliceSpace::new(ZERO),
        Rule::l2(RHO),
        AlongGradient,
        Gsam::new(ALPHA, ZERO),
        Sgd::new(0.05),
    );
    let mut one = GsamGradient::new(Waves, Rule::l2(RHO), Gsam::new(ALPHA, ZERO), ZERO);
    let mut plain = Plain::new(SliceSpace::new(ZERO), Sgd::new(0.05));
    let (mut w, mut v, mut g) = (START, START, ZERO);
    for _ in 0..10 {
        let _ = method.step(&mut w[..], &mut g[..], &mut Waves).unwrap();
        let _ = plain.step(&mut v[..], &mut g[..], &mut one).unwrap();
        assert_eq!(w.map(f64::to_bits), v.map(f64::to_bits));
    }
    let rule = Rule::l2(RHO).adaptive(0.01);
    let mut gsam = MicroBatches::new(GsamGradient::new(Waves, rule, Gsam::new(0.0, ZERO), ZERO), 2, ZERO);
    let mut sam = MicroBatches::new(SamGradient::new(Waves, rule, ZERO), 2, ZERO);
    let (mut g, mut h) = (ZERO, ZERO);
    let a = gsam.gradient_of(0..SAMPLES, &START, &mut g, Pass::Clean).unwrap();
    let b = sam.gradient_of(0..SAMPLES, &START, &mut h, Pass::Clean).unwrap();
    assert_eq!((a.to_bits(), g.map(f64::to_bits)), (b.to_bits(), h.map(f64::to_bits)));
}

/// Sample 3 has no gradient: its group's is passed on and ends the step.
struct Broken(Pass);

impl MiniBatch<f64> for Broken {
    type Error = &'static str;
    fn samples(&self) -> usize {
        SAMPLES
    }
    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        w: &[f64],
        g: &mut [f64],
        pass: Pass,
    ) -> Result<f64, &'static str> {
        let loss = Waves.gradient_of(samples.clone(), w, g, pass)?;
        if samples.contains(&3) && pass == self.0 {
            g[1] = f64::NAN;
        }
        Ok(loss)
    }
}

#[test]
fn a_group_without_a_finite_gradient_ends_the_step() {
    for pass in [Pass::Clean, Pass::Perturbed] {
        let gradient = GsamGradient::new(Broken(pass), Rule::l2(RHO), Gsam::new(ALPHA, ZERO), ZERO);
        let mut groups = MicroBatches::new(gradient, 2, ZERO);
        let mut plain = Plain::new(SliceSpace::new(ZERO), Sgd::new(0.05));
        let (mut w, mut g) = (START, ZERO);
        let step = plain.step(&mut w[..], &mut g[..], &mut groups).unwrap();
        assert!(matches!(step.outcome, Outcome::NonFinite(_)), "{step:?}");
        assert_eq!(w, START);
    }
}

#[test]
fn a_buffer_of_another_length_is_named() {
    let mut short = GsamGradient::new(Waves, Rule::l2(RHO), Gsam::new(ALPHA, ZERO), [0.0; 2]);
    let mut plain = Plain::new(SliceSpace::new(ZERO), Sgd::new(0.05));
    let error = plain.step(&mut { START }[..], &mut { ZERO }[..], &mut short).unwrap_err();
    let StepError::Oracle(BufferedError::Buffer(error), Pass::Clean) = error else { panic!("{error:?}") };
    assert_eq!((error.expected, error.found), (N, 2));
}
