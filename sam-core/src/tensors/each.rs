//! A base optimizer for each tensor.

use core::fmt;
use core::marker::PhantomData;

use super::{TensorMismatch, Tensors};
use crate::{Descent, InvalidSetting, LearningRate, Real, Sink, Source, State};

/// A base optimizer for each tensor of a model, in their order, for optimizers whose update of a weight depends on that weight alone,
/// which all of this crate's do but [`Clipped`](crate::Clipped): clip around this one's gradient, not within.
///
/// The list is an array, a `Vec`, a `&mut [D]`. Each may have a decay of its own: none on biases and norms.
#[derive(Clone, Debug)]
pub struct EachTensor<D, L> {
    list: L,
    element: PhantomData<D>,
}

impl<D, L: AsRef<[D]> + AsMut<[D]>> EachTensor<D, L> {
    /// One optimizer for each tensor.
    pub const fn new(list: L) -> Self {
        Self { list, element: PhantomData }
    }

    /// The optimizers.
    pub fn list(&self) -> &[D] {
        self.list.as_ref()
    }

    /// The optimizers, to be changed.
    pub fn list_mut(&mut self) -> &mut [D] {
        self.list.as_mut()
    }
}

#[cfg(feature = "alloc")]
impl<D> EachTensor<D, alloc::vec::Vec<D>> {
    /// Makes one for each tensor of `model`, given its number and its values.
    pub fn of<P: Tensors>(model: &P, mut make: impl FnMut(usize, &[P::Scalar]) -> D) -> Self {
        let list = model.tensors().enumerate().map(|(tensor, values)| make(tensor, values)).collect();
        Self { list, element: PhantomData }
    }
}

impl<P: Tensors, D: Descent<[P::Scalar]>, L: AsRef<[D]> + AsMut<[D]>> Descent<P> for EachTensor<D, L> {
    type Error = EachTensorError<D::Error>;

    /// # Errors
    /// [`EachTensorError::Mismatch`] if there is not an optimizer for each tensor, before anything has moved. The first that an
    /// optimizer has; tensors before it have moved then, which of this crate's optimizers a buffer of the wrong length can bring about.
    fn descend(&mut self, params: &mut P, grads: &mut P) -> Result<(), Self::Error> {
        let (expected, found) = (params.tensors().count(), self.list().len());
        if expected != found {
            return Err(EachTensorError::Mismatch(TensorMismatch::Count { expected, found }));
        }
        let tensors = params.tensors_mut().zip(grads.tensors_mut());
        for (tensor, (base, (w, g))) in self.list_mut().iter_mut().zip(tensors).enumerate() {
            base.descend(w, g).map_err(|error| EachTensorError::Descent { tensor, error })?;
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.list().iter().try_for_each(D::check_settings)
    }
}

/// All tensors' optimizers have one rate: the first's.
impl<R: Real, D: LearningRate<R>, L: AsRef<[D]> + AsMut<[D]>> LearningRate<R> for EachTensor<D, L> {
    fn learning_rate(&self) -> R {
        self.list().first().map_or(R::ZERO, D::learning_rate)
    }

    fn set_learning_rate(&mut self, rate: R) {
        self.list_mut().iter_mut().for_each(|base| base.set_learning_rate(rate));
    }
}

/// The number of a tensor goes before the names of its optimizer's pieces: `3.adam.mean`.
impl<R, D: State<R>, L: AsRef<[D]> + AsMut<[D]>> State<R> for EachTensor<D, L> {
    fn save(&self, sink: &mut Sink<'_, R>) {
        self.list().save(sink);
    }

    fn load(&mut self, source: &mut Source<'_, R>) {
        self.list_mut().load(source);
    }
}

/// Why [`EachTensor`] failed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EachTensorError<E> {
    /// There is not an optimizer for each tensor.
    Mismatch(TensorMismatch),
    /// A tensor's optimizer failed.
    #[non_exhaustive]
    Descent {
        /// Which tensor, counted from 0.
        tensor: usize,
        /// What the optimizer says.
        error: E,
    },
}

impl<E: fmt::Display> fmt::Display for EachTensorError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch(e) => write!(f, "list of optimizers: {e}"),
            Self::Descent { tensor, error } => write!(f, "optimizer of tensor {tensor}: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for EachTensorError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Mismatch(e) => Some(e),
            Self::Descent { error, .. } => Some(error),
        }
    }
}
