//! Methods and base optimizers that are chosen at run time, by name.

use sam_core::formula::DualNorm;
use sam_core::*;

const N: usize = 4;

type Buffer = [f64; N];
type Oracle = dyn GradientOracle<[f64], Loss = f64, Error = LengthMismatch>;
type Error = StepError<LengthMismatch, LengthMismatch, LengthMismatch>;

trait AnyBase: Descent<[f64], Error = LengthMismatch> + LearningRate<f64> + State<f64> {}
impl<D: Descent<[f64], Error = LengthMismatch> + LearningRate<f64> + State<f64>> AnyBase for D {}

trait AnyMethod:
    Method<[f64], [f64], Oracle, Norm = DualNorm, Error = Error> + LearningRate<f64> + State<f64>
{
}
impl<M> AnyMethod for M where
    M: Method<[f64], [f64], Oracle, Norm = DualNorm, Error = Error> + LearningRate<f64> + State<f64>
{
}

const ZERO: Buffer = [0.0; N];

fn base(name: &str) -> Box<dyn AnyBase> {
    match name {
        "sgd" => Box::new(Sgd::new(0.1).with_momentum(0.9, ZERO)),
        "adam" => Box::new(Adam::new(0.1, ZERO, ZERO)),
        name => panic!("no base optimizer {name}: sgd, adam"),
    }
}

fn method(name: &str) -> Box<dyn AnyMethod> {
    let (name, base_name) = name.split_once('+').expect("method+base");
    let (space, rule, base) = (SliceSpace::new(ZERO), Rule::l2(0.05), base(base_name));
    match name {
        "plain" => Box::new(Plain::new(space, base)),
        "sam" => Box::new(Sam::new(space, rule, base)),
        "gsam" => Box::new(Variant::new(space, rule, AlongGradient, Gsam::new(0.4, ZERO), base)),
        "looksam" => Box::new(LookSam::new(space, rule, Reuse::new(3, 0.7, ZERO, ZERO), base)),
        "random" => Box::new(RandomSam::new(space, rule, Gaussian::new(1), base)),
        "multi" => Box::new(MultiStepSam::new(space, rule, 2, 0.05, base, ZERO)),
        name => panic!("no method {name}"),
    }
}

struct Bowl;

impl GradientOracle<[f64]> for Bowl {
    type Loss = f64;
    type Error = LengthMismatch;
    fn gradient(&mut self, w: &[f64], g: &mut [f64], _: Pass) -> Result<f64, LengthMismatch> {
        g.iter_mut().zip(w).enumerate().for_each(|(i, (g, w))| *g = (i as f64 + 1.0) * w);
        Ok(w.iter().map(|w| w * w).sum())
    }
}

#[test]
fn whatever_is_chosen_learns_at_the_rate_that_is_set_and_is_resumed() {
    for name in ["plain", "sam", "gsam", "looksam", "random", "multi"] {
        for base in ["sgd", "adam"] {
            let name = format!("{name}+{base}");
            let (mut chosen, mut w, mut g) = (method(&name), [1.0, -2.0, 0.5, 3.0], ZERO);
            assert_eq!(chosen.learning_rate(), 0.1);
            let first = chosen.step(&mut w, &mut g, &mut Bowl as &mut Oracle).unwrap();
            assert!(first.clean.is_finite(), "{name}");
            for _ in 0..300 {
                chosen.set_learning_rate(0.01);
                assert!(chosen.step(&mut w, &mut g, &mut Bowl as &mut Oracle).unwrap().outcome.moved());
            }
            assert!(w.iter().map(|w| w * w).sum::<f64>() < 0.3 * first.clean, "{name}: {w:?}");

            let mut saved = Vec::new();
            chosen.save(&mut |name, values| match values {
                Values::Reals(reals) => saved.push((name.to_owned(), reals.to_vec(), vec![])),
                Values::Counts(counts) => saved.push((name.to_owned(), vec![], counts.to_vec())),
            });
            let (mut again, mut v, mut pieces) = (method(&name), w, saved.iter());
            again.set_learning_rate(0.01);
            again.load(&mut |name, values| {
                let (expected, reals, counts) = pieces.next().expect("a piece for each name");
                assert_eq!(name, expected);
                match values {
                    ValuesMut::Reals(to) => to.copy_from_slice(reals),
                    ValuesMut::Counts(to) => to.copy_from_slice(counts),
                }
            });
            let _ = chosen.step(&mut w, &mut g, &mut Bowl as &mut Oracle).unwrap();
            let _ = again.step(&mut v, &mut g, &mut Bowl as &mut Oracle).unwrap();
            assert_eq!(v, w, "{name}");
        }
    }
}
