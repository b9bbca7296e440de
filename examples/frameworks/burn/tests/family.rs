//! The methods that combine gradients, against `sam-core` on slices.

use burn::module::{Module, Param};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use sam_core::{
    AlongGradient, Friendly, GradientAlgebra, Gsam, LookSam, Reuse, Rule, Sgd, SliceSpace, Variant, Wsam,
};
use sam_on_burn::{Base, BurnSpace};

const START: [f64; 5] = [0.9, -1.3, 2.1, -0.2, 0.7];
const STEPS: usize = 7;

#[derive(Module, Debug)]
struct Net {
    a: Param<Tensor<1>>,
    b: Param<Tensor<2>>,
}

fn net() -> Net {
    let device = Device::default().autodiff();
    let value = START.map(|x| x as f32);
    Net {
        a: Param::from_tensor(Tensor::from_floats([value[0], value[1]], &device)),
        b: Param::from_tensor(Tensor::from_floats([[value[2]], [value[3]], [value[4]]], &device)),
    }
}

fn values(net: &Net) -> Vec<f64> {
    let (a, b) = (net.a.val().into_data(), net.b.val().into_data());
    a.iter::<f64>().chain(b.iter::<f64>()).collect()
}

/// Loss `sum (sin x + x^2 / 4 + x / 5)`.
fn on_burn(w: &Net, g: &mut GradientsParams) {
    let loss = |x: Tensor<1>| (x.clone().sin() + x.clone().square() * 0.25 + x * 0.2).sum();
    let loss = loss(w.a.val()) + loss(w.b.val().flatten(0, 1));
    *g = GradientsParams::from_grads(loss.backward(), w);
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
        let (mut v, mut h) = (net(), GradientsParams::new());
        let $buffer = GradientsParams::new;
        let space = BurnSpace::new(&v).unwrap();
        let base = Base { optimizer: SgdConfig::new().init(), rate: 0.1 };
        let mut method = $method(space, base);
        for _ in 0..STEPS {
            let _ = method.step_with(&mut v, &mut h, |w, g, _| on_burn(w, g)).unwrap();
        }
        for (found, expected) in values(&v).into_iter().zip(w) {
            assert!((found - expected).abs() < 3e-6, "{}: {found} instead of {expected}", $name);
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
    let w = net();
    let gradient = |first: [f32; 2], second: f32| {
        let device = Device::default();
        let mut g = GradientsParams::new();
        g.register(w.a.id, Tensor::<1>::from_floats(first, &device));
        g.register(w.b.id, Tensor::<2>::from_floats([[second]; 3], &device));
        g
    };
    let mut space = BurnSpace::new(&w).unwrap();
    let close = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found:e} instead of {expected:e}");
    };
    let (large, small) = (gradient([1e30, 2e30], 0.0), gradient([3e-30, 0.0], 1e-30));
    // a.b / b.b = 3 / 12.
    close(space.projection(&large, &gradient([3e30, 0.0], 1e30)).unwrap(), 0.25);
    close(space.ratio(&small, &small).unwrap(), 1.0);
    close(space.ratio(&large, &gradient([1e30, 0.0], 0.0)).unwrap(), 5f64.sqrt());
    let zero = gradient([0.0; 2], 0.0);
    assert_eq!((space.projection(&large, &zero).unwrap(), space.ratio(&large, &zero).unwrap()), (0.0, 0.0));
    assert_eq!((space.projection(&zero, &large).unwrap(), space.ratio(&zero, &large).unwrap()), (0.0, 0.0));
}
