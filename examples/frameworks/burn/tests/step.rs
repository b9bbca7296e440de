//! What a step does to a module, to its gradients and to running statistics.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use sam_core::{Outcome, Pass, Rule, Sam, StepError, Unseen};
use sam_on_burn::{Base, BurnSpace, SpaceError};

#[derive(Module, Debug)]
struct Net {
    a: Param<Tensor<1>>,
    b: Param<Tensor<2>>,
}

fn net() -> Net {
    let device = Device::default().autodiff();
    Net {
        a: Param::from_tensor(Tensor::from_floats([1.0, -2.0], &device)),
        b: Param::from_tensor(Tensor::from_floats([[0.5]], &device)),
    }
}

fn values(net: &Net) -> Vec<f32> {
    let a = net.a.val().into_data();
    let b = net.b.val().into_data();
    a.iter::<f32>().chain(b.iter::<f32>()).collect()
}

fn sam<M: Module>(module: &M, rho: f64) -> Sam<BurnSpace<M>, Base> {
    let base = Base { optimizer: SgdConfig::new().init(), rate: 0.01 };
    Sam::new(BurnSpace::new(module).unwrap(), Rule::l2(rho), base)
}

/// Loss `sum x^4 / 4`, gradient `x^3`.
fn quartic(w: &Net, g: &mut GradientsParams) -> Unseen<Tensor<1>> {
    let fourth = |x: Tensor<1>| x.clone() * x.clone() * x.clone() * x;
    let loss = (fourth(w.a.val()).sum() + fourth(w.b.val().flatten(0, 1)).sum()) * 0.25;
    *g = GradientsParams::from_grads(loss.backward(), w);
    Unseen(loss)
}

#[test]
fn a_step_is_the_formula() {
    let (mut w, mut g) = (net(), GradientsParams::new());
    let mut sam = sam(&w, 0.1);
    let mut passes = Vec::new();
    let step = sam
        .step_with(&mut w, &mut g, |w, g, pass| {
            passes.push(pass);
            quartic(w, g)
        })
        .unwrap();
    let start = [1.0f64, -2.0, 0.5];
    let norm = start.iter().map(|x| x.powi(6)).sum::<f64>().sqrt();
    assert!((step.norm.value() - norm).abs() < 1e-6 * norm);
    assert_eq!((step.outcome, passes), (Outcome::Deferred, vec![Pass::Clean, Pass::Perturbed]));
    for (found, x) in values(&w).into_iter().zip(start) {
        let expected = x - 0.01 * (x + 0.1 * x.powi(3) / norm).powi(3);
        assert!((f64::from(found) - expected).abs() < 1e-6, "{found} instead of {expected}");
    }
}

#[test]
fn the_module_comes_back_from_errors_and_bad_gradients() {
    let (mut w, mut g) = (net(), GradientsParams::new());
    let before = values(&w);
    let mut sam = sam(&w, 0.1);
    let error = sam
        .try_step_with(&mut w, &mut g, |w, g, pass| match pass {
            Pass::Clean => Ok(quartic(w, g)),
            _ => Err("no data"),
        })
        .unwrap_err();
    assert!(matches!(error, StepError::Oracle("no data", Pass::Perturbed)));
    assert_eq!(values(&w), before);
    for bad in [Pass::Clean, Pass::Perturbed] {
        let step = sam.step_with(&mut w, &mut g, |w, g, pass| {
            let loss = quartic(w, g);
            if pass == bad {
                g.register(w.b.id, Tensor::<2>::from_floats([[f32::NAN]], &Device::default()));
            }
            loss
        });
        // Only the check waits for the device, so it cannot tell whose gradient it was.
        assert_eq!(step.unwrap().outcome, Outcome::NonFinite(Pass::Perturbed));
        assert_eq!(values(&w), before);
    }
    // The next good step is not held back by the bad ones.
    let step = sam.step_with(&mut w, &mut g, |w, g, _| quartic(w, g)).unwrap();
    assert_eq!(step.outcome, Outcome::Deferred);
    assert_ne!(values(&w), before);
}

#[test]
fn a_missing_gradient_is_zero_and_none_at_all_an_error() {
    let (mut w, mut g) = (net(), GradientsParams::new());
    let mut sam = sam(&w, 0.1);
    let step = sam.step_with(&mut w, &mut g, |w, g, _| {
        let loss = w.a.val().square().sum() * 0.5;
        *g = GradientsParams::from_grads(loss.backward(), w);
        Unseen(loss)
    });
    assert_eq!(step.unwrap().outcome, Outcome::Deferred);
    let expected = 1.0 - 0.01 * (1.0 + 0.1 / 5f32.sqrt());
    assert!((values(&w)[0] - expected).abs() < 1e-6);
    assert_eq!(values(&w)[2], 0.5);
    let error = sam.step_with(&mut w, &mut g, |_, g, _| {
        *g = GradientsParams::new();
    });
    assert!(matches!(error.unwrap_err(), StepError::Space(SpaceError::NoGradient)));
}

/// The trap of many implementations: batch statistics at perturbed weights in the running ones.
#[test]
fn running_statistics_follow_the_clean_pass() {
    let device = Device::default().autodiff();
    let images = Tensor::<2>::from_floats([[1.0, 5.0], [3.0, -2.0], [0.5, 0.25]], &device);
    let statistics = |norm: &BatchNorm| {
        let both = [norm.running_mean.value_sync(), norm.running_var.value_sync()];
        both.map(|tensor| tensor.into_data().iter::<f32>().collect::<Vec<_>>())
    };
    let once: BatchNorm = BatchNormConfig::new(2).init(&device);
    let _ = once.forward(images.clone());

    let mut w: BatchNorm = BatchNormConfig::new(2).init(&device);
    let mut g = GradientsParams::new();
    let mut sam = sam(&w, 0.1);
    let step = sam.step_with(&mut w, &mut g, |w, g, pass| {
        // At perturbed parameters the activations are others.
        let images = if pass == Pass::Clean { images.clone() } else { images.clone() * 1.1 };
        let loss = (w.forward(images) - 1.0).square().sum();
        *g = GradientsParams::from_grads(loss.backward(), w);
    });
    assert!(step.unwrap().outcome.steps());
    assert_eq!(statistics(&w), statistics(&once));
}
