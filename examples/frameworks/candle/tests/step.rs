//! What a step does to variables, gradients and running statistics.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{ModuleT, Optimizer, SGD, VarBuilder, VarMap, batch_norm};
use sam_core::{FnOracle, GradientOracle, Outcome, Pass, Rule, Sam, StepError};
use sam_on_candle::{Base, CandleSpace, KeepStatistics, parameters, running_statistics};

fn values(vars: &[Var]) -> Vec<u64> {
    let values = |var: &Var| var.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    vars.iter().flat_map(values).map(f64::to_bits).collect()
}

fn variables() -> Vec<Var> {
    let cpu = &Device::Cpu;
    vec![Var::new(&[1.0f64, -2.0], cpu).unwrap(), Var::new(&[[0.5f64]], cpu).unwrap()]
}

fn sam(vars: &[Var], rho: f64) -> Sam<CandleSpace<f64>, Base<SGD>> {
    let base = Base(SGD::new(vars.to_vec(), 0.01).unwrap());
    Sam::new(CandleSpace::new(vars).unwrap(), Rule::l2(rho), base)
}

/// Loss `sum x^4 / 4`, gradient `x^3`.
fn quartic(w: &[Var], g: &mut GradStore) -> Result<f64> {
    let mut loss = Tensor::zeros((), DType::F64, &Device::Cpu)?;
    for w in w {
        loss = (loss + (w.powf(4.0)?.sum_all()? * 0.25)?)?;
    }
    *g = loss.backward()?;
    loss.to_scalar()
}

#[test]
fn a_step_is_the_formula() {
    let mut w = variables();
    let mut sam = sam(&w, 0.1);
    let mut passes = Vec::new();
    let step = sam
        .try_step_with(&mut w[..], &mut GradStore::default(), |w, g, pass| {
            passes.push(pass);
            quartic(w, g)
        })
        .unwrap();
    let start = [1.0f64, -2.0, 0.5];
    let norm = start.iter().map(|x| x.powi(6)).sum::<f64>().sqrt();
    assert!((step.norm.value() - norm).abs() < 1e-14 * norm);
    assert_eq!((step.outcome, passes), (Outcome::Descended, vec![Pass::Clean, Pass::Perturbed]));
    let found = values(&w).into_iter().map(f64::from_bits);
    for (found, x) in found.zip(start) {
        let expected = x - 0.01 * (x + 0.1 * x.powi(3) / norm).powi(3);
        assert!((found - expected).abs() < 1e-14, "{found} instead of {expected}");
    }
}

#[test]
fn variables_come_back_from_errors_and_bad_gradients() {
    let mut w = variables();
    let before = values(&w);
    let mut sam = sam(&w, 0.1);
    let fails = |w: &[Var], g: &mut GradStore, pass| match pass {
        Pass::Clean => quartic(w, g),
        _ => candle_core::bail!("no data"),
    };
    let error = sam.try_step_with(&mut w[..], &mut GradStore::default(), fails).unwrap_err();
    assert!(matches!(error, StepError::Oracle(_, Pass::Perturbed)));
    assert_eq!(values(&w), before);
    for bad in [Pass::Clean, Pass::Perturbed] {
        let step = sam.try_step_with(&mut w[..], &mut GradStore::default(), |w, g, pass| {
            let loss = quartic(w, g)?;
            if pass == bad {
                g.insert(&w[1], Tensor::new(&[[f64::NAN]], &Device::Cpu)?);
            }
            Ok::<_, candle_core::Error>(loss)
        });
        assert_eq!(step.unwrap().outcome, Outcome::NonFinite(bad));
        assert_eq!(values(&w), before);
    }
}

/// A variable may take part in one pass and not in the other, as in a network with random depth.
#[test]
fn a_missing_gradient_is_zero() {
    for without in [Pass::Clean, Pass::Perturbed] {
        let mut w = variables();
        let mut sam = sam(&w, 0.1);
        let _ = sam
            .try_step_with(&mut w[..], &mut GradStore::default(), |w, g, pass| {
                quartic(if pass == without { &w[..1] } else { w }, g)
            })
            .unwrap();
        let norm = match without {
            Pass::Clean => 65f64.sqrt(),
            _ => (65.0 + 0.5f64.powi(6)).sqrt(),
        };
        let expected = 1.0 - 0.01 * (1.0 + 0.1 / norm).powi(3);
        assert!((f64::from_bits(values(&w)[0]) - expected).abs() < 1e-14);
        let last = f64::from_bits(values(&w)[2]);
        match without {
            // Not perturbed, so the second gradient is the one at 0.5 itself.
            Pass::Clean => assert!((last - (0.5 - 0.01 * 0.125)).abs() < 1e-15),
            _ => assert_eq!(last, 0.5),
        }
    }
}

#[test]
fn what_cannot_be_perturbed_is_refused() {
    let half = Var::zeros(3, DType::BF16, &Device::Cpu).unwrap();
    let error = CandleSpace::<f32>::new(&[half]).unwrap_err().to_string();
    assert!(error.contains("expected parameters of type F32, found BF16"), "{error}");
    let error = CandleSpace::<f64>::new(&[Var::zeros(3, DType::F32, &Device::Cpu).unwrap()]).unwrap_err();
    assert!(error.to_string().contains("make a CandleSpace of the parameters' type"), "{error}");
    // An integer variable has no gradient.
    let counter = Var::zeros(3, DType::I64, &Device::Cpu).unwrap();
    assert!(CandleSpace::<f32>::new(&[counter]).is_ok());
    let mut w = variables();
    let mut sam = sam(&w[..1], 0.1);
    let error =
        sam.try_step_with(&mut w[..], &mut GradStore::default(), |w, g, _| quartic(w, g)).unwrap_err();
    assert!(error.to_string().contains("expected 1 variables"), "{error}");
}

/// The trap of many implementations: batch statistics at perturbed weights in the running ones.
#[test]
fn running_statistics_follow_the_clean_pass() {
    let run = |passes: &[Pass], keep: bool| {
        let map = VarMap::new();
        let norm = batch_norm(2, 1e-5, VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu)).unwrap();
        let images = Tensor::new(&[[1.0f64, 5.0], [3.0, -2.0], [0.5, 0.25]], &Device::Cpu).unwrap();
        let statistics = running_statistics(&map);
        assert_eq!((statistics.len(), parameters(&map).len()), (2, 2));
        let inner = FnOracle(|_: &[Var], g: &mut GradStore, pass| {
            // At perturbed parameters the activations are others.
            let images = if pass == Pass::Clean { images.clone() } else { (&images * 1.1)? };
            let loss = norm.forward_t(&images, true)?.sqr()?.sum_all()?;
            *g = loss.backward()?;
            Ok(())
        });
        let kept = if keep { statistics.clone() } else { Vec::new() };
        let mut oracle = KeepStatistics { inner, statistics: kept };
        for pass in passes {
            oracle.gradient(&parameters(&map), &mut GradStore::default(), *pass).unwrap();
        }
        values(&statistics)
    };
    let clean = run(&[Pass::Clean], false);
    assert_eq!(run(&[Pass::Clean, Pass::Perturbed], true), clean);
    assert_ne!(run(&[Pass::Clean, Pass::Perturbed], false), clean);
}

/// Master weights of `f32`, a model of `f16`, a loss scale: it cancels out of the perturbation, the oracle divides it
/// out of the gradients, and an overflow changes nothing.
#[test]
fn half_precision_around_full_precision_weights() {
    let start = [1f32, -2.0, 0.5];
    let run = |scale: f64| {
        let mut w = vec![Var::new(&start, &Device::Cpu).unwrap()];
        let base = Base(SGD::new(w.clone(), 0.01).unwrap());
        let mut sam = Sam::new(CandleSpace::<f32>::new(&w).unwrap(), Rule::l2(0.1), base);
        let step = sam
            .try_step_with(&mut w[..], &mut GradStore::default(), |w, g, _| {
                let half = w[0].to_dtype(DType::F16)?;
                *g = (half.powf(4.0)?.sum_all()? * (0.25 * scale))?.backward()?;
                let gradient = g.get(&w[0]).expect("the loss depends on it").affine(1.0 / scale, 0.0)?;
                assert_eq!(gradient.dtype(), DType::F32);
                g.insert(&w[0], gradient);
                Ok::<_, candle_core::Error>(())
            })
            .unwrap();
        (step.outcome, w[0].to_vec1::<f32>().unwrap())
    };
    let (outcome, found) = run(64.0);
    assert_eq!(outcome, Outcome::Descended);
    let norm = start.iter().map(|x| x.powi(6)).sum::<f32>().sqrt();
    for (found, x) in found.into_iter().zip(start) {
        let expected = x - 0.01 * (x + 0.1 * x.powi(3) / norm).powi(3);
        assert!((found - expected).abs() < 1e-3 * expected.abs(), "{found} instead of {expected}");
    }
    // 65504 is the largest number of f16.
    assert_eq!(run(65536.0), (Outcome::NonFinite(Pass::Clean), start.to_vec()));
}

#[test]
fn a_variable_outside_of_the_space_is_trained_but_not_perturbed() {
    let all = variables();
    let base = Base(SGD::new(all.clone(), 0.01).unwrap());
    let mut sam = Sam::new(CandleSpace::new(&all[..1]).unwrap(), Rule::l2(0.1), base);
    let mut w = all[..1].to_vec();
    let step = sam.try_step_with(&mut w[..], &mut GradStore::default(), |_, g, _| quartic(&all, g)).unwrap();
    assert!((step.norm.value() - 65f64.sqrt()).abs() < 1e-14);
    let found: Vec<f64> = values(&all).into_iter().map(f64::from_bits).collect();
    assert!((found[0] - (1.0 - 0.01 * (1.0 + 0.1 / 65f64.sqrt()).powi(3))).abs() < 1e-14);
    assert!((found[2] - (0.5 - 0.01 * 0.125)).abs() < 1e-15);
}
