//! Storage for a model that keeps its parameters in several arrays: whatever can show them as slices.
//!
//! The norm and the perturbation run through the arrays one after the other, as if they were one vector. So nothing
//! is copied into one, and the bits are those of a [`SliceSpace`](sam_core::SliceSpace) over the arrays laid end to
//! end.

mod algebra;

use std::fmt;
use std::ops::ControlFlow;

use sam_core::formula::{Ascent, DualNorm, NormAccumulator, all_finite};
use sam_core::{Descent, LearningRate, ParamSpace, Real, Rule, Sink, Source, State, Verdict};

/// Parameters, or gradients, in several arrays on the host.
pub trait Tensors {
    /// What the arrays hold.
    type Scalar: Real;

    /// The arrays' values, in an order that never changes.
    fn tensors(&self) -> impl Iterator<Item = &[Self::Scalar]>;

    /// The same, to be changed.
    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [Self::Scalar]>;
}

/// [`ParamSpace`] over [`Tensors`]. The perturbed parameters go into a second model: the first is never touched.
///
/// Memory: one word a weight. Traffic of a step: that of a slice space.
#[derive(Clone, Debug)]
pub struct TensorSpace<P> {
    perturbed: P,
}

/// Gradients, or the space's own tensors, don't go with the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorError {
    /// One has more tensors than the other.
    Count {
        /// Tensors of the parameters.
        expected: usize,
        /// Tensors of the other.
        found: usize,
    },
    /// A tensor has more values than its counterpart.
    Length {
        /// Which, counted from 0.
        tensor: usize,
        /// Values in the parameters' tensor.
        expected: usize,
        /// Values in the other.
        found: usize,
    },
}

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { expected, found } => {
                write!(f, "expected {expected} tensors, as many as the parameters have, found {found}")
            }
            Self::Length { tensor, expected, found } => {
                write!(
                    f,
                    "expected {expected} values in tensor {tensor}, as in the parameters, found {found}"
                )
            }
        }
    }
}

impl std::error::Error for TensorError {}

impl<P: Tensors> TensorSpace<P> {
    /// A space whose perturbed parameters go into `model`, one of the same shape as the parameters. What it holds
    /// does not matter.
    pub const fn new(model: P) -> Self {
        Self { perturbed: model }
    }

    fn check_shapes(&self, w: &P, g: &P) -> Result<(), TensorError> {
        same_shape(w, g)?;
        same_shape(w, &self.perturbed)
    }
}

fn same_shape<P: Tensors>(w: &P, other: &P) -> Result<(), TensorError> {
    let (expected, found) = (w.tensors().count(), other.tensors().count());
    if expected != found {
        return Err(TensorError::Count { expected, found });
    }
    for (tensor, (w, other)) in w.tensors().zip(other.tensors()).enumerate() {
        let (expected, found) = (w.len(), other.len());
        if expected != found {
            return Err(TensorError::Length { tensor, expected, found });
        }
    }
    Ok(())
}

impl<P: Tensors> ParamSpace for TensorSpace<P> {
    type Params = P;
    type Grads = P;
    type Scalar = P::Scalar;
    type Norm = DualNorm;
    type Error = TensorError;

    fn dual_norm(&mut self, w: &P, g: &P, rule: &Rule<P::Scalar>) -> Result<DualNorm, TensorError> {
        self.check_shapes(w, g)?;
        let mut accumulator = NormAccumulator::new(rule);
        loop {
            for (w, g) in w.tensors().zip(g.tensors()) {
                accumulator.push(w, g);
            }
            match accumulator.finish() {
                ControlFlow::Break(norm) => return Ok(norm),
                ControlFlow::Continue(next) => accumulator = next,
            }
        }
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut P,
        g: &P,
        rule: &Rule<P::Scalar>,
        norm: &DualNorm,
    ) -> Result<(), TensorError> {
        self.check_shapes(w, g)?;
        let ascent = Ascent::new(rule, norm);
        let mut offset = 0;
        for ((w, g), to) in w.tensors().zip(g.tensors()).zip(self.perturbed.tensors_mut()) {
            ascent.write(offset, w, g, to);
            offset += w.len();
        }
        Ok(())
    }

    fn perturbed<'a>(&'a self, _w: &'a P) -> &'a P {
        &self.perturbed
    }

    fn restore(&mut self, _w: &mut P) -> Result<(), TensorError> {
        Ok(())
    }

    fn check(&mut self, g: &P) -> Result<Verdict, TensorError> {
        Ok(if g.tensors().all(all_finite) { Verdict::Finite } else { Verdict::NonFinite })
    }
}

/// A base optimizer for each tensor, in their order: for the ones whose update of a weight depends on that weight
/// alone, which all of `sam-core`'s do.
#[derive(Clone, Debug)]
pub struct EachTensor<D>(pub Vec<D>);

impl<D> EachTensor<D> {
    /// Makes one for each tensor of `model`, given its length.
    pub fn new<P: Tensors>(model: &P, make: impl FnMut(usize) -> D) -> Self {
        Self(model.tensors().map(<[_]>::len).map(make).collect())
    }
}

impl<P: Tensors, D: Descent<[P::Scalar]>> Descent<P> for EachTensor<D> {
    type Error = D::Error;

    fn descend(&mut self, params: &mut P, grads: &mut P) -> Result<(), D::Error> {
        let tensors = params.tensors_mut().zip(grads.tensors_mut());
        self.0.iter_mut().zip(tensors).try_for_each(|(base, (w, g))| base.descend(w, g))
    }
}

/// All tensors' optimizers have one rate: the first's.
impl<R: Copy + Default, D: LearningRate<R>> LearningRate<R> for EachTensor<D> {
    fn learning_rate(&self) -> R {
        self.0.first().map_or_else(R::default, D::learning_rate)
    }

    fn set_learning_rate(&mut self, rate: R) {
        self.0.iter_mut().for_each(|base| base.set_learning_rate(rate));
    }
}

/// The number of a tensor goes before the names of its optimizer's pieces: `3.adam.mean`.
impl<R, D: State<R>> State<R> for EachTensor<D> {
    fn save(&self, sink: &mut Sink<'_, R>) {
        self.0[..].save(sink);
    }

    fn load(&mut self, source: &mut Source<'_, R>) {
        self.0[..].load(source);
    }
}
