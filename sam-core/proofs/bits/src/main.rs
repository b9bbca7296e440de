//! Takes steps by every method that a build of `sam-core` without features has, and prints a digest of the weights' bits for each.

use sam_core::*;

/// More than a block of the norm's sums, and no multiple of its lanes.
const N: usize = 1501;

/// FNV-1a (Fowler, Noll and Vo, 64 bits) over all bits.
fn digest<T: Real>(w: &[T]) -> u64 {
    w.iter().flat_map(|w| w.widen().to_bits().to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Weights of both signs, some of them zero, whose sizes span `range` powers of ten.
fn start<T: Real>(range: i32) -> Vec<T> {
    let weight = |i: usize| ((i * 37 % 101) as f64 - 50.0) * 10f64.powi(i as i32 % 7 * range / 7);
    (0..N).map(|i| T::narrow(0.01 * weight(i))).collect()
}

/// Each weight is pulled to zero and to its neighbour.
fn slope<T: Real>(w: &[T], g: &mut [T]) -> T {
    for i in 0..w.len() {
        g[i] = w[i] + T::narrow(0.3) * w[(i + 1) % w.len()];
    }
    w[0].abs()
}

fn zeros<T: Real>() -> Vec<T> {
    vec![T::ZERO; N]
}

/// A model of two tensors.
#[derive(Clone)]
struct Pair<T>([Vec<T>; 2]);

impl<T: Real> Tensors for Pair<T> {
    type Scalar = T;
    fn tensors(&self) -> impl Iterator<Item = &[T]> {
        self.0.iter().map(Vec::as_slice)
    }
    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        self.0.iter_mut().map(Vec::as_mut_slice)
    }
}

fn print<T: Real>(precision: &str, range: i32) {
    let x = T::narrow;
    // A ball that the largest weights feel too.
    let (rule, sgd) =
        (Rule::l2(x(0.05 * 10f64.powi(range * 6 / 7))), || Sgd::new(x(0.05)).with_momentum(x(0.9), zeros()));
    let (slices, rate) = (|| SliceSpace::<T, _>::new(zeros()), x(0.01));
    macro_rules! steps {
        ($name:literal, $method:expr) => {{
            let (mut method, mut w, mut g) = ($method, start::<T>(range), zeros::<T>());
            for _ in 0..6 {
                let _ = method.step_with(&mut w, &mut g, |w, g, _| slope(w, g)).expect("buffers fit");
            }
            println!("{precision} {range:2} {:16x} {}", digest(&w), $name);
        }};
    }
    macro_rules! variants {
        ($($name:literal: $ascent:expr, $combination:expr;)*) => {
            $(steps!($name, Variant::new(slices(), rule, $ascent, $combination, sgd()));)*
        };
    }
    steps!("SAM around SGD", Sam::new(slices(), rule, sgd()));
    steps!("SAM around AdamW", Sam::new(slices(), rule, Adam::adamw(rate, x(0.1), zeros(), zeros())));
    steps!("SAM around Lion", Sam::new(slices(), rule, Lion::new(rate, x(0.1), zeros())));
    steps!("SAM around RMSProp", Sam::new(slices(), rule, RmsProp::new(rate, zeros(), zeros())));
    steps!("SAM around clipped SGD", Sam::new(slices(), rule, Clipped::new(sgd(), x(0.5))));
    let table = [Segment::new(700), Segment::fixed(1), Segment::new(N - 701).with_radius(x(0.5))];
    for scope in [Scope::Global, Scope::Segment] {
        steps!("SAM in segments", Sam::new(SegmentedSpace::new(scope, table, zeros()), rule, sgd()));
    }
    variants! {
        "GSAM": AlongGradient, Gsam::new(x(0.4), zeros());
        "GSAM around the clean gradient": ByMagnitude, Gsam::new(x(0.4), zeros()).around_clean();
        "WSAM": AlongGradient, Wsam::new(x(0.8), zeros());
        "decoupled WSAM": AlongGradient, DecoupledWsam::new(x(0.8), zeros());
        "Friendly SAM": Friendly::new(T::ONE, x(0.9), zeros(), zeros()), PerturbedOnly;
        "ESAM": Stochastic::new(x(0.6), 1), PerturbedOnly;
    }
    let newton = VariationalNewton::new(rate, zeros(), zeros()).with_damping(x(0.1));
    let combination = PrecisionFromClean::new(zeros());
    steps!("bSAM", Variant::new(slices(), rule, Bayesian::new(x(100.0), 1), combination, newton));
    steps!("LookSAM", LookSam::new(slices(), rule, Reuse::new(3, x(0.7), zeros(), zeros()), sgd()));
    steps!("SAM in several steps", MultiStepSam::new(slices(), rule, 3, x(0.02), sgd(), zeros()));
    steps!("momentum SAM", MomentumSam::new(slices(), rule, sgd()));
    steps!("random SAM", RandomSam::new(slices(), rule, Gaussian::new(1), sgd()));

    let mut exact = SecondOrderSam::new(slices(), rule, sgd(), [zeros(), zeros()]);
    let gradient = FnOracle(|w: &[T], g: &mut [T], _: Pass| Ok::<_, LengthMismatch>(slope(w, g)));
    let mut oracle = FiniteDifference::new(gradient, x(1e-3), [zeros::<T>(), zeros()]);
    let (mut w, mut g) = (start::<T>(range), zeros::<T>());
    for _ in 0..6 {
        let _ = exact.step(&mut w, &mut g, &mut oracle).expect("buffers fit");
    }
    println!("{precision} {range:2} {:16x} second-order SAM", digest(&w));

    let split = |flat: &[T]| Pair([flat[..600].to_vec(), flat[600..].to_vec()]);
    let (mut w, mut g) = (split(&start::<T>(range)), split(&zeros::<T>()));
    let table = [Segment::new(600), Segment::fixed(N - 600)];
    let space = TensorSpace::new(g.clone()).with_segments(Scope::Global, table);
    let mut sam = Sam::new(space, rule, EachTensor::new([Sgd::new(rate), Sgd::new(rate)]));
    for _ in 0..6 {
        let report = sam.step_with(&mut w, &mut g, |w, g, _| {
            w.tensors().zip(g.tensors_mut()).for_each(|(w, g)| _ = slope(w, g));
        });
        let _ = report.expect("buffers fit");
    }
    println!("{precision} {range:2} {:16x} SAM on several tensors", digest(&w.0.concat()));
}

fn main() {
    for range in [0, 20] {
        print::<f32>("f32", range);
        print::<f64>("f64", range);
    }
    // Squares of these overflow.
    print::<f64>("f64", 280);
}
