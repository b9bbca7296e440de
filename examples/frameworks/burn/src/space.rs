//! burn's modules as storage of parameters.

use std::fmt;
use std::marker::PhantomData;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Tensor, TensorReadError};
use sam_core::{ParamSpace, Rule, Verdict};

use crate::gradients::Index;
use crate::norm::DeviceNorm;
use crate::perturb::Perturb;

/// The largest rank of a parameter.
const LARGEST_RANK: usize = 6;

/// [`ParamSpace`] over a module, with [`GradientsParams`] as the gradient.
///
/// burn's tensors are handles to values that never change, so the perturbed parameters are a second module, and the
/// first one is never touched: restoring drops the second. It is built as `valid().map(..).train()`, which also gives
/// it running statistics of its own: what batch normalisation sees at perturbed weights is dropped with it.
///
/// Norm and perturbation are operations on the device that nobody waits for; the step reads one flag back, after
/// everything has been queued, in [`ParamSpace::check`]. The outcome of a step whose gradients were fine is therefore
/// [`Outcome::Deferred`](sam_core::Outcome::Deferred), also where the gradient was zero. The second gradient is
/// computed even if the first is not finite.
///
/// All parameters must be on one device, and of `f32` or `f64`. Memory: one word a weight between the two gradients.
#[derive(Clone, Debug)]
pub struct BurnSpace<M> {
    index: Index,
    perturbed: Option<M>,
    /// Whether the gradient of the latest norm was finite.
    clean: Option<Tensor<1, Bool>>,
    module: PhantomData<M>,
}

/// Why the space failed.
#[derive(Debug)]
pub enum SpaceError {
    /// No parameter has a gradient.
    NoGradient,
    /// A parameter has more than six dimensions.
    Rank(usize),
    /// The device did not answer.
    Device(TensorReadError),
}

impl fmt::Display for SpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGradient => f.write_str(
                "expected a gradient for at least one parameter, found none: take them with \
                 GradientsParams::from_grads(loss.backward(), module), of the module that the oracle is given",
            ),
            Self::Rank(found) => {
                write!(f, "expected parameters of up to {LARGEST_RANK} dimensions, found {found}")
            }
            Self::Device(error) => write!(f, "the device did not say whether the gradients are finite: {error:?}"),
        }
    }
}

impl std::error::Error for SpaceError {}

impl<M: Module> BurnSpace<M> {
    /// A space for modules with the parameters of this one.
    ///
    /// # Errors
    /// If a parameter has more than six dimensions.
    pub fn new(module: &M) -> Result<Self, SpaceError> {
        let index = Index::of(module);
        if index.rank() > LARGEST_RANK {
            return Err(SpaceError::Rank(index.rank()));
        }
        Ok(Self { index, perturbed: None, clean: None, module: PhantomData })
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }
}

impl<M: Module> ParamSpace for BurnSpace<M> {
    type Params = M;
    type Grads = GradientsParams;
    type Scalar = f64;
    type Norm = DeviceNorm;
    type Error = SpaceError;

    fn dual_norm(&mut self, w: &M, g: &GradientsParams, rule: &Rule<f64>) -> Result<DeviceNorm, SpaceError> {
        let norm = DeviceNorm::of(w, g, rule).ok_or(SpaceError::NoGradient)?;
        self.clean = Some(norm.finite.clone());
        Ok(norm)
    }

    fn verdict(&self, _: &DeviceNorm) -> Verdict {
        Verdict::Unknown
    }

    fn ascend(
        &mut self,
        w: &mut M,
        g: &GradientsParams,
        rule: &Rule<f64>,
        norm: &DeviceNorm,
    ) -> Result<(), SpaceError> {
        let up = w.valid();
        let up = if rule.rho == 0.0 { up } else { up.map(&mut Perturb { grads: g, rule, norm, before: 0 }) };
        self.perturbed = Some(up.train());
        Ok(())
    }

    fn perturbed<'a>(&'a self, w: &'a M) -> &'a M {
        self.perturbed.as_ref().unwrap_or(w)
    }

    fn restore(&mut self, _: &mut M) -> Result<(), SpaceError> {
        self.perturbed = None;
        Ok(())
    }

    fn check(&mut self, g: &GradientsParams) -> Result<Verdict, SpaceError> {
        let flags = [self.clean.take(), self.index.finite(g)];
        let Some(fine) = flags.into_iter().flatten().reduce(Tensor::bool_and) else {
            return Ok(Verdict::Finite);
        };
        let fine: bool = fine.try_into_scalar().map_err(SpaceError::Device)?;
        Ok(if fine { Verdict::Finite } else { Verdict::NonFinite })
    }
}
