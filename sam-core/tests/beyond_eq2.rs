//! Methods whose perturbation is not of the form of equation 2, against plain loops written from their papers' and authors'
//! formulas.

#[path = "support/problem.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod problem;

use problem::{N, SAMPLES, Vector, Waves};
use sam_core::{
    AlongGradient, Bayesian, ByMagnitude, Gaussian, Gsam, Next, Outcome, Pass, PerturbedOnly,
    PrecisionFromClean, Rule, Sam, SampleLosses, SelectedSamples, Sgd, SliceSpace, State, Step, StepError,
    Stochastic, Values, ValuesMut, Variant, VariationalNewton,
};

const START: Vector = [0.7, -0.4, 0.0, 1.1, -0.9, 0.3];
const STEPS: usize = 12;

fn close(a: &[f64], b: &[f64], what: &str) {
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{what}: {a} instead of {b}");
    }
}

type Bsam = Variant<
    SliceSpace<f64, Vector>,
    Bayesian<f64>,
    PrecisionFromClean<Vector>,
    VariationalNewton<f64, Vector>,
>;

const RHO: f64 = 0.03;
const DATA: f64 = 40.0;

fn bsam(rate: f64) -> Bsam {
    let base =
        VariationalNewton::new(rate, [0.0; N], [0.0; N]).with_decay(0.02).with_damping(0.05).with_start(0.8);
    let rule = Rule::l2(RHO);
    Variant::new(
        SliceSpace::new([0.0; N]),
        rule,
        Bayesian::new(DATA, 5),
        PrecisionFromClean::new([0.0; N]),
        base,
    )
}

#[test]
fn bsam_is_its_authors_loop() {
    let mut method = bsam(0.1);
    let (mut w, mut g) = (START, [0.0; N]);
    let (mut own, mut m, mut s) = (START, [0.0; N], [0.8; N]);
    let mut first_noise = [0.0f64; N];
    Gaussian::new(5).fill(&mut first_noise);
    for step in 0..STEPS {
        let mut seen = Vec::new();
        let _ = method
            .step_with(&mut w, &mut g, |at, g, pass| {
                seen.push((pass, at.to_vec()));
                g.copy_from_slice(&Waves::grad(at));
            })
            .unwrap();
        let [(Pass::Clean, noisy), (Pass::Perturbed, up)] = &seen[..] else { panic!("{seen:?}") };
        let noise: Vector = std::array::from_fn(|i| (noisy[i] - own[i]) * (DATA * s[i]).sqrt());
        if step == 0 {
            close(&noise, &first_noise, "the first step's noise");
        }
        assert!(noise.iter().all(|z| *z != 0.0 && z.abs() < 6.0), "step {step}: {noise:?}");

        let clean = Waves::grad(noisy);
        let there: Vector = std::array::from_fn(|i| own[i] + RHO * clean[i] / s[i]);
        close(up, &there, "where the second gradient is taken");
        let second = Waves::grad(&there);
        for i in 0..N {
            m[i] = 0.9 * m[i] + 0.1 * (second[i] + 0.02 * own[i]);
            own[i] -= 0.1 * m[i] / s[i];
            s[i] = 0.999 * s[i] + 0.001 * ((s[i] * clean[i] * clean[i]).sqrt() + 0.05 + 0.02);
        }
        close(&w, &own, "weights");
    }
    let mut saved = Vec::new();
    method.save(&mut |name, values| {
        if let ("variational.precision", Values::Reals(values)) = (name, values) {
            saved = values.to_vec();
        }
    });
    close(&saved, &s, "precision");
}

/// Everything that a run must remember.
fn saved(method: &impl State<f64>) -> Vec<(String, Vec<f64>, Vec<u64>)> {
    let mut pieces = Vec::new();
    method.save(&mut |name, values| {
        pieces.push(match values {
            Values::Reals(values) => (name.to_owned(), values.to_vec(), vec![]),
            Values::Counts(counts) => (name.to_owned(), vec![], counts.to_vec()),
        });
    });
    pieces
}

#[test]
fn bsam_in_halves_and_resumed_ends_with_the_same_bits() {
    let (mut whole, mut w, mut g) = (bsam(0.1), START, [0.0; N]);
    let (mut halves, mut v, mut h) = (bsam(0.1), START, [0.0; N]);
    for step in 0..STEPS {
        let _ = whole.step_with(&mut w, &mut g, |at, g, _| g.copy_from_slice(&Waves::grad(at))).unwrap();
        if step == STEPS / 2 {
            let mut pieces = saved(&halves).into_iter();
            halves = bsam(0.1);
            halves.load(&mut |name, values| {
                let (of, reals, counts) = pieces.next().unwrap();
                assert_eq!(of, name);
                match values {
                    ValuesMut::Reals(values) => values.copy_from_slice(&reals),
                    ValuesMut::Counts(values) => values.copy_from_slice(&counts),
                }
            });
        }
        halves.scatter(&mut v, &mut h).unwrap();
        h = Waves::grad(halves.perturbed(&v));
        let Next::Gradient(half) = halves.begin(&mut v, &mut h, ()).unwrap() else { panic!("no gradient") };
        h = Waves::grad(halves.perturbed(&v));
        let _ = halves.finish(half, &mut v, &mut h, ()).unwrap();
        assert_eq!(v.map(f64::to_bits), w.map(f64::to_bits), "step {step}");
    }
    assert_eq!(saved(&halves), saved(&whole));
}

#[test]
fn a_gradient_that_is_not_finite_and_a_failure_change_nothing_of_bsam() {
    let (mut method, mut w, mut g) = (bsam(0.1), START, [0.0; N]);
    let _ = method.step_with(&mut w, &mut g, |at, g, _| g.copy_from_slice(&Waves::grad(at))).unwrap();
    let before = (w, saved(&method));
    for bad in [Pass::Clean, Pass::Perturbed] {
        let step = method
            .step_with(&mut w, &mut g, |at, g, pass| {
                g.copy_from_slice(&Waves::grad(at));
                if pass == bad {
                    g[2] = f64::NAN;
                }
            })
            .unwrap();
        assert_eq!(step.outcome, Outcome::NonFinite(bad));
        assert_eq!((w, saved(&method)), before);
        let failed = method.try_step_with(&mut w, &mut g, |at, g, pass| {
            g.copy_from_slice(&Waves::grad(at));
            if pass == bad { Err("broken") } else { Ok(()) }
        });
        assert!(matches!(failed, Err(StepError::Oracle("broken", pass)) if pass == bad));
        assert_eq!((w, saved(&method)), before);
    }
}

#[test]
fn a_rate_of_zero_leaves_the_weights_of_bsam_bit_identical() {
    let (mut method, mut w, mut g) = (bsam(0.0), START, [0.0; N]);
    w[2] = -0.0;
    let before = w.map(f64::to_bits);
    let _ = method.step_with(&mut w, &mut g, |at, g, _| g.copy_from_slice(&Waves::grad(at))).unwrap();
    assert_eq!(w.map(f64::to_bits), before);
}

#[test]
fn a_precision_that_could_reach_zero_is_refused() {
    for base in [
        VariationalNewton::new(0.1, [0.0; N], [0.0; N]).with_damping(0.0),
        VariationalNewton::new(0.1, [0.0; N], [0.0; N]).with_start(0.0),
        VariationalNewton::new(0.1, [0.0; N], [0.0; N]).with_decay(f64::NAN),
    ] {
        let mut method = bsam(0.1);
        method.base = base;
        let mut w = START;
        let refused = method.step_with(&mut w, &mut [0.0; N], |_, _, _| ());
        assert!(matches!(refused, Err(StepError::Setting(_))), "{refused:?}");
        assert_eq!(w, START);
    }
}

#[test]
fn perturbations_by_magnitude_are_big_visions() {
    for around_clean in [false, true] {
        let alpha = 0.4;
        let gsam = Gsam::new(alpha, [0.0; N]);
        let gsam = if around_clean { gsam.around_clean() } else { gsam };
        let mut method =
            Variant::new(SliceSpace::new([0.0; N]), Rule::l2(0.2), ByMagnitude, gsam, Sgd::new(0.05));
        let (mut w, mut g, mut own) = (START, [0.0; N], START);
        for _ in 0..STEPS {
            let _ = method.step_with(&mut w, &mut g, |at, g, _| g.copy_from_slice(&Waves::grad(at))).unwrap();

            let dot = |a: &Vector, b: &Vector| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let clean = Waves::grad(&own);
            let norm = dot(&clean, &clean).sqrt();
            let up: Vector = std::array::from_fn(|i| own[i] + own[i].abs() * 0.2 * clean[i] / norm);
            let robust = Waves::grad(&up);
            let (kept, other, sign) = if around_clean { (clean, robust, 1.0) } else { (robust, clean, -1.0) };
            let along = dot(&kept, &other) / dot(&kept, &kept);
            for i in 0..N {
                own[i] -= 0.05 * (kept[i] + sign * alpha * (other[i] - along * kept[i]));
            }
            close(&w, &own, "weights");
        }
    }
}

#[test]
fn gsam_around_the_clean_gradient_without_weight_is_the_base_optimizer() {
    let gsam = Gsam::new(0.0, [0.0; N]).around_clean();
    let mut method =
        Variant::new(SliceSpace::new([0.0; N]), Rule::l2(0.2), AlongGradient, gsam, Sgd::new(0.05));
    let (mut w, mut g, mut own) = (START, [0.0; N], START);
    for _ in 0..STEPS {
        let _ = method.step_with(&mut w, &mut g, |at, g, _| g.copy_from_slice(&Waves::grad(at))).unwrap();
        let clean = Waves::grad(&own);
        own.iter_mut().zip(clean).for_each(|(w, g)| *w -= 0.05 * g);
        close(&w, &own, "weights");
    }
}

impl SampleLosses<f64> for Waves {
    type Error = ();

    fn samples(&self) -> usize {
        SAMPLES
    }

    fn losses(&mut self, w: &[f64], losses: &mut [f64], _: Pass) -> Result<(), ()> {
        losses.iter_mut().enumerate().for_each(|(s, loss)| *loss = Waves::loss(s..s + 1, w));
        Ok(())
    }

    fn gradient_of_chosen(&mut self, chosen: &[usize], w: &[f64], g: &mut [f64], _: Pass) -> Result<f64, ()> {
        g.fill(0.0);
        let mut loss = 0.0;
        for s in chosen {
            let of = Waves::gradient(*s..*s + 1, w);
            g.iter_mut().zip(of).for_each(|(g, of)| *g += of / chosen.len() as f64);
            loss += Waves::loss(*s..*s + 1, w) / chosen.len() as f64;
        }
        Ok(loss)
    }
}

#[test]
fn data_selection_takes_the_samples_whose_loss_grows_most() {
    for (gamma, wanted) in [(0.0, 1), (0.4, 2), (0.6, 3), (0.99, 4), (1.0, SAMPLES)] {
        let mut sam = Sam::new(SliceSpace::new([0.0; N]), Rule::l2(0.3), Sgd::new(0.05));
        let mut oracle = SelectedSamples::new(Waves, gamma, [0.0; SAMPLES], [0.0; SAMPLES], [0; SAMPLES]);
        oracle.check_settings().unwrap();
        let (mut w, mut g, mut own) = (START, [0.0; N], START);
        for _ in 0..STEPS {
            let before = own;
            let Step { clean, perturbed, .. } = sam.step(&mut w[..], &mut g[..], &mut oracle).unwrap();

            let all = Waves::grad(&own);
            let norm = all.iter().map(|g| g * g).sum::<f64>().sqrt();
            let up: Vector = std::array::from_fn(|i| own[i] + 0.3 * all[i] / norm);
            let growth = |s: &usize| Waves::loss(*s..*s + 1, &up) - Waves::loss(*s..*s + 1, &own);
            let mut order: Vec<usize> = (0..SAMPLES).collect();
            order.sort_by(|a, b| growth(b).total_cmp(&growth(a)));
            order.truncate(wanted);
            let mut second = [0.0; N];
            for s in &order {
                let of = Waves::gradient(*s..*s + 1, &up);
                second.iter_mut().zip(of).for_each(|(g, of)| *g += of / wanted as f64);
            }
            own.iter_mut().zip(second).for_each(|(w, g)| *w -= 0.05 * g);
            close(&w, &own, "weights");
            let mean = |w: &Vector| Waves::loss(0..SAMPLES, w);
            close(&[clean], &[mean(&before)], "clean loss");
            let worst = order.iter().map(|s| Waves::loss(*s..*s + 1, &up)).sum::<f64>() / wanted as f64;
            close(&[perturbed.unwrap()], &[worst], "perturbed loss");
        }
    }
}

#[test]
fn esam_with_everything_kept_is_sam() {
    let ascent = Stochastic::new(1.0, 3);
    let mut esam =
        Variant::new(SliceSpace::new([0.0; N]), Rule::l2(0.3), ascent, PerturbedOnly, Sgd::new(0.05));
    let mut sam = Sam::new(SliceSpace::new([0.0; N]), Rule::l2(0.3), Sgd::new(0.05));
    let mut selected = SelectedSamples::new(Waves, 1.0, [0.0; SAMPLES], [0.0; SAMPLES], [0; SAMPLES]);
    let (mut w, mut v, mut g) = (START, START, [0.0; N]);
    for _ in 0..STEPS {
        let _ = esam.step(&mut w[..], &mut g[..], &mut selected).unwrap();
        let _ = sam
            .step_with(&mut v, &mut g, |at, g, _| {
                // The same sum over samples, in the same order.
                let mut whole = Waves;
                whole.gradient_of_chosen(&[0, 1, 2, 3, 4], at, g, Pass::Clean).unwrap();
            })
            .unwrap();
        assert_eq!(w.map(f64::to_bits), v.map(f64::to_bits));
    }
}

#[test]
fn a_sample_whose_loss_is_not_finite_is_chosen_and_ends_the_step() {
    /// Sample 3 explodes away from the start.
    struct Exploding;
    impl SampleLosses<f64> for Exploding {
        type Error = ();
        fn samples(&self) -> usize {
            SAMPLES
        }
        fn losses(&mut self, w: &[f64], losses: &mut [f64], pass: Pass) -> Result<(), ()> {
            Waves.losses(w, losses, pass)?;
            if pass == Pass::Perturbed {
                losses[3] = f64::NAN;
            }
            Ok(())
        }
        fn gradient_of_chosen(
            &mut self,
            chosen: &[usize],
            w: &[f64],
            g: &mut [f64],
            pass: Pass,
        ) -> Result<f64, ()> {
            let loss = Waves.gradient_of_chosen(chosen, w, g, pass)?;
            Ok(if pass == Pass::Perturbed && chosen.contains(&3) { f64::NAN } else { loss })
        }
    }
    let mut sam = Sam::new(SliceSpace::new([0.0; N]), Rule::l2(0.3), Sgd::new(0.05));
    let mut oracle = SelectedSamples::new(Exploding, 0.2, [0.0; SAMPLES], [0.0; SAMPLES], [0; SAMPLES]);
    let (mut w, mut g) = (START, [0.0; N]);
    let step = sam.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
    assert_eq!(step.outcome, Outcome::NonFinite(Pass::Perturbed));
    assert_eq!(w, START);
}

#[test]
fn a_buffer_for_samples_of_another_length_is_named() {
    let mut sam = Sam::new(SliceSpace::new([0.0; N]), Rule::l2(0.3), Sgd::new(0.05));
    let mut oracle = SelectedSamples::new(Waves, 0.5, [0.0; 4], [0.0; 4], [0; 4]);
    let error = sam.step(&mut { START }[..], &mut [0.0; N][..], &mut oracle).unwrap_err();
    let StepError::Oracle(sam_core::BufferedError::Buffer(error), Pass::Clean) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        error.to_string(),
        "the buffer for samples has 4 entries, the samples have 5: lend a buffer as long as the samples"
    );
}
