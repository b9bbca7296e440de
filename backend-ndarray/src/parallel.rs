//! The sweeps of a SAM step, shared out among a network's threads.

mod norm;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sam_core::{
    CleanGradient, Descent, DirectedAscent, GradientAlgebra, GradientOracle, LearningRate, LengthMismatch,
    Momentum, ParamSpace, Pass, Real, Rule, Sgd, Sink, SliceSpace, Source, State, StepError, Verdict,
    formula::{self, Ascent, BLOCK, DualNorm, NormAccumulator, Partial},
};

use crate::{team::Share, threads::Threads};
use norm::NormSoFar;

/// Blocks of the norm that a thread takes at a time: 32 KiB of an `f32` vector, which is some microseconds.
const BLOCKS: usize = 8;
/// Entries that a thread takes at a time.
const PART: usize = BLOCKS * BLOCK;

/// [`SliceSpace`] with its sweeps shared out among [`Threads`], as a rule [`Network::threads`](crate::Network::threads). The
/// bits are those of [`SliceSpace`] for every number of threads: sums are joined in the order of [`NormAccumulator`]. The norm is
/// accumulated as the gradient appears, layer by layer of a [`Network`](crate::Network).
///
/// Memory: one word a weight, and 40 bytes for each 1024 of them. Traffic as of [`SliceSpace`].
///
/// ```
/// use ndarray::Array4;
/// use sam_backend_ndarray::{Network, Parallel, ParallelSpace};
/// use sam_core::{Rule, Sam, Sgd};
/// use sam_model::ImageShape;
///
/// let mut network = Network::<f32>::new(&"lenet".parse()?, ImageShape::new(8, 8, 1), 10, 4, 2)?;
/// let mut weights = network.initial_parameters(0);
/// let mut gradient = vec![0.0; weights.len()];
/// let mut sam = Sam::new(ParallelSpace::new(weights.len(), network.threads()), Rule::l2(0.05), Parallel::new(Sgd::new(0.1), network.threads()));
/// network.set_batch(Array4::zeros([4, 8, 8, 1]).view(), &[3, 1, 4, 1])?;
/// let step = sam.step(&mut weights[..], &mut gradient[..], &mut network)?;
/// assert!(step.clean > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ParallelSpace<T> {
    perturbed: Vec<T>,
    partials: Vec<Partial>,
    threads: Threads,
}

impl<T: Real> ParallelSpace<T> {
    /// A space for so many weights.
    #[must_use]
    pub fn new(weights: usize, threads: Threads) -> Self {
        let nothing = NormAccumulator::<T>::new(&Rule::l2(T::ONE)).block(&[], &[]);
        Self { perturbed: vec![T::ZERO; weights], partials: vec![nothing; weights.div_ceil(BLOCK)], threads }
    }

    fn on_one_thread(&mut self) -> SliceSpace<T, &mut [T]> {
        SliceSpace::new(&mut self.perturbed)
    }

    fn check_lengths(&self, w: &[T], g: &[T]) -> Result<(), LengthMismatch> {
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("buffer for perturbed parameters", w.len(), self.perturbed.len())
    }
}

impl<T: Real> ParamSpace for ParallelSpace<T> {
    type Params = [T];
    type Grads = [T];
    type Scalar = T;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[T], g: &[T], rule: &Rule<T>) -> Result<DualNorm, LengthMismatch> {
        self.check_lengths(w, g)?;
        Ok(NormSoFar::new(rule, w, &mut self.partials, &self.threads).finish(g))
    }

    fn clean_gradient<O>(
        &mut self,
        w: &[T],
        g: &mut [T],
        rule: &Rule<T>,
        oracle: &mut O,
    ) -> CleanGradient<Self, O::Loss, O::Error>
    where
        O: GradientOracle<[T]> + ?Sized,
    {
        self.check_lengths(w, g).map_err(StepError::Space)?;
        let mut norm = NormSoFar::new(rule, w, &mut self.partials, &self.threads);
        let loss = oracle
            .gradient_in_parts(w, g, Pass::Clean, &mut |g, part| norm.take_in(g, part))
            .map_err(|e| StepError::Oracle(e, Pass::Clean))?;
        Ok((loss, norm.finish(g)))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut [T],
        g: &[T],
        rule: &Rule<T>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        self.check_lengths(w, g)?;
        let ascent = Ascent::new(rule, norm);
        let parts = self.perturbed.chunks_mut(PART).zip(w.chunks(PART).zip(g.chunks(PART))).enumerate();
        parts.share(&self.threads.lock(), |(i, (up, (w, g)))| ascent.write(i * PART, w, g, up));
        Ok(())
    }

    fn perturbed<'a>(&'a self, _w: &'a [T]) -> &'a [T] {
        &self.perturbed
    }

    fn restore(&mut self, _w: &mut [T]) -> Result<(), LengthMismatch> {
        Ok(())
    }

    fn check(&mut self, g: &[T]) -> Result<Verdict, LengthMismatch> {
        let finite = AtomicBool::new(true);
        g.chunks(PART).share(&self.threads.lock(), |g| {
            if !formula::all_finite(g) {
                finite.store(false, Relaxed);
            }
        });
        Ok(if finite.into_inner() { Verdict::Finite } else { Verdict::NonFinite })
    }
}

/// On one thread: only methods that combine gradients need it.
impl<T: Real> GradientAlgebra for ParallelSpace<T> {
    fn copy(&mut self, from: &[T], to: &mut [T]) -> Result<(), LengthMismatch> {
        self.on_one_thread().copy(from, to)
    }

    fn mix(&mut self, a: T, x: &[T], b: T, y: &mut [T]) -> Result<(), LengthMismatch> {
        self.on_one_thread().mix(a, x, b, y)
    }

    fn projection(&mut self, a: &[T], b: &[T]) -> Result<T, LengthMismatch> {
        self.on_one_thread().projection(a, b)
    }

    fn ratio(&mut self, a: &[T], b: &[T]) -> Result<T, LengthMismatch> {
        self.on_one_thread().ratio(a, b)
    }
}

/// On one thread.
impl<T: Real> DirectedAscent for ParallelSpace<T> {
    fn displace(&mut self, w: &mut [T], a: T, x: &[T]) -> Result<(), LengthMismatch> {
        self.on_one_thread().displace(w, a, x)
    }
}

/// A base optimizer whose update is shared out among [`Threads`]. Same bits, state and errors.
#[derive(Clone, Debug)]
pub struct Parallel<D> {
    /// The base optimizer.
    pub base: D,
    threads: Threads,
}

impl<D> Parallel<D> {
    /// `base` on these threads.
    #[must_use]
    pub const fn new(base: D, threads: Threads) -> Self {
        Self { base, threads }
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Descent<[T]> for Parallel<Sgd<T, B>> {
    type Error = LengthMismatch;

    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        let (update, m) = self.base.parts(w, g)?;
        let team = self.threads.lock();
        let parts = w.chunks_mut(PART).zip(g.chunks(PART));
        if m.is_empty() {
            parts.share(&team, |(w, g)| update.apply(w, g, &mut []));
        } else {
            parts.zip(m.chunks_mut(PART)).share(&team, |((w, g), m)| update.apply(w, g, m));
        }
        Ok(())
    }
}

impl<R, D: LearningRate<R>> LearningRate<R> for Parallel<D> {
    fn learning_rate(&self) -> R {
        self.base.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: R) {
        self.base.set_learning_rate(rate);
    }
}

impl<G: ?Sized, D: Momentum<G>> Momentum<G> for Parallel<D> {
    fn momentum(&self) -> &G {
        self.base.momentum()
    }
}

impl<R, D: State<R>> State<R> for Parallel<D> {
    fn save(&self, sink: &mut Sink<'_, R>) {
        self.base.save(sink);
    }

    fn load(&mut self, source: &mut Source<'_, R>) {
        self.base.load(source);
    }
}
