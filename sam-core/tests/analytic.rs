//! Five steps of every method against the same mathematics in plain loops, to 1e-12.

#[path = "support/problem.rs"]
mod problem;

use problem::{N, SAMPLES, START, Vector, Waves, assert_close, dot, eps, mix, norm, sharp};
use sam_core::*;

const RHO: f64 = 0.3;
const STEPS: usize = 5;

fn sgd() -> Sgd<f64, Vector> {
    Sgd::new(0.05).with_momentum(0.9, [f64::NAN; N]).with_decay(WeightDecay::Coupled(0.01))
}

fn space() -> SliceSpace<f64, Vector> {
    SliceSpace::new([f64::NAN; N])
}

fn rule() -> Rule<f64> {
    Rule::l2(RHO)
}

/// SGD with momentum 0.9 and coupled decay 0.01, rate 0.05.
struct Reference {
    w: Vector,
    m: Vector,
}

impl Reference {
    fn new() -> Self {
        Self { w: START, m: [0.0; N] }
    }

    fn descend(&mut self, g: Vector) {
        self.m = mix(0.9, self.m, 1.0, mix(1.0, g, 0.01, self.w));
        self.w = mix(1.0, self.w, -0.05, self.m);
    }
}

/// Runs a method, which says whether it worked, beside its reference. `expected` is what the base optimizer
/// descends along, given `w` and the step.
fn agree(
    mut method: impl FnMut(&mut [f64], &mut [f64]) -> bool,
    mut expected: impl FnMut(&Reference, usize) -> Vector,
) {
    let (mut w, mut g) = (START, [f64::NAN; N]);
    let mut reference = Reference::new();
    for step in 0..STEPS {
        assert!(method(&mut w, &mut g), "the step failed");
        let along = expected(&reference, step);
        reference.descend(along);
        assert_close(&w, &reference.w, 1e-12);
    }
    assert!(norm(&mix(1.0, w, -1.0, START)) > 0.1, "the steps went nowhere");
}

#[test]
fn sam() {
    let mut sam = Sam::new(space(), rule(), sgd());
    agree(|w, g| sam.step(w, g, &mut Waves).is_ok(), |r, _| sharp(RHO, r.w));
}

#[test]
fn sam_in_other_norms() {
    // q = 3 for p = 3/2, q = 3/2 for p = 3.
    for (p, q) in [(1.0, f64::INFINITY), (1.5, 3.0), (3.0, 1.5), (f64::INFINITY, 1.0)] {
        let mut sam = Sam::new(space(), Rule::new(RHO, Norm::from_p(p).unwrap()), sgd());
        agree(
            |w, g| sam.step(w, g, &mut Waves).is_ok(),
            |r, _| {
                let g = Waves::grad(&r.w);
                let largest = g.iter().fold(0.0f64, |m, g| m.max(g.abs()));
                let sum: f64 = g.iter().map(|g| g.abs().powf(q)).sum();
                let up: Vector = std::array::from_fn(|i| {
                    r.w[i]
                        + match p {
                            1.0 if g[i].abs() == largest => RHO * g[i].signum(),
                            1.0 => 0.0,
                            f64::INFINITY => RHO * g[i].signum(),
                            _ => RHO * g[i].signum() * g[i].abs().powf(q - 1.0) / sum.powf(1.0 / p),
                        }
                });
                Waves::grad(&up)
            },
        );
    }
}

#[test]
fn asam() {
    let mut sam = Sam::new(space(), rule().adaptive(0.01), sgd());
    agree(
        |w, g| sam.step(w, g, &mut Waves).is_ok(),
        |r, _| {
            let (g, t) = (Waves::grad(&r.w), r.w.map(|w| w.abs() + 0.01));
            let length = (0..N).map(|i| (t[i] * g[i]).powi(2)).sum::<f64>().sqrt();
            Waves::grad(&std::array::from_fn::<_, N, _>(|i| r.w[i] + RHO * t[i] * t[i] * g[i] / length))
        },
    );
}

#[test]
fn gsam() {
    let combination = Gsam::new(0.4, [f64::NAN; N]);
    let mut sam = Variant::new(space(), rule(), AlongGradient, combination, sgd());
    agree(
        |w, g| sam.step(w, g, &mut Waves).is_ok(),
        |r, _| {
            let (g, h) = (Waves::grad(&r.w), sharp(RHO, r.w));
            let orthogonal = mix(1.0, g, -dot(&g, &h) / dot(&h, &h), h);
            mix(1.0, h, -0.4, orthogonal)
        },
    );
}

#[test]
fn wsam() {
    let combination = Wsam::new(0.8, [f64::NAN; N]);
    let mut sam = Variant::new(space(), rule(), AlongGradient, combination, sgd());
    // gamma = 0.8: loss + 4 (perturbed loss - loss).
    agree(
        |w, g| sam.step(w, g, &mut Waves).is_ok(),
        |r, _| mix(4.0, sharp(RHO, r.w), -3.0, Waves::grad(&r.w)),
    );
}

#[test]
fn decoupled_wsam() {
    let combination = DecoupledWsam::new(0.8, [f64::NAN; N]);
    let mut sam = Variant::new(space(), rule(), AlongGradient, combination, sgd());
    let (mut w, mut g, mut reference) = (START, [0.0; N], Reference::new());
    for _ in 0..STEPS {
        let _ = sam.step(&mut w[..], &mut g[..], &mut Waves).unwrap();
        let (clean, h) = (Waves::grad(&reference.w), sharp(RHO, reference.w));
        reference.descend(clean);
        reference.w = mix(1.0, reference.w, -0.05 * 4.0, mix(1.0, h, -1.0, clean));
        assert_close(&w, &reference.w, 1e-12);
    }
}

#[test]
fn friendly_sam() {
    let ascent = Friendly::new(0.7, 0.8, [f64::NAN; N], [f64::NAN; N]);
    let mut sam = Variant::new(space(), rule(), ascent, PerturbedOnly, sgd());
    let mut mean = None;
    agree(
        |w, g| sam.step(w, g, &mut Waves).is_ok(),
        |r, _| {
            let g = Waves::grad(&r.w);
            let direction = mean.map_or(g, |m| mix(1.0, g, -0.7, m));
            mean = Some(mean.map_or(g, |m| mix(0.8, m, 0.2, g)));
            Waves::grad(&mix(1.0, r.w, 1.0, eps(RHO, direction)))
        },
    );
}

#[test]
fn stochastic_weight_perturbation() {
    // The coins are the method's own: read them off the perturbed point, then check everything else.
    let ascent = Stochastic::new(0.6, 7);
    let mut sam = Variant::new(space(), rule(), ascent, PerturbedOnly, sgd());
    let (mut w, mut g, mut reference) = (START, [0.0; N], Reference::new());
    let mut heads = 0;
    for _ in 0..200 {
        let mut up = [0.0; N];
        let _ = sam
            .step_with(&mut w[..], &mut g[..], |w, g, pass| {
                if pass == Pass::Perturbed {
                    up.copy_from_slice(w);
                }
                g.copy_from_slice(&Waves::grad(w));
            })
            .unwrap();
        let e = eps(RHO, Waves::grad(&reference.w));
        for i in 0..N {
            let moved = up[i] - reference.w[i];
            assert!(moved == 0.0 || (moved - e[i] / 0.6).abs() < 1e-12);
            heads += usize::from(moved != 0.0);
        }
        reference.descend(Waves::grad(&up));
        assert_close(&w, &reference.w, 1e-12);
        reference.w = w;
    }
    // 1200 coins: four standard deviations are 68.
    assert!((heads as f64 - 720.0).abs() < 68.0, "{heads} of 1200 weights perturbed, expected about 720");
}

#[test]
fn look_sam() {
    for k in [1, 2, 3] {
        let reuse = Reuse::new(k, 0.6, [f64::NAN; N], [f64::NAN; N]);
        let mut sam = LookSam::new(space(), rule(), reuse, sgd());
        let mut kept = [0.0; N];
        agree(
            |w, g| sam.step(w, g, &mut Waves).is_ok(),
            |r, step| {
                let g = Waves::grad(&r.w);
                if step as u64 % k == 0 {
                    let h = sharp(RHO, r.w);
                    kept = mix(1.0, h, -dot(&h, &g) / dot(&g, &g), g);
                    h
                } else {
                    mix(1.0, g, 0.6 * norm(&g) / norm(&kept), kept)
                }
            },
        );
    }
}

#[test]
fn momentum_sam() {
    let mut sam = MomentumSam::new(space(), rule(), sgd());
    agree(
        |w, g| sam.step(w, g, &mut Waves).is_ok(),
        |r, step| match step {
            0 => Waves::grad(&r.w),
            _ => Waves::grad(&mix(1.0, r.w, -1.0, eps(RHO, r.m))),
        },
    );
}

#[test]
fn random_perturbation() {
    let mut sam = RandomSam::new(space(), rule(), Gaussian::new(3), sgd());
    let (mut w, mut g, mut reference) = (START, [0.0; N], Reference::new());
    let mut directions = Vec::new();
    for _ in 0..2000 {
        let mut up = [0.0; N];
        let _ = sam
            .step_with(&mut w[..], &mut g[..], |w, g, _| {
                up.copy_from_slice(w);
                g.copy_from_slice(&Waves::grad(w));
            })
            .unwrap();
        let e = mix(1.0, up, -1.0, reference.w);
        assert!((norm(&e) - RHO).abs() < 1e-12);
        directions.push(e.map(|e| e / RHO));
        reference.descend(Waves::grad(&up));
        assert_close(&w, &reference.w, 1e-12);
        reference.w = w;
    }
    // Uniform on the sphere: mean 0, second moment 1/N in every coordinate, no correlation.
    let mean = |f: &dyn Fn(&Vector) -> f64| directions.iter().map(f).sum::<f64>() / directions.len() as f64;
    for i in 0..N {
        assert!(mean(&|d| d[i]).abs() < 0.04);
        assert!((mean(&|d| d[i] * d[i]) - 1.0 / N as f64).abs() < 0.025);
        assert!(mean(&|d| d[i] * d[(i + 1) % N]).abs() < 0.025);
    }
}

#[test]
fn projected_inner_steps() {
    for steps in [1, 2, 4] {
        let mut sam = MultiStepSam::new(space(), rule(), steps, 0.2, sgd(), [f64::NAN; N]);
        agree(
            |w, g| sam.step(w, g, &mut Waves).is_ok(),
            |r, _| {
                let mut e = [0.0; N];
                for _ in 0..steps {
                    e = mix(1.0, e, 1.0, eps(0.2, Waves::grad(&mix(1.0, r.w, 1.0, e))));
                    let length = norm(&e);
                    if length > RHO {
                        e = e.map(|e| e * RHO / length);
                    }
                }
                Waves::grad(&mix(1.0, r.w, 1.0, e))
            },
        );
    }
}

#[test]
fn second_order() {
    let buffers = [[f64::NAN; N]; 2];
    let mut sam = SecondOrderSam::new(space(), rule(), sgd(), buffers);
    agree(
        |w, g| sam.step(w, g, &mut Waves).is_ok(),
        |r, _| {
            let (g, h) = (Waves::grad(&r.w), sharp(RHO, r.w));
            let v = mix(RHO / norm(&g), h, -RHO * dot(&g, &h) / norm(&g).powi(3), g);
            mix(1.0, h, 1.0, Waves::hessian(&r.w, &v))
        },
    );
}

#[test]
fn m_sharpness() {
    for m in 1..=SAMPLES {
        let sharp = SamGradient::new(Waves, rule(), [f64::NAN; N]);
        let mut oracle = MicroBatches::new(sharp, m, [f64::NAN; N]);
        let mut plain = Plain::new(space(), sgd());
        agree(
            |w, g| plain.step(w, g, &mut oracle).is_ok(),
            |r, _| {
                let mut mean = [0.0; N];
                for start in (0..SAMPLES).step_by(m) {
                    let group = start..(start + m).min(SAMPLES);
                    let up = mix(1.0, r.w, 1.0, eps(RHO, Waves::gradient(group.clone(), &r.w)));
                    let share = group.len() as f64 / SAMPLES as f64;
                    mean = mix(1.0, mean, share, Waves::gradient(group, &up));
                }
                mean
            },
        );
    }
}

#[test]
fn accumulation_is_the_whole_batch() {
    for size in 1..=SAMPLES {
        let mut oracle = MicroBatches::new(Waves, size, [f64::NAN; N]);
        let mut sam = Sam::new(space(), rule(), sgd());
        agree(|w, g| sam.step(w, g, &mut oracle).is_ok(), |r, _| sharp(RHO, r.w));
    }
}

#[test]
fn accumulated_m_sharpness() {
    let pieces = MicroBatches::new(Waves, 1, [f64::NAN; N]);
    let groups = SamGradient::new(pieces, rule(), [f64::NAN; N]);
    let mut oracle = MicroBatches::new(groups, 3, [f64::NAN; N]);
    let mut plain = Plain::new(space(), sgd());
    agree(
        |w, g| plain.step(w, g, &mut oracle).is_ok(),
        |r, _| {
            let group = |samples: std::ops::Range<usize>| {
                let up = mix(1.0, r.w, 1.0, eps(RHO, Waves::gradient(samples.clone(), &r.w)));
                Waves::gradient(samples, &up)
            };
            mix(0.6, group(0..3), 0.4, group(3..5))
        },
    );
}

#[test]
fn ascent_on_a_fraction_of_the_batch() {
    let part = FnOracle(|w: &[f64], g: &mut [f64], _| {
        g.copy_from_slice(&Waves::gradient(1..3, w));
        Ok(Waves::loss(1..3, w))
    });
    let mut oracle = SplitOracle::new(part, Waves);
    let mut sam = Sam::new(space(), rule(), sgd());
    agree(
        |w, g| sam.step(w, g, &mut oracle).is_ok(),
        |r, _| Waves::grad(&mix(1.0, r.w, 1.0, eps(RHO, Waves::gradient(1..3, &r.w)))),
    );
}

#[test]
fn penalty_inside_the_ascent() {
    let mut oracle = Penalty::new(Waves, 0.2);
    let mut sam = Sam::new(space(), rule(), sgd());
    let penalised = |w: Vector| mix(1.0, Waves::grad(&w), 0.4, w);
    agree(
        |w, g| {
            let before = w.to_vec();
            let step = sam.step(w, g, &mut oracle).unwrap();
            assert!(
                (step.clean - Waves::loss(0..SAMPLES, &before) - 0.2 * dot(&before, &before)).abs() < 1e-12
            );
            true
        },
        |r, _| penalised(mix(1.0, r.w, 1.0, eps(RHO, penalised(r.w)))),
    );
}

#[test]
fn segments_with_a_radius_each() {
    let segments = [
        Segment::new(2).with_radius(0.5),
        Segment::fixed(1),
        Segment::new(3).with_radius(2.0).not_adaptive(),
    ];
    let radius = [0.5, 0.5, 0.0, 2.0, 2.0, 2.0];
    for scope in [Scope::Global, Scope::Segment] {
        let space = SegmentedSpace::new(scope, segments, [f64::NAN; N]);
        let mut sam = Sam::new(space, rule().adaptive(0.01), sgd());
        agree(
            |w, g| sam.step(w, g, &mut Waves).is_ok(),
            |r, _| {
                let g = Waves::grad(&r.w);
                let t = |i: usize| if i < 2 { r.w[i].abs() + 0.01 } else { 1.0 };
                let length =
                    |range: &[usize]| range.iter().map(|i| (t(*i) * g[*i]).powi(2)).sum::<f64>().sqrt();
                let whole = length(&[0, 1, 3, 4, 5]);
                let own = [length(&[0, 1]), 1.0, length(&[3, 4, 5])];
                let up = std::array::from_fn::<_, N, _>(|i| {
                    let length = if scope == Scope::Global { whole } else { own[[0, 0, 1, 2, 2, 2][i]] };
                    r.w[i] + RHO * radius[i] * t(i) * t(i) * g[i] / length
                });
                Waves::grad(&up)
            },
        );
    }
}
