//! What belongs into a configuration is written to it and comes back.

use std::fmt::Debug;

use sam_core::schedule::{Decay, Schedule};
use sam_core::{Norm, Outcome, Pass, Rule, Scope, Segment, WeightDecay};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, expected: &str) {
    let text = serde_json::to_string(value).expect("a value without maps");
    assert_eq!(text, expected);
    assert_eq!(&serde_json::from_str::<T>(&text).expect("what was written"), value, "{text}");
}

#[test]
fn every_kind_of_hyper_parameter_comes_back() {
    comes_back(&Rule::l2(0.05f64), r#"{"rho":0.05,"norm":2.0,"adaptive":null}"#);
    comes_back(&Rule::linf(0.5f32).adaptive(0.25), r#"{"rho":0.5,"norm":null,"adaptive":0.25}"#);
    comes_back(&Norm::from_p(1.1).unwrap(), "1.1");
    comes_back(&Segment::<f64>::new(3).with_radius(0.5), r#"{"len":3,"radius":0.5,"adaptive":true}"#);
    comes_back(&Scope::Global, "\"Global\"");
    comes_back(
        &Schedule::new(0.5f64, Decay::Step { every: 3, factor: 0.25 }).with_warmup(2),
        r#"{"peak":0.5,"warmup":2,"decay":{"Step":{"every":3,"factor":0.25}}}"#,
    );
    comes_back(&WeightDecay::Decoupled(0.5f32), r#"{"Decoupled":0.5}"#);
    comes_back(&Outcome::NonFinite(Pass::Perturbed), r#"{"NonFinite":"Perturbed"}"#);
}

#[test]
fn an_exponent_that_is_no_norm_is_refused_when_it_is_read() {
    assert_eq!(serde_json::from_str::<Norm>("2").unwrap(), Norm::L2);
    for text in ["0.5", "-2", "0", "\"two\"", "{}"] {
        let error = serde_json::from_str::<Norm>(text).unwrap_err().to_string();
        assert!(error.contains('p'), "{text}: {error}");
    }
}
