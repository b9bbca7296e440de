//! Three base optimizers and four methods from a string.

use sam_core::formula::DualNorm;
use sam_core::*;

use super::{START, ZERO, slope};

// glue
type Oracle = dyn GradientOracle<[f64], Loss = f64, Error = LengthMismatch>;
type Base = Box<dyn Descent<[f64], Error = LengthMismatch>>;
type Failure = StepError<LengthMismatch, LengthMismatch, LengthMismatch>;
type Any = Box<dyn Method<[f64], [f64], Oracle, Norm = DualNorm, Error = Failure>>;

fn choose(name: &str) -> Option<Any> {
    let (method, base) = name.split_once('+')?;
    let base: Base = match base {
        "sgd" => Box::new(Sgd::new(0.05)),
        "adamw" => Box::new(Adam::adamw(0.05, 0.01, ZERO, ZERO)),
        "lion" => Box::new(Lion::new(0.05, 0.01, ZERO)),
        _ => return None,
    };
    let (space, rule) = (SliceSpace::new(ZERO), Rule::l2(0.05));
    Some(match method {
        "sam" => Box::new(Sam::new(space, rule, base)),
        "asam" => Box::new(Sam::new(space, rule.adaptive(0.01), base)),
        "gsam" => Box::new(Variant::new(space, rule, AlongGradient, Gsam::new(0.4, ZERO), base)),
        "looksam" => Box::new(LookSam::new(space, rule, Reuse::new(5, 0.7, ZERO, ZERO), base)),
        _ => return None,
    })
}
// end of glue

#[test]
fn a_string_chooses_method_and_base_optimizer() {
    for method in ["sam", "asam", "gsam", "looksam"] {
        for base in ["sgd", "adamw", "lion"] {
            let mut chosen = choose(&format!("{method}+{base}")).expect("a known name");
            let (mut w, mut g) = (START, ZERO);
            let mut oracle = FnOracle(|w: &[f64], g: &mut [f64], _: Pass| Ok(slope(w, g)));
            let first = chosen.step(&mut w, &mut g, &mut oracle).unwrap().clean;
            let last = (0..80).map(|_| chosen.step(&mut w, &mut g, &mut oracle).unwrap().clean).last();
            assert!(last.is_some_and(|last| last < 0.2 * first), "{method}+{base}: {first} to {last:?}");
        }
    }
    assert!(choose("sam+nothing").is_none());
}
