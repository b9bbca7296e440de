//! Every method behind one interface, so that a test can say something about all of them.

use sam_core::*;

pub const N: usize = 6;
pub type Vector = [f64; N];
pub type Gradient<'a> = &'a mut dyn FnMut(&[f64], &mut [f64], Pass) -> Result<f64, &'static str>;
pub type Piece = (String, Vec<u64>);

/// A method with its base optimizer.
pub trait Method {
    fn step(&mut self, w: &mut Vector, gradient: Gradient<'_>) -> Result<Outcome, String>;
    fn save(&self) -> Vec<Piece>;
    fn load(&mut self, pieces: &[Piece]);
}

/// A method, its name, and the gradients that its steps take.
pub struct Entry {
    pub name: &'static str,
    /// Clean and perturbed gradients in step number `i`.
    pub gradients: fn(usize) -> (u64, u64),
    pub method: Box<dyn Method>,
    /// Without a radius it computes exactly what the base optimizer does.
    pub is_base_without_radius: bool,
}

struct Run<M, F>(M, F);

impl<M, F> Method for Run<M, F>
where
    M: State<f64>,
    F: FnMut(&mut M, &mut Vector, &mut Vector, Gradient<'_>) -> Result<Outcome, String>,
{
    fn step(&mut self, w: &mut Vector, gradient: Gradient<'_>) -> Result<Outcome, String> {
        (self.1)(&mut self.0, w, &mut [f64::NAN; N], gradient)
    }

    fn save(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.0.save(&mut |name, values| {
            let bits = match values {
                Values::Reals(reals) => reals.iter().map(|r| r.to_bits()).collect(),
                Values::Counts(counts) => counts.to_vec(),
            };
            pieces.push((name.to_owned(), bits));
        });
        pieces
    }

    fn load(&mut self, pieces: &[Piece]) {
        let mut pieces = pieces.iter();
        self.0.load(&mut |name, values| {
            let (expected, bits) = pieces.next().expect("a piece for each name");
            assert_eq!(name, *expected);
            match values {
                ValuesMut::Reals(reals) => {
                    reals.iter_mut().zip(bits).for_each(|(r, b)| *r = f64::from_bits(*b));
                }
                ValuesMut::Counts(counts) => counts.copy_from_slice(bits),
            }
        });
        assert!(pieces.next().is_none());
    }
}

fn run<M, F>(method: M, step: F) -> Box<dyn Method>
where
    M: State<f64> + 'static,
    F: FnMut(&mut M, &mut Vector, &mut Vector, Gradient<'_>) -> Result<Outcome, String> + 'static,
{
    Box::new(Run(method, step))
}

pub fn sgd(lr: f64) -> Sgd<f64, Vector> {
    Sgd::new(lr).with_momentum(0.9, [f64::NAN; N]).with_decay(WeightDecay::Coupled(0.01))
}

pub fn space() -> SliceSpace<f64, Vector> {
    SliceSpace::new([f64::NAN; N])
}

/// Adds what `step_with` of `$method` does to a list.
macro_rules! entry {
    ($list:ident, $name:literal, $gradients:expr, $base:literal, $method:expr) => {
        $list.push(Entry {
            name: $name,
            gradients: $gradients,
            is_base_without_radius: $base,
            method: run($method, |method, w, g, gradient| {
                method
                    .try_step_with(&mut w[..], &mut g[..], |w: &[f64], g: &mut [f64], pass| {
                        gradient(w, g, pass)
                    })
                    .map(|report| report.outcome)
                    .map_err(|error| error.to_string())
            }),
        })
    };
}

/// The base optimizer alone.
pub fn base(lr: f64) -> Entry {
    let mut list = Vec::new();
    entry!(list, "base", |_| (1, 0), true, Plain::new(space(), sgd(lr)));
    list.remove(0)
}

/// Every method with radius `rho` and rate `lr`, in slices.
pub fn methods(rho: f64, lr: f64) -> Vec<Entry> {
    methods_in(space, rho, lr)
}

/// Every method with radius `rho` and rate `lr`.
pub fn methods_in<S>(space: fn() -> S, rho: f64, lr: f64) -> Vec<Entry>
where
    S: RepeatedAscent + DifferentiableAscent + 'static,
    S: ParamSpace<Params = [f64], Grads = [f64], Scalar = f64, Error = LengthMismatch>,
{
    let rule = Rule::l2(rho);
    let nan = [f64::NAN; N];
    let mut list = Vec::new();
    entry!(list, "SAM", |_| (1, 1), true, Sam::new(space(), rule, sgd(lr)));
    entry!(list, "SAM, p = 1", |_| (1, 1), true, Sam::new(space(), Rule::l1(rho), sgd(lr)));
    entry!(list, "SAM, p = inf", |_| (1, 1), true, Sam::new(space(), Rule::linf(rho), sgd(lr)));
    entry!(list, "ASAM", |_| (1, 1), true, Sam::new(space(), rule.adaptive(0.01), sgd(lr)));
    for scope in [Scope::Global, Scope::Segment] {
        let table = [Segment::new(2), Segment::fixed(1), Segment::new(3).with_radius(0.5)];
        let space = SegmentedSpace::new(scope, table, nan);
        entry!(list, "segments", |_| (1, 1), true, Sam::new(space, rule, sgd(lr)));
    }
    macro_rules! variant {
        ($name:literal, $base:literal, $ascent:expr, $combination:expr) => {
            entry!(
                list,
                $name,
                |_| (1, 1),
                $base,
                Variant::new(space(), rule, $ascent, $combination, sgd(lr))
            );
        };
    }
    variant!("GSAM", false, AlongGradient, Gsam::new(0.4, nan));
    variant!("WSAM", false, AlongGradient, Wsam::new(0.8, nan));
    variant!("decoupled WSAM", false, AlongGradient, DecoupledWsam::new(0.8, nan));
    variant!("Friendly SAM", true, Friendly::new(0.7, 0.8, nan, nan), PerturbedOnly);
    variant!("Friendly GSAM", false, Friendly::new(0.7, 0.8, nan, nan), Gsam::new(0.4, nan));
    variant!("stochastic", true, Stochastic::new(0.5, 3), PerturbedOnly);
    entry!(
        list,
        "LookSAM-3",
        |i| (1, u64::from(i % 3 == 0)),
        false,
        LookSam::new(space(), rule, Reuse::new(3, 0.6, nan, nan), sgd(lr))
    );
    entry!(list, "momentum SAM", |_| (1, 0), true, MomentumSam::new(space(), rule, sgd(lr)));
    entry!(list, "random", |_| (1, 0), true, RandomSam::new(space(), rule, Gaussian::new(9), sgd(lr)));
    entry!(list, "3 inner steps", |_| (1, 3), true, MultiStepSam::new(space(), rule, 3, rho, sgd(lr), nan));
    list.push(Entry {
        name: "second order by differences",
        gradients: |_| (1, 3),
        is_base_without_radius: false,
        method: run(SecondOrderSam::new(space(), rule, sgd(lr), [nan; 2]), |sam, w, g, gradient| {
            let oracle = FnOracle(|w: &[f64], g: &mut [f64], pass| gradient(w, g, pass));
            let mut oracle = FiniteDifference::double(oracle, [[f64::NAN; N]; 2]);
            sam.step(&mut w[..], &mut g[..], &mut oracle)
                .map(|report| report.outcome)
                .map_err(|error| error.to_string())
        }),
    });
    list
}
