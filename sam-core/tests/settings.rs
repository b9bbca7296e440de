//! Hyper-parameters that no step can be made with.

use sam_core::{
    Adam, AlongGradient, Clipped, Descent, Friendly, Gaussian, GradientOracle, Gsam, InvalidSetting,
    LengthMismatch, Lion, LookSam, Method, MomentumSam, MultiStepSam, PerturbedOnly, Plain, RandomSam, Reuse,
    RmsProp, Rule, Sam, SecondOrderSam, Sgd, SliceSpace, StepError, Stochastic, Variant, WeightDecay, Wsam,
};

const ZERO: [f64; 2] = [0.0; 2];

fn space() -> SliceSpace<f64, [f64; 2]> {
    SliceSpace::new(ZERO)
}

/// Steps with a setting of `value`; the step must refuse it by `name`, without a look at the gradient, where `refused`.
macro_rules! asks {
    ($name:literal, $value:expr, $refused:expr, $method:expr) => {{
        let (mut method, mut w, mut g, mut asked) = ($method, [3.0, -4.0], ZERO, 0);
        let result = method.step_with(&mut w, &mut g, |w, g, _| {
            asked += 1;
            g.copy_from_slice(w);
        });
        match result {
            Err(StepError::Setting(InvalidSetting { setting, found, .. })) => {
                assert!($refused, "{} = {} was refused", $name, $value);
                assert_eq!((setting, found.to_bits()), ($name, f64::to_bits($value)));
                assert_eq!((w, asked), ([3.0, -4.0], 0), "{}", $name);
            }
            other => assert!(!$refused && other.is_ok(), "{} = {}: {other:?}", $name, $value),
        }
    }};
}

fn with_base<D: Descent<[f64]>>(base: D) -> Sam<SliceSpace<f64, [f64; 2]>, D> {
    Sam::new(space(), Rule::l2(0.05), base)
}

#[test]
fn a_step_refuses_a_setting_out_of_its_range_before_it_asks_for_a_gradient() {
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 0.0, 0.5, 1.0, 1.5] {
        let from_zero = !(x >= 0.0 && x.is_finite());
        let (share, below_one) = (!(0.0..=1.0).contains(&x), !(0.0..1.0).contains(&x));
        asks!("rho", x, from_zero, Sam::new(space(), Rule::l2(x), Sgd::new(0.1)));
        asks!("eta", x, from_zero, Sam::new(space(), Rule::l2(0.1).adaptive(x), Sgd::new(0.1)));
        asks!("lr", x, from_zero, with_base(Sgd::new(x)));
        asks!("momentum", x, share, with_base(Sgd::new(0.1).with_momentum(x, ZERO)));
        asks!("decay", x, from_zero, with_base(Sgd::new(0.1).with_decay(WeightDecay::Decoupled(x))));
        asks!("lr", x, from_zero, with_base(Adam::new(x, ZERO, ZERO)));
        asks!("lr", x, from_zero, with_base(RmsProp::new(x, ZERO, ZERO)));
        asks!("decay", x, from_zero, with_base(Lion::new(0.1, x, ZERO)));
        let unclipped = x.is_nan() || x < 0.0;
        asks!("max_norm", x, unclipped, with_base(Clipped::new(Sgd::new(0.1), x)));
        let (rule, base) = (Rule::l2(0.05), || Sgd::new(0.1));
        asks!("alpha", x, from_zero, Variant::new(space(), rule, AlongGradient, Gsam::new(x, ZERO), base()));
        asks!("gamma", x, below_one, Variant::new(space(), rule, AlongGradient, Wsam::new(x, ZERO), base()));
        let friendly = Friendly::new(x, 0.9, ZERO, ZERO);
        asks!("sigma", x, from_zero, Variant::new(space(), rule, friendly, PerturbedOnly, base()));
        let friendly = Friendly::new(1.0, x, ZERO, ZERO);
        asks!("lambda", x, share, Variant::new(space(), rule, friendly, PerturbedOnly, base()));
        asks!("beta", x, share, Variant::new(space(), rule, Stochastic::new(x, 1), PerturbedOnly, base()));
        asks!("alpha", x, from_zero, LookSam::new(space(), rule, Reuse::new(2, x, ZERO, ZERO), base()));
        asks!("rate", x, from_zero, MultiStepSam::new(space(), rule, 1, x, base(), ZERO));
        asks!("rho", x, from_zero, MomentumSam::new(space(), Rule::l2(x), base().with_momentum(0.9, ZERO)));
    }
}

#[test]
fn the_error_names_the_setting_what_it_may_be_and_what_it_is() {
    let error = Sam::new(space(), Rule::l2(f64::NAN), Sgd::new(0.1)).check_settings().unwrap_err();
    assert_eq!(error.to_string(), "`rho`: expected a finite number from 0 up, found NaN");
}

#[test]
fn a_method_is_refused_where_it_is_made_and_where_it_was_chosen() {
    type Oracle<'a> = dyn GradientOracle<[f64], Loss = f64, Error = LengthMismatch> + 'a;
    macro_rules! refused {
        ($setting:literal, |$x:ident| $method:expr) => {{
            let make = |$x: f64| $method;
            assert!(make(0.5).checked().is_ok());
            assert_eq!(make(f64::NAN).checked().unwrap_err().setting, $setting);
            assert_eq!(make(-0.5).checked().unwrap_err().setting, $setting);
            let made = make(f64::INFINITY);
            let chosen: &dyn Method<[f64], [f64], Oracle<'_>, Norm = _, Error = _> = &made;
            assert_eq!(chosen.check_settings().unwrap_err().setting, $setting);
        }};
    }
    let (rule, sgd) = (Rule::l2(0.05), || Sgd::new(0.1));
    refused!("rho", |x| Sam::new(space(), Rule::l2(x), sgd()));
    refused!("lr", |x| Plain::new(space(), Sgd::new(x)));
    refused!("alpha", |x| Variant::new(space(), rule, AlongGradient, Gsam::new(x, ZERO), sgd()));
    refused!("alpha", |x| LookSam::new(space(), rule, Reuse::new(2, x, ZERO, ZERO), sgd()));
    refused!("rate", |x| MultiStepSam::new(space(), rule, 1, x, sgd(), ZERO));
    refused!("rho", |x| MomentumSam::new(space(), Rule::l2(x), sgd().with_momentum(0.9, ZERO)));
    refused!("rho", |x| RandomSam::new(space(), Rule::l2(x), Gaussian::new(1), sgd()));
    let make = |x: f64| SecondOrderSam::new(space(), Rule::l2(x), sgd(), [ZERO; 2]);
    assert!(make(0.5).checked().is_ok());
    assert_eq!(make(f64::NAN).checked().unwrap_err().setting, "rho");
}
