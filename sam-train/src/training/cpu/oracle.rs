//! A network with its batch as what `sam-core` asks gradients of, under observation.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use ndarray::{Array4, Axis, Slice};
use sam_backend_ndarray::{BatchError, Dual64, ForwardOverReverse, Network, Random};
use sam_core::{GradientOracle, HessianVector, Pass, Ready};

use super::{
    joint::length,
    penalty::Penalty,
    sharing::{Partly, Sharing},
};
use crate::{interrupt::Interrupt, ranks::agreement::PeerFailed, training::learner::Batch};

/// The network in dual numbers, for products with the Hessian.
pub type DualNetwork = ForwardOverReverse<Network<Dual64>>;
/// What a product costs in gradients: each multiplication of one becomes three.
const PRODUCT: f64 = 3.0;

/// The partner labels of mixed images: the loss is `share` of that against the batch's labels and the rest of that
/// against these.
pub struct Partners<'a> {
    /// A class for each image.
    pub labels: &'a [u16],
    /// The first labels' share.
    pub share: f64,
    /// As long as a gradient.
    pub scratch: &'a mut [f32],
}

/// Why a gradient was not computed.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// The network refuses its batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Somebody wants the work to stop.
    #[error("interrupted")]
    Interrupted,
    /// Another rank's was not, or something else has failed there.
    #[error(transparent)]
    Peer(#[from] PeerFailed),
}

/// A run of images in a batch.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The first of them.
    pub first: usize,
    /// Images of the whole batch.
    pub total: usize,
}

/// Measures how long gradients take and what the loss is at the weights before the step.
pub struct ObservedOracle<'a> {
    network: &'a mut Network<f32>,
    /// The images that are computed here.
    batch: Batch<'a>,
    /// Where in the batch of all ranks those lie, and how many that has.
    place: Place,
    /// For a batch in groups. Taken out while it is in use.
    sharing: Option<&'a mut Sharing>,
    /// For whole parameters, where those that gradients are asked at are a shard.
    pub(super) whole: Option<&'a mut [f32]>,
    /// The images that the network holds now.
    loaded: Range<usize>,
    partners: Option<Partners<'a>>,
    twin: Option<&'a mut DualNetwork>,
    /// Weight decay, where it is a term of the loss.
    penalty: Option<&'a Penalty>,
    random: Option<Random>,
    /// Asked before each gradient: a step may have millions of them.
    interrupt: &'a Interrupt,
    /// Time in gradients, and in what is done with parts of them that are ready.
    pub spent: Duration,
    /// Mean loss in the clean pass.
    pub clean_loss: f64,
    /// Gradients of the whole batch; those of parts count as parts.
    pub gradients: f64,
    /// Images classified rightly in the clean pass.
    pub hits: usize,
    /// Length of the clean gradient, if it was computed in one piece.
    pub gradient_norm: Option<f64>,
}

impl<'a> ObservedOracle<'a> {
    /// Loads the batch, unless it is one in groups; random layers act by expectation until told otherwise.
    pub fn new(
        network: &'a mut Network<f32>,
        batch: Batch<'a>,
        place: Place,
        sharing: Option<&'a mut Sharing>,
        partners: Option<Partners<'a>>,
        twin: Option<&'a mut DualNetwork>,
        interrupt: &'a Interrupt,
    ) -> Result<Self, BatchError> {
        let mut loaded = 0..0;
        if sharing.is_none() {
            network.set_batch(batch.images, batch.labels)?;
            loaded = 0..batch.labels.len();
        }
        Ok(Self {
            network,
            batch,
            place,
            sharing,
            whole: None,
            loaded,
            partners,
            twin,
            penalty: None,
            random: None,
            interrupt,
            spent: Duration::ZERO,
            clean_loss: 0.0,
            gradients: 0.0,
            hits: 0,
            gradient_norm: None,
        })
    }

    /// What random layers draw from in all gradients of this step.
    pub fn set_random(&mut self, random: Option<Random>) {
        self.random = random;
        self.network.set_random(random);
        if let Some(twin) = &mut self.twin {
            twin.inner.set_random(random);
        }
    }

    /// What is a term of the loss beside the data's, in all gradients of this step.
    pub const fn set_penalty(&mut self, penalty: Option<&'a Penalty>) {
        self.penalty = penalty;
    }

    /// Where whole parameters go, in all gradients of this step; these are the weights.
    pub const fn set_whole(&mut self, weights: &'a mut [f32]) {
        self.whole = Some(weights);
    }

    fn check_interrupt(&self) -> Result<(), OracleError> {
        if self.interrupt.requested() { Err(OracleError::Interrupted) } else { Ok(()) }
    }

    /// Does `work` if the batch is one in groups.
    pub fn in_groups<R>(&mut self, work: impl FnOnce(&mut Self, &mut Sharing) -> R) -> Option<R> {
        let sharing = self.sharing.take()?;
        let done = work(self, sharing);
        self.sharing = Some(sharing);
        Some(done)
    }

    /// Images of the batch of all ranks.
    pub const fn total(&self) -> usize {
        self.place.total
    }

    /// Running statistics, as they are now.
    pub fn statistics(&self) -> &[f32] {
        self.network.statistics()
    }

    /// Before a group: its running statistics start from these, if there are any.
    pub fn begin_group(&mut self, statistics: &[f32]) {
        (self.clean_loss, self.hits) = (0.0, 0);
        self.end_groups(statistics);
    }

    /// After all groups: so are the running statistics, if there are any.
    pub fn end_groups(&mut self, statistics: &[f32]) {
        if !statistics.is_empty() {
            self.network.set_statistics(statistics).expect("they came from this network");
        }
    }

    /// What random layers draw from for some of the images: each what it would draw if the batch were computed as a whole.
    fn random_of(&self, part: &Range<usize>) -> Option<Random> {
        self.random.map(|random| Random { first: self.place.first + part.start, ..random })
    }

    /// Overwrites `out` with the product of the Hessian of the images in `part` with `vector`.
    fn product(
        &mut self,
        part: Range<usize>,
        params: &[f64],
        vector: &[f64],
        out: &mut [f32],
    ) -> Result<(), OracleError> {
        self.check_interrupt()?;
        let started = Instant::now();
        let random = self.random_of(&part);
        let twin = self.twin.as_mut().ok_or(BatchError::NoBatch)?;
        let images = self.batch.images.slice_axis(Axis(0), Slice::from(part.clone()));
        let images: Array4<Dual64> = images.mapv(|value| Dual64::from_re(f64::from(value)));
        twin.inner.set_batch(images.view(), &self.batch.labels[part.clone()])?;
        twin.inner.set_random(random);
        let mut product = vec![0.0; out.len()];
        twin.hessian_vector(params, vector, &mut product)?;
        out.iter_mut().zip(product).for_each(|(out, product)| *out = product as f32);
        if let Some(penalty) = self.penalty {
            let vector: Vec<f32> = vector.iter().map(|&value| value as f32).collect();
            penalty.add_gradient(&vector, out);
        }
        self.spent += started.elapsed();
        self.gradients += PRODUCT * part.len() as f64 / self.place.total as f64;
        Ok(())
    }

    /// The gradient of the images in `part`.
    fn observed(
        &mut self,
        part: Range<usize>,
        params: &[f32],
        grads: &mut [f32],
        pass: Pass,
        ready: &mut Ready<'_, [f32]>,
    ) -> Result<f64, OracleError> {
        self.check_interrupt()?;
        let started = Instant::now();
        if part != self.loaded {
            let images = self.batch.images.slice_axis(Axis(0), Slice::from(part.clone()));
            self.network.set_batch(images, &self.batch.labels[part.clone()])?;
            self.network.set_random(self.random_of(&part));
            self.loaded = part.clone();
        }
        let mut loss = match self.partners {
            // Nothing is ready before the penalty is in it.
            None if self.penalty.is_some() => self.network.gradient(params, grads, pass)?,
            None => self.network.gradient_in_parts(params, grads, pass, ready)?,
            Some(_) => self.network.gradient(params, grads, pass)?,
        };
        if pass == Pass::Clean {
            self.hits += self.network.latest().correct;
        }
        let mut computed = 1.0;
        if let Some(Partners { labels, share, scratch }) = &mut self.partners {
            let images = self.batch.images.slice_axis(Axis(0), Slice::from(part.clone()));
            self.network.set_batch(images, &labels[part.clone()])?;
            // The statistics have followed these images already.
            let other = self.network.gradient(params, scratch, Pass::Perturbed)?;
            self.network.set_batch(images, &self.batch.labels[part.clone()])?;
            let (first, second) = (*share as f32, (1.0 - *share) as f32);
            grads.iter_mut().zip(scratch.iter()).for_each(|(g, other)| *g = first * *g + second * other);
            loss = *share * loss + (1.0 - *share) * other;
            computed = 2.0;
        }
        if let Some(penalty) = self.penalty {
            penalty.add_gradient(params, grads);
        }
        self.spent += started.elapsed();
        let share = part.len() as f64 / self.place.total as f64;
        self.gradients += computed * share;
        if pass == Pass::Clean {
            self.clean_loss += share * loss;
            self.gradient_norm = (share == 1.0).then(|| length(grads));
        }
        Ok(loss)
    }
}

impl GradientOracle<[f32]> for ObservedOracle<'_> {
    type Loss = f64;
    type Error = OracleError;

    fn gradient(&mut self, params: &[f32], grads: &mut [f32], pass: Pass) -> Result<f64, OracleError> {
        self.gradient_in_parts(params, grads, pass, &mut |_, _| {})
    }

    fn gradient_in_parts(
        &mut self,
        params: &[f32],
        grads: &mut [f32],
        pass: Pass,
        ready: &mut Ready<'_, [f32]>,
    ) -> Result<f64, OracleError> {
        let groups = self.in_groups(|oracle, sharing| {
            let loss = oracle.mean_of_groups(
                sharing,
                params,
                grads,
                pass,
                |oracle, part, params, grads, ready| oracle.observed(part, params, grads, pass, ready),
            )?;
            if pass == Pass::Clean {
                oracle.gradient_norm = Some(match &sharing.sharded {
                    Some(Partly { joint, .. }) => joint.euclidean(grads),
                    None => length(grads),
                });
            }
            Ok(loss)
        });
        match groups {
            Some(loss) => loss,
            None => self.observed(0..self.batch.labels.len(), params, grads, pass, ready),
        }
    }
}

impl sam_core::MiniBatch<f32> for ObservedOracle<'_> {
    type Error = OracleError;

    fn samples(&self) -> usize {
        self.batch.labels.len()
    }

    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        params: &[f32],
        grads: &mut [f32],
        pass: Pass,
    ) -> Result<f32, OracleError> {
        Ok(self.observed(samples, params, grads, pass, &mut |_, _| {})? as f32)
    }
}

/// A batch that tells which entries of a group's SAM gradient are final: those of the perturbed pass's, the last that is
/// computed of it.
pub struct Telling<'s, 'a, 'r> {
    /// The batch.
    pub oracle: &'s mut ObservedOracle<'a>,
    /// Whom it tells.
    pub ready: &'s mut Ready<'r, [f32]>,
}

impl sam_core::MiniBatch<f32> for Telling<'_, '_, '_> {
    type Error = OracleError;

    fn samples(&self) -> usize {
        self.oracle.samples()
    }

    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        params: &[f32],
        grads: &mut [f32],
        pass: Pass,
    ) -> Result<f32, OracleError> {
        match pass {
            Pass::Perturbed => Ok(self.oracle.observed(samples, params, grads, pass, self.ready)? as f32),
            _ => self.oracle.gradient_of(samples, params, grads, pass),
        }
    }
}

impl HessianVector<[f32]> for ObservedOracle<'_> {
    fn hessian_vector(&mut self, params: &[f32], vector: &[f32], out: &mut [f32]) -> Result<(), OracleError> {
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
        let (params, vector) = (wide(params), wide(vector));
        let groups = self.in_groups(|oracle, sharing| {
            oracle.mean_of_groups(sharing, &[], out, Pass::Perturbed, |oracle, part, _, out, _| {
                oracle.product(part, &params, &vector, out)?;
                Ok::<_, OracleError>(0.0)
            })
        });
        match groups {
            Some(product) => product.map(drop),
            None => self.product(0..self.batch.labels.len(), &params, &vector, out),
        }
    }
}
