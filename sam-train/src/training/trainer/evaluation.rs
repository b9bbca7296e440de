//! Evaluation on the test set: of the weights as they are, and of averages of them.

use ndarray::Axis;
use sam_model::Evaluation;

use super::{Trainer, TrainingError};
use crate::training::{
    average::{Averaged, Which},
    learner::Batch,
};

impl Trainer<'_> {
    /// Loss and hits on the whole test set.
    ///
    /// # Errors
    /// [`TrainingError::Data`]; [`TrainingError::Learner`], when the evaluation fails.
    pub fn evaluate_test(&mut self) -> Result<Evaluation, TrainingError> {
        let mut total: Option<Evaluation> = None;
        self.images.visit(&self.dataset.test, |images, labels| {
            let part = self.learner.evaluate(Batch { images, labels })?;
            total = Some(total.map_or(part, |total| total.and(part)));
            Ok::<_, TrainingError>(())
        })?;
        Ok(total.unwrap_or_default())
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
        let evaluation = measured.and_then(|()| self.evaluate_test());
        self.learner.weight_access()?.set_parameters(&own.0, &own.1)?;
        evaluation.map(Some)
    }

    /// Makes the running statistics those of the training images at `weights`, which the learner has.
    fn measure_statistics(&mut self, weights: &[f32]) -> Result<(), TrainingError> {
        let batch = self.settings.batch.largest();
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
