//! Where gradients come from.

pub(crate) mod counting;
pub(crate) mod curvature;
pub(crate) mod gsam_gradient;
pub(crate) mod loss;
pub(crate) mod mini_batch;
pub(crate) mod penalty;
pub(crate) mod selection;
pub(crate) mod split;

use core::convert::Infallible;
use core::fmt;
use core::ops::Range;

use loss::Loss;

/// Which of a step's gradient evaluations is being asked for.
///
/// A network updates batch-norm statistics in the clean pass only, and replays in the perturbed pass the
/// dropout masks that it drew in the clean one. Every step begins with one clean pass over its mini-batch;
/// the methods with one gradient a step make it at perturbed parameters.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pass {
    /// The first look at the mini-batch: at the current parameters.
    Clean,
    /// At the perturbed parameters.
    Perturbed,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::Perturbed => "perturbed",
        })
    }
}

/// Is told which entries of a gradient are final while others are still being computed: gets the gradient so
/// far, and a run of entries, numbered as the parameters are.
pub type Ready<'a, G> = dyn FnMut(&G, Range<usize>) + 'a;

/// Loss and gradient of one mini-batch at given parameters.
///
/// `P` (parameters) and `G` (gradients) are parameters of the trait, so one network may serve several
/// storages. Both passes of a step must use the same mini-batch.
pub trait GradientOracle<P: ?Sized, G: ?Sized = P> {
    /// The loss; on a GPU it may be a handle to a value that nobody has waited for yet. A step whose loss is known not
    /// to be finite comes to nothing.
    type Loss: Loss;
    /// What can go wrong.
    type Error;

    /// Overwrites `grads` with the gradient at `params` and returns the loss there.
    ///
    /// # Errors
    /// Whatever keeps the oracle from computing the gradient. The step then ends with the parameters and the
    /// optimizer's state as they were before it.
    fn gradient(&mut self, params: &P, grads: &mut G, pass: Pass) -> Result<Self::Loss, Self::Error>;

    /// [`GradientOracle::gradient`], bit for bit, for callers that have a use for a part of it before the rest is
    /// there: a norm, a transfer.
    ///
    /// Tells `ready` of runs of entries that will not change any more, in any order. Each entry is told of
    /// once at most. As provided, nothing is told of, so an oracle that changes another's gradient is right
    /// without it.
    ///
    /// # Errors
    /// As [`GradientOracle::gradient`].
    fn gradient_in_parts(
        &mut self,
        params: &P,
        grads: &mut G,
        pass: Pass,
        ready: &mut Ready<'_, G>,
    ) -> Result<Self::Loss, Self::Error> {
        let _ = ready;
        self.gradient(params, grads, pass)
    }
}

impl<P: ?Sized, G: ?Sized, O: GradientOracle<P, G> + ?Sized> GradientOracle<P, G> for &mut O {
    type Loss = O::Loss;
    type Error = O::Error;

    fn gradient(&mut self, params: &P, grads: &mut G, pass: Pass) -> Result<O::Loss, O::Error> {
        O::gradient(self, params, grads, pass)
    }

    fn gradient_in_parts(
        &mut self,
        params: &P,
        grads: &mut G,
        pass: Pass,
        ready: &mut Ready<'_, G>,
    ) -> Result<O::Loss, O::Error> {
        O::gradient_in_parts(self, params, grads, pass, ready)
    }
}

/// A closure `(params, grads, pass) -> Result<loss, error>` as an oracle; one that cannot fail: [`FnOracle::infallible`].
///
/// A wrapper, since an implementation for every closure would overlap with the one for `&mut O`.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a closure and nothing else")]
pub struct FnOracle<F>(pub F);

impl FnOracle<()> {
    /// Of a closure that cannot fail and returns the loss, or nothing.
    pub fn infallible<P: ?Sized, G: ?Sized, L>(
        mut gradient: impl FnMut(&P, &mut G, Pass) -> L,
    ) -> FnOracle<impl FnMut(&P, &mut G, Pass) -> Result<L, Infallible>> {
        FnOracle(move |params: &P, grads: &mut G, pass: Pass| Ok(gradient(params, grads, pass)))
    }
}

impl<P, G, L, E, F> GradientOracle<P, G> for FnOracle<F>
where
    P: ?Sized,
    G: ?Sized,
    L: Loss,
    F: FnMut(&P, &mut G, Pass) -> Result<L, E>,
{
    type Loss = L;
    type Error = E;

    fn gradient(&mut self, params: &P, grads: &mut G, pass: Pass) -> Result<L, E> {
        (self.0)(params, grads, pass)
    }
}
