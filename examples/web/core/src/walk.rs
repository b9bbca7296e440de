//! A descent on the surface, one step at a time, by any of the core's methods.

use sam_core::ascent::AlongGradient;
use sam_core::combination::PerturbedOnly;
use sam_core::{
    Friendly, Gsam, LookSam, MomentumSam, Norm, Outcome, Pass, Plain, Reuse, Rule, Sam, Sgd, SliceSpace,
    StepError, Variant, Wsam,
};
use trainer::XorShift;

use crate::surface::Surface;

type Pair = [f64; 2];
type Space = SliceSpace<f64, Pair>;
type Base = Sgd<f64, Pair>;

/// The methods to choose from, in the order of the page's menu.
#[derive(Clone, Debug)]
enum Method {
    Sgd(Plain<Space, Base>),
    Sam(Sam<Space, Base>),
    Gsam(Variant<Space, AlongGradient, Gsam<f64, Pair>, Base>),
    Wsam(Variant<Space, AlongGradient, Wsam<f64, Pair>, Base>),
    Friendly(Variant<Space, Friendly<f64, Pair>, PerturbedOnly, Base>),
    LookSam(LookSam<Space, Base, Pair>),
    MomentumSam(MomentumSam<Space, Base>),
}

/// What a walk is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// 0 SGD, 1 SAM, 2 ASAM, 3 GSAM, 4 WSAM, 5 Friendly SAM, 6 LookSAM, 7 momentum SAM.
    pub method: u32,
    /// Learning rate.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// Radius.
    pub rho: f64,
    /// Exponent of the radius's norm, 1 to infinity.
    pub p: f64,
}

/// A descent and where it has got to.
#[derive(Clone, Debug)]
pub struct Walk {
    method: Method,
    noise: XorShift,
    /// Where it is.
    pub at: Pair,
    /// Where it last took a perturbed gradient; where it was, if it took none.
    pub perturbed: Pair,
}

impl Walk {
    /// From `at`; `None` if there is no such method or norm.
    ///
    /// Walks with the same `seed` meet the same noise.
    pub fn new(settings: Settings, at: Pair, seed: u32) -> Option<Self> {
        let Settings { method, lr, momentum, rho, p } = settings;
        let rule = Rule::new(rho, Norm::from_p(p).ok()?);
        let space = || Space::new([0.0; 2]);
        let base = || Sgd::new(lr).with_momentum(momentum, [0.0; 2]);
        let zero = [0.0; 2];
        let method = match method {
            0 => Method::Sgd(Plain::new(space(), base())),
            1 => Method::Sam(Sam::new(space(), rule, base())),
            2 => Method::Sam(Sam::new(space(), rule.adaptive(0.01), base())),
            3 => Method::Gsam(Variant::new(space(), rule, AlongGradient, Gsam::new(0.4, zero), base())),
            4 => Method::Wsam(Variant::new(space(), rule, AlongGradient, Wsam::new(0.9, zero), base())),
            5 => Method::Friendly(Variant::new(
                space(),
                rule,
                Friendly::new(1.0, 0.6, zero, zero),
                PerturbedOnly,
                base(),
            )),
            6 => Method::LookSam(LookSam::new(space(), rule, Reuse::new(5, 0.7, zero, zero), base())),
            7 => Method::MomentumSam(MomentumSam::new(space(), rule, base())),
            _ => return None,
        };
        Some(Self { method, noise: XorShift::new(seed), at, perturbed: at })
    }

    /// One step down `surface`. `noise` is the size of what stands for a mini-batch: the same random slope is
    /// added to every gradient of the step.
    pub fn step(&mut self, surface: &Surface, noise: f64) -> Outcome {
        let Self { method, noise: random, at, perturbed } = self;
        *perturbed = *at;
        let slope = [0; 2].map(|_| noise * f64::from(random.symmetric()));
        let start = *at;
        let gradient = |w: &[f64], g: &mut [f64], _: Pass| {
            let r = [w[0], w[1]];
            if r != start {
                *perturbed = r;
            }
            let clean = surface.gradient(r);
            g.copy_from_slice(&[clean[0] + slope[0], clean[1] + slope[1]]);
            surface.loss(r)
        };
        let (w, mut g) = (&mut at[..], [0.0; 2]);
        let outcome: Result<_, StepError<_, _, _>> = match method {
            Method::Sgd(plain) => plain.step_with(w, &mut g, gradient).map(|step| step.outcome),
            Method::Sam(sam) => sam.step_with(w, &mut g, gradient).map(|step| step.outcome),
            Method::Gsam(sam) => sam.step_with(w, &mut g, gradient).map(|step| step.outcome),
            Method::Wsam(sam) => sam.step_with(w, &mut g, gradient).map(|step| step.outcome),
            Method::Friendly(sam) => sam.step_with(w, &mut g, gradient).map(|step| step.outcome),
            Method::LookSam(sam) => sam.step_with(w, &mut g, gradient).map(|step| step.outcome),
            Method::MomentumSam(sam) => sam.step_with(w, &mut g, gradient).map(|step| step.outcome),
        };
        // Every buffer is two words long, so no step fails.
        outcome.unwrap_or(Outcome::NonFinite(Pass::Clean))
    }
}
