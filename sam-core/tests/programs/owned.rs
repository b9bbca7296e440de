//! A loop that owns control: gradients arrive one by one, each for the parameters that the one before asked for. The loop knows nothing
//! of steps and lends nothing but the gradient; whatever a step needs between two of them is owned.

use std::error::Error;

use sam_core::formula::DualNorm;
use sam_core::*;

use super::{N, START, Vector, ZERO, slope};

type Space = SliceSpace<f64, Vector>;

/// Methods that begin with a gradient at the parameters.
macro_rules! after_a_gradient {
    ($name:ident, $method:ty) => {
        // glue
        struct $name($method, Vector, Option<Half<f64, DualNorm>>);
        impl $name {
            fn answer(&mut self, g: &mut Vector, loss: f64) -> Result<Vector, Box<dyn Error>> {
                let Self(method, w, half) = self;
                let next = match half.take() {
                    None => method.begin(w, g, loss)?,
                    Some(begun) => method.finish(begun, w, g, loss)?.into(),
                };
                let Next::Gradient(begun) = next else { return Ok(*w) };
                *half = Some(begun);
                Ok(method.perturbed(w).try_into()?)
            }
        }
        // end of glue
    };
}

after_a_gradient!(OwnedSam, Sam<Space, Sgd<f64>>);
after_a_gradient!(OwnedGsam, Variant<Space, AlongGradient, Gsam<f64, Vector>, Sgd<f64>>);
after_a_gradient!(OwnedWsam, Variant<Space, AlongGradient, Wsam<f64, Vector>, Sgd<f64>>);
after_a_gradient!(OwnedFriendly, Variant<Space, Friendly<f64, Vector>, PerturbedOnly, Sgd<f64>>);
after_a_gradient!(OwnedEsam, Variant<Space, Stochastic<f64>, PerturbedOnly, Sgd<f64>>);
after_a_gradient!(OwnedLookSam, LookSam<Space, Sgd<f64>, Vector>);
after_a_gradient!(OwnedMultiStep, MultiStepSam<Space, Sgd<f64>, Vector>);

/// Methods that perturb before they have seen a gradient: the first answer says where to take it.
macro_rules! before_a_gradient {
    ($name:ident, $method:ty, |$owned:ident, $w:ident, $g:ident| $begin:expr) => {
        // glue
        struct $name($method, Vector, Option<Half<(), DualNorm>>);
        impl $name {
            fn answer(&mut self, $g: &mut Vector, loss: f64) -> Result<Vector, Box<dyn Error>> {
                let Self($owned, $w, half) = self;
                if let Some(begun) = half.take() {
                    let _ = $owned.finish(begun, $w, $g, loss)?;
                }
                *half = Some($begin?);
                Ok($owned.perturbed($w).try_into()?)
            }
        }
        // end of glue
    };
}

before_a_gradient!(OwnedMomentum, MomentumSam<Space, Sgd<f64, Vector>>, |sam, w, g| sam.begin(w));
before_a_gradient!(OwnedRandom, RandomSam<Space, Sgd<f64>>, |sam, w, g| sam.begin(w, g));

type SecondOrder = SecondOrderSam<Space, Sgd<f64>, Vector>;
type Failure = Box<dyn Error>;

/// The second-order step, which asks for a product with the Hessian too: the loop writes it where `product` says.
// glue
struct Exact(SecondOrder, Vector, Option<Half<f64, DualNorm>>, Option<ProductHalf<f64, DualNorm>>);
fn answer(Exact(sam, w, half, product): &mut Exact, g: &mut Vector, loss: f64) -> Result<(), Failure> {
    if let Some(begun) = product.take() {
        let _ = sam.finish_product(begun, w, g)?;
    } else if let Some(begun) = half.take() {
        let NextProduct::Product(begun) = sam.finish(begun, w, g, loss)? else { return Ok(()) };
        *product = Some(begun);
    } else {
        let Next::Gradient(begun) = sam.begin(w, g, loss)? else { return Ok(()) };
        *half = Some(begun);
    }
    Ok(())
}
// end of glue

#[test]
fn a_loop_that_owns_control_has_the_bits_of_step_with_for_every_method() {
    /// Asks `owner` to take 20 steps, which `method` takes by `step_with`.
    macro_rules! same {
        ($owner:ident, $method:expr, $answers_to_a_step:expr) => {{
            let mut owner = $owner($method, START, None);
            let (mut method, mut w, mut g) = ($method, START, ZERO);
            for _ in 0..20 {
                let _ = method.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).unwrap();
            }
            // The loop answers until as many steps are done.
            let (mut point, mut steps) = (START, 0);
            let done: fn(&$owner) -> bool = $answers_to_a_step;
            while steps < 20 {
                let loss = slope(&point, &mut g);
                point = owner.answer(&mut g, loss).unwrap();
                steps += usize::from(done(&owner));
            }
            assert_eq!(owner.1.map(f64::to_bits), w.map(f64::to_bits), stringify!($owner));
        }};
    }
    macro_rules! after {
        ($owner:ident, $method:expr) => {
            same!($owner, $method, |owner| owner.2.is_none())
        };
    }
    let (space, rule, sgd) = (|| SliceSpace::new(ZERO), Rule::l2(0.05), || Sgd::new(0.05));
    after!(OwnedSam, Sam::new(space(), rule, sgd()));
    after!(OwnedGsam, Variant::new(space(), rule, AlongGradient, Gsam::new(0.4, ZERO), sgd()));
    after!(OwnedWsam, Variant::new(space(), rule, AlongGradient, Wsam::new(0.8, ZERO), sgd()));
    let friendly = || Friendly::new(1.0, 0.9, ZERO, ZERO);
    after!(OwnedFriendly, Variant::new(space(), rule, friendly(), PerturbedOnly, sgd()));
    after!(OwnedEsam, Variant::new(space(), rule, Stochastic::new(0.6, 1), PerturbedOnly, sgd()));
    after!(OwnedLookSam, LookSam::new(space(), rule, Reuse::new(3, 0.7, ZERO, ZERO), sgd()));
    after!(OwnedMultiStep, MultiStepSam::new(space(), rule, 3, 0.02, sgd(), ZERO));
}

#[test]
fn a_loop_that_owns_control_serves_methods_that_perturb_first() {
    /// The first answer only says where; each one after it ends a step.
    macro_rules! same {
        ($owner:ident, $method:expr) => {{
            let mut owner = $owner($method, START, None);
            let (mut method, mut w, mut g) = ($method, START, ZERO);
            let mut point = owner.answer(&mut g, 0.0).unwrap();
            for _ in 0..20 {
                let _ = method.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).unwrap();
                let loss = slope(&point, &mut g);
                point = owner.answer(&mut g, loss).unwrap();
                assert_eq!(owner.1.map(f64::to_bits), w.map(f64::to_bits), stringify!($owner));
            }
        }};
    }
    let (space, rule) = (|| SliceSpace::new(ZERO), Rule::l2(0.05));
    let momentum = || Sgd::new(0.05).with_momentum(0.9, ZERO);
    same!(OwnedMomentum, MomentumSam::new(space(), rule, momentum()));
    same!(OwnedRandom, RandomSam::new(space(), rule, Gaussian::new(3), Sgd::new(0.05)));
}

/// The paraboloid of [`slope`], whose Hessian is a diagonal.
struct Bowl;

impl GradientOracle<[f64]> for Bowl {
    type Loss = f64;
    type Error = LengthMismatch;
    fn gradient(&mut self, w: &[f64], g: &mut [f64], _: Pass) -> Result<f64, LengthMismatch> {
        Ok(slope(w, g))
    }
}

impl HessianVector<[f64]> for Bowl {
    fn hessian_vector(&mut self, _: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), LengthMismatch> {
        slope(v, out);
        Ok(())
    }
}

#[test]
fn a_loop_that_owns_control_gives_products_with_the_hessian_too() {
    let make = || SecondOrderSam::new(SliceSpace::new(ZERO), Rule::l2(0.05), Sgd::new(0.05), [ZERO; 2]);
    let mut owner = Exact(make(), START, None, None);
    let (mut method, mut w, mut g, mut h) = (make(), START, ZERO, ZERO);
    for _ in 0..20 {
        let _ = method.step(&mut w, &mut g, &mut Bowl).unwrap();
        for _ in ["clean gradient", "perturbed gradient", "product"] {
            let loss = match &mut owner {
                Exact(_, w, None, None) => slope(w, &mut h),
                Exact(exact, w, Some(_), _) => slope(exact.perturbed(w), &mut h),
                Exact(exact, ..) => {
                    let (vector, product) = exact.product();
                    slope(vector, product)
                }
            };
            answer(&mut owner, &mut h, loss).unwrap();
        }
        assert_eq!(owner.1.map(f64::to_bits), w.map(f64::to_bits));
    }
}

/// A step given up leaves the owner where it was.
#[test]
fn an_owner_may_give_a_step_up() {
    let mut owner = OwnedSam(Sam::new(SliceSpace::new(ZERO), Rule::l2(0.05), Sgd::new(0.05)), START, None);
    let mut g = [0.0; N];
    let loss = slope(&START, &mut g);
    let up = owner.answer(&mut g, loss).unwrap();
    assert_ne!(up, START);
    let OwnedSam(sam, w, half) = &mut owner;
    sam.cancel(half.take().expect("a step that was begun"), w).unwrap();
    assert_eq!(*w, START);
}
