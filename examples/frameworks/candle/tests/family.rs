//! The methods that combine gradients, against `sam-core` on slices.

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use candle_nn::{Optimizer, SGD};
use sam_core::{
    AlongGradient, Friendly, GradientAlgebra, Gsam, LookSam, Reuse, Rule, Sgd, SliceSpace, Variant, Wsam,
};
use sam_on_candle::{Base, CandleSpace};

const START: [f64; 5] = [0.9, -1.3, 2.1, -0.2, 0.7];
const STEPS: usize = 7;

fn variables() -> Vec<Var> {
    let cpu = &Device::Cpu;
    vec![Var::new(&START[..2], cpu).unwrap(), Var::from_slice(&START[2..], (3, 1), cpu).unwrap()]
}

fn values(w: &[Var]) -> Vec<f64> {
    w.iter().flat_map(|w| w.flatten_all().unwrap().to_vec1::<f64>().unwrap()).collect()
}

/// Loss `sum (sin x + x^2 / 4 + x / 5)`.
fn on_candle(w: &[Var], g: &mut GradStore) -> Result<()> {
    let mut loss = Tensor::new(0f64, &Device::Cpu)?;
    for w in w {
        loss = (loss + ((w.sin()? + (w.sqr()? * 0.25)?)? + (w.as_tensor() * 0.2)?)?.sum_all()?)?;
    }
    *g = loss.backward()?;
    Ok(())
}

fn on_slices(w: &[f64], g: &mut [f64]) {
    g.iter_mut().zip(w).for_each(|(g, w)| *g = w.cos() + 0.5 * w + 0.2);
}

/// Steps the same method with buffers of either kind.
macro_rules! compare {
    ($name:literal, $buffer:ident => $method:expr) => {{
        let (mut w, mut g) = (START, [0.0; 5]);
        let $buffer = || [0.0; 5];
        let (space, base) = (SliceSpace::new([0.0; 5]), Sgd::new(0.1));
        let mut method = $method(space, base);
        for _ in 0..STEPS {
            let _ = method.step_with(&mut w[..], &mut g[..], |w, g, _| on_slices(w, g)).unwrap();
        }
        let (mut v, mut h) = (variables(), GradStore::default());
        let $buffer = GradStore::default;
        let (space, base) = (CandleSpace::<f64>::new(&v).unwrap(), Base(SGD::new(v.clone(), 0.1).unwrap()));
        let mut method = $method(space, base);
        for _ in 0..STEPS {
            let _ = method.try_step_with(&mut v[..], &mut h, |w, g, _| on_candle(w, g)).unwrap();
        }
        for (found, expected) in values(&v).into_iter().zip(w) {
            assert!((found - expected).abs() < 1e-13, "{}: {found} instead of {expected}", $name);
        }
    }};
}

#[test]
fn combinations_are_those_on_slices() {
    let rule = Rule::l2(0.3);
    compare!("GSAM", buffer => |space, base| Variant::new(space, rule, AlongGradient, Gsam::new(0.4, buffer()), base));
    compare!("WSAM", buffer => |space, base| Variant::new(space, rule, AlongGradient, Wsam::new(0.8, buffer()), base));
    compare!("Friendly SAM", buffer => |space, base| Variant::new(space, rule, Friendly::new(1.0, 0.9, buffer(), buffer()), Gsam::new(0.2, buffer()), base));
    compare!("LookSAM", buffer => |space, base| LookSam::new(space, rule, Reuse::new(3, 0.7, buffer(), buffer()), base));
}

#[test]
fn quotients_keep_their_range() {
    let w = variables();
    let gradient = |first: [f64; 2], second: f64| {
        let mut g = GradStore::default();
        g.insert(&w[0], Tensor::new(&first, &Device::Cpu).unwrap());
        g.insert(&w[1], Tensor::full(second, (3, 1), &Device::Cpu).unwrap());
        g
    };
    let mut space = CandleSpace::<f64>::new(&w).unwrap();
    let close = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-14, "{found:e} instead of {expected:e}");
    };
    let (large, small) = (gradient([1e200, 2e200], 0.0), gradient([3e-200, 0.0], 1e-200));
    // a.b / b.b = 3 / 12, lengths sqrt(5) and sqrt(12).
    close(space.projection(&large, &gradient([3e200, 0.0], 1e200)).unwrap(), 0.25);
    close(space.ratio(&small, &small).unwrap(), 1.0);
    close(space.ratio(&large, &gradient([1e200, 0.0], 0.0)).unwrap(), 5f64.sqrt());
    let zero = gradient([0.0; 2], 0.0);
    assert_eq!((space.projection(&large, &zero).unwrap(), space.ratio(&large, &zero).unwrap()), (0.0, 0.0));
    assert!(space.projection(&gradient([f64::NAN, 0.0], 1.0), &large).unwrap().is_nan());
}
