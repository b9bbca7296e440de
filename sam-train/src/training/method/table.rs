//! Every method in one row: its settings with default, range and help, its names, its source, and what a step costs.
//!
//! Names, flags and their help, `config.toml`, checks, memory estimates and the tables of experiments read these rows.
//! docs/how-to-add-a-method.md says what else a method needs.

use sam_core::{Norm, Rule};

use super::Columns;
use crate::training::{
    choice::{Exponent, Natural, Number, choices},
    norm_exponent::NormExponent,
    range::Range,
};

/// What SAM's paper recommends without tuning (appendix C.3).
pub(super) const RHO: f64 = 0.05;
const RADIUS: &str = "radius of the neighbourhood, in units of the weights; SAM's paper tries 0.01 to 0.5";
const ETA: &str = "what is added to each weight's size";

choices! {
    /// A training method with its hyper-parameters. `sam-core` has the formulas and their sources.
    Method, "optimizer", Columns;

    SGD: Sgd = {
        name: "sgd",
        title: "SGD",
        summary: "the gradient at the weights",
        source: "Robbins and Monro, 1951",
        rule: Rule::l2(0.0),
        gradients: 1.0,
        buffers: 0,
        by_tensor: false,
    }

    SAM: Sam {
        rho: Number = RHO, Range::FromZero, RADIUS;
        norm: Exponent = NormExponent(Norm::L2), Range::Exponent, "the norm the radius is measured in, 2, inf, 1, or any p between";
    } = {
        name: "sam",
        title: "SAM",
        summary: "the gradient at the sharpest point nearby",
        source: "Foret et al., ICLR 2021",
        rule: Rule::new(rho as f32, norm.0),
        gradients: 2.0,
        buffers: 1,
        by_tensor: true,
    }

    // Its radius is relative to the weights, and larger where biases and norms scale too.
    ASAM: Asam {
        rho: Number = 2.0, Range::FromZero, "radius, relative to the weights";
        eta: Number = 0.01, Range::FromZero, ETA;
    } = {
        name: "asam",
        title: "ASAM, all tensors",
        summary: "SAM in a neighbourhood that scales with the weights, biases and norms too",
        source: "after Kwon et al., ICML 2021",
        rule: Rule::l2(rho as f32).adaptive(eta as f32),
        gradients: 2.0,
        buffers: 1,
        by_tensor: true,
    }

    // As published: its authors' code leaves biases and normalisation as they are in SAM.
    ASAM_WEIGHTS: AsamWeights {
        rho: Number = 10.0 * RHO, Range::FromZero, "radius, relative to weights but not to biases and norms";
        eta: Number = 0.01, Range::FromZero, ETA;
    } = {
        name: "asam-weights",
        title: "ASAM",
        summary: "SAM in a neighbourhood that scales with the weights, but not with biases and norms",
        source: "Kwon et al., ICML 2021",
        rule: Rule::l2(rho as f32).adaptive(eta as f32),
        gradients: 2.0,
        buffers: 1,
        by_tensor: true,
    }

    RANDOM_SAM: RandomSam {
        rho: Number = RHO, Range::FromZero, RADIUS;
    } = {
        name: "random-sam",
        title: "random perturbation",
        summary: "the gradient at a random point of the sphere",
        source: "SAM's appendix C.5",
        rule: Rule::l2(rho as f32),
        gradients: 1.0,
        buffers: 1,
        by_tensor: true,
    }

    // The fewest steps that are more than SAM's.
    MULTI_STEP_SAM: MultiStepSam {
        rho: Number = RHO, Range::FromZero, RADIUS;
        steps: Natural = 2, Range::COUNT, "ascent steps";
    } = {
        name: "multi-step-sam",
        title: "SAM, {steps} ascent steps",
        summary: "SAM with several projected ascent steps of the radius' length",
        source: "SAM's appendix C.6",
        rule: Rule::l2(rho as f32),
        gradients: 1.0 + steps as f64,
        buffers: 2,
        by_tensor: false,
    }

    // A product with the Hessian counts as three gradients: each multiplication of one becomes three.
    SECOND_ORDER_SAM: SecondOrderSam {
        rho: Number = RHO, Range::FromZero, RADIUS;
    } = {
        name: "second-order-sam",
        title: "SAM, second order",
        summary: "SAM with the term of second order",
        source: "SAM's appendix C.4",
        rule: Rule::l2(rho as f32),
        gradients: 5.0,
        buffers: 3,
        by_tensor: false,
    }

    // A quarter of the smallest default batch in a group.
    M_SHARPNESS: MSharpness {
        rho: Number = RHO, Range::FromZero, RADIUS;
        m: Natural = 16, Range::COUNT, "images that share a perturbation";
    } = {
        name: "m-sharpness",
        title: "SAM, m = {m}",
        summary: "the mean of the SAM gradients of groups of m images",
        source: "SAM's section 4.1",
        rule: Rule::l2(rho as f32),
        gradients: 2.0,
        buffers: 2,
        by_tensor: false,
    }

    GSAM: Gsam {
        rho: Number = RHO, Range::FromZero, RADIUS;
        alpha: Number = 0.3, Range::FromZero, "weight of the surrogate gap";
    } = {
        name: "gsam",
        title: "GSAM",
        summary: "SAM that also closes the surrogate gap",
        source: "Zhuang et al., ICLR 2022",
        rule: Rule::l2(rho as f32),
        gradients: 2.0,
        buffers: 2,
        by_tensor: true,
    }

    LOOK_SAM: LookSam {
        rho: Number = RHO, Range::FromZero, RADIUS;
        k: Natural = 5, Range::COUNT, "steps from one SAM step to the next";
        alpha: Number = 0.7, Range::FromZero, "share of the gradient's length that the reused part gets";
    } = {
        name: "look-sam",
        title: "LookSAM",
        summary: "a SAM step every k steps, reused in between",
        source: "Liu et al., CVPR 2022",
        rule: Rule::l2(rho as f32),
        gradients: 1.0 + 1.0 / k.max(1) as f64,
        buffers: 3,
        by_tensor: true,
    }

    WSAM: Wsam {
        rho: Number = RHO, Range::FromZero, RADIUS;
        gamma: Number = 0.9, Range::BelowOne, "weight of sharpness, below 1; 0.5 is SAM";
    } = {
        name: "wsam",
        title: "WSAM",
        summary: "SAM with sharpness weighted, coupled",
        source: "Yue et al., KDD 2023",
        rule: Rule::l2(rho as f32),
        gradients: 2.0,
        buffers: 2,
        by_tensor: true,
    }

    FRIENDLY_SAM: FriendlySam {
        rho: Number = RHO, Range::FromZero, RADIUS;
        sigma: Number = 1.0, Range::FromZero, "share of the mean gradient that is taken out of the ascent";
        lambda: Number = 0.9, Range::BelowOne, "share of that mean that stays from step to step";
    } = {
        name: "friendly-sam",
        title: "Friendly SAM",
        summary: "SAM that ascends along the batch's own part of the gradient",
        source: "Li et al., CVPR 2024",
        rule: Rule::l2(rho as f32),
        gradients: 2.0,
        buffers: 3,
        by_tensor: true,
    }

    // Its paper uses larger radii, because the momentum is a poorer direction.
    MOMENTUM_SAM: MomentumSam {
        rho: Number = RHO, Range::FromZero, RADIUS;
    } = {
        name: "momentum-sam",
        title: "Momentum SAM",
        summary: "the gradient at a point along the momentum",
        source: "Becker et al., 2024",
        rule: Rule::l2(rho as f32),
        gradients: 1.0,
        buffers: 1,
        by_tensor: true,
    }

    ESAM: Esam {
        rho: Number = RHO, Range::FromZero, RADIUS;
        beta: Number = 0.6, Range::Share, "share of the weights that are perturbed";
    } = {
        name: "esam",
        title: "ESAM (weights only)",
        summary: "SAM of a random share of the weights, one half of ESAM",
        source: "Du et al., ICLR 2022",
        rule: Rule::l2(rho as f32),
        gradients: 2.0,
        buffers: 1,
        by_tensor: true,
    }

    // The paper's choice for CIFAR; it tries 1, 8, 16 and 32.
    MIXUP: Mixup {
        alpha: Number = 1.0, Range::AboveZero, "both parameters of the Beta distribution of shares";
    } = {
        name: "mixup",
        title: "mixup",
        summary: "the gradient on images mixed in pairs",
        source: "Zhang et al., ICLR 2018",
        rule: Rule::l2(0.0),
        gradients: 2.0,
        buffers: 1,
        by_tensor: false,
    }
}
