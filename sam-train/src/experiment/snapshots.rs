//! Looks at runs along training: the epochs whose state is kept, and a model to look at it with.

use super::{
    ExperimentError,
    design::Design,
    runner::{Job, Runner},
};
use crate::{
    analysis::model::Model, data::replace_at_random, report::statistics::Estimate,
    training::learner::LearnerError,
};
use sam_backend_ndarray::Scalar;

/// About `count` epochs from the first to the last, the last one included; evenly spaced.
pub fn epochs(last: usize, count: usize) -> Vec<usize> {
    let count = count.clamp(1, last.max(1));
    let mut epochs: Vec<usize> = (1..=count).map(|i| (i * last).div_ceil(count)).collect();
    epochs.dedup();
    epochs
}

/// The network of `job` with the training images it sees, and with their noisy labels; at most `images` of them.
///
/// # Errors
/// [`ExperimentError::Learner`], when the network cannot be built.
pub fn training_model<T: Scalar>(job: &Job<'_>, images: usize) -> Result<Model<T>, ExperimentError> {
    let dataset = &job.data.dataset;
    let noise = job.settings.data.label_noise;
    let noisy = replace_at_random(&dataset.train.labels, dataset.classes, noise, job.settings.seed);
    let mut labels = noisy.labels;
    labels.truncate(images);
    Ok(Model::new(&job.settings, dataset, &dataset.train, labels)?)
}

/// Looks at a run's weights after `epoch` epochs: the mean over `batches` batches of its training images of what `values`
/// finds there.
///
/// # Errors
/// [`ExperimentError`], when the state cannot be read or `values` fails.
pub fn mean_over_batches<T: Scalar, const N: usize>(
    runner: &Runner<'_>,
    job: &Job<'_>,
    epoch: usize,
    batches: usize,
    mut values: impl FnMut(&mut Model<T>, &[T]) -> Result<[f64; N], LearnerError>,
) -> Result<[f64; N], ExperimentError> {
    let batch = job.settings.batch.largest();
    let mut model = training_model::<T>(job, batches * batch)?;
    let weights = model.weights(&runner.state(job, epoch)?)?;
    let batches = (model.len() / batch).max(1);
    let mut means = [0.0; N];
    for i in 0..batches {
        model.choose(i * batch..(i + 1) * batch);
        let found = values(&mut model, &weights)?;
        means.iter_mut().zip(found).for_each(|(mean, value)| *mean += value / batches as f64);
    }
    Ok(means)
}

/// For each epoch looked at, the mean over seeds of what `values` has: seed, then epoch.
pub fn along(design: &Design, epochs: &[usize], values: &[Vec<f64>]) -> Vec<(usize, Estimate)> {
    let at =
        |i: usize| (0..design.seeds).filter_map(|seed| values.get(seed)?.get(i).copied()).collect::<Vec<_>>();
    epochs.iter().enumerate().map(|(i, &epoch)| (epoch, Estimate::of(&at(i)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_evenly_spaced_and_end_with_the_last() {
        assert_eq!(epochs(40, 4), [10, 20, 30, 40]);
        assert_eq!(epochs(3, 10), [1, 2, 3]);
        assert_eq!(epochs(7, 2), [4, 7]);
        assert_eq!(epochs(1, 1), [1]);
    }
}
