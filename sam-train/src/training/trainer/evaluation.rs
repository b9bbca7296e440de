//! Evaluation on the test set: of the weights as they are, and of averages of them.

use ndarray::Axis;
use sam_model::Evaluation;

use super::{Trainer, TrainingError};
use crate::{
    ranks::{Ranks, agreement::agreed},
    training::{
        average::{Averaged, Which},
        learner::Batch,
    },
};

impl Trainer<'_> {
    /// Loss and hits on the whole test set, parts of which the ranks share out.
    ///
    /// # Errors
    /// [`TrainingError::Data`]; [`TrainingError::Learner`], when the evaluation fails.
    pub fn evaluate_test(&mut self) -> Result<Evaluation, TrainingError> {
        let ranks = self.ranks();
        let (rank, size) = (ranks.rank(), ranks.size());
        let mut parts = Vec::new();
        let mut number = 0;
        let own = self.images.visit(&self.dataset.test, |images, labels| {
            if number % size == rank {
                parts.push(self.learner.evaluate(Batch { images, labels })?);
            }
            number += 1;
            Ok::<_, TrainingError>(())
        });
        agreed(&*ranks, own)?;
        let parts = match &*ranks {
            ranks if ranks.is_alone() => parts,
            ranks => from_all(ranks, &parts, number),
        };
        Ok(parts.into_iter().reduce(Evaluation::and).unwrap_or_default())
    }

    /// The same for the exponential moving average of the weights, if the run has one and has begun.
    ///
    /// # Errors
    /// As [`Trainer::evaluate_test`].
    pub fn evaluate_ema(&mut self) -> Result<Option<Evaluation>, TrainingError> {
        self.evaluate_average(Which::Ema)
    }

    /// The same for the equal-weight average, once it has begun. Its batch normalisation goes by the statistics that the
    /// training images have at it (Izmailov et al. 2018): unaugmented, batch by batch, each image counting alike.
    ///
    /// # Errors
    /// As [`Trainer::evaluate_test`].
    pub fn evaluate_swa(&mut self) -> Result<Option<Evaluation>, TrainingError> {
        self.evaluate_average(Which::Swa)
    }

    /// Lends the learner an average's weights; its own are back afterwards, bit for bit, whatever happens.
    fn evaluate_average(&mut self, which: Which) -> Result<Option<Evaluation>, TrainingError> {
        if !self.settings.average.wants(which) {
            return Ok(None);
        }
        let learner = self.learner.weight_access()?;
        let Some(Averaged { weights, statistics }) = learner.average(which)? else { return Ok(None) };
        let own = (learner.parameters()?.into_owned(), learner.statistics()?.into_owned());
        learner.set_parameters(&weights, statistics.as_deref().unwrap_or(&own.1))?;
        let measured = match statistics {
            None if !own.1.is_empty() => self.measure_statistics(&weights),
            _ => Ok(()),
        };
        let measured = agreed(&*self.ranks(), measured);
        let evaluation = measured.and_then(|()| self.evaluate_test());
        self.learner.weight_access()?.set_parameters(&own.0, &own.1)?;
        evaluation.map(Some)
    }

    /// Makes the running statistics those of the training images at `weights`, which the learner has.
    fn measure_statistics(&mut self, weights: &[f32]) -> Result<(), TrainingError> {
        let batch = self.settings.at_once();
        let (mut sums, mut images_seen) = (Vec::new(), 0.0);
        self.images.visit(&self.dataset.train, |images, labels| {
            for (images, labels) in images.axis_chunks_iter(Axis(0), batch).zip(labels.chunks(batch)) {
                let part = self.learner.weight_access()?.measure(Batch { images, labels })?;
                let count = labels.len() as f64;
                sums.resize(part.len(), 0.0);
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += count * f64::from(part));
                images_seen += count;
            }
            Ok::<_, TrainingError>(())
        })?;
        let means: Vec<f32> = sums.iter().map(|sum| (sum / images_seen) as f32).collect();
        Ok(self.learner.weight_access()?.set_parameters(weights, &means)?)
    }
}

/// The evaluations of `count` parts in their order, of which the ranks have every so many-th.
fn from_all(ranks: &dyn Ranks, own: &[Evaluation], count: usize) -> Vec<Evaluation> {
    let words = own.iter().flat_map(|part| [part.loss.to_bits(), part.correct as u64, part.count as u64]);
    let gathered = ranks.gather(&words.flat_map(u64::to_le_bytes).collect::<Vec<_>>());
    let mut all: Vec<_> = gathered
        .iter()
        .map(|bytes| bytes.as_chunks().0.iter().map(|&word| u64::from_le_bytes(word)))
        .collect();
    (0..count)
        .filter_map(|number| {
            let words = &mut all[number % ranks.size()];
            let (loss, correct, count) = (words.next()?, words.next()?, words.next()?);
            Some(Evaluation { loss: f64::from_bits(loss), correct: correct as usize, count: count as usize })
        })
        .collect()
}
