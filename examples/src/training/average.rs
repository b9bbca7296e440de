//! Averages of the weights along a run: kept beside the weights, and saved with them.

use std::convert::Infallible;

use sam_core::{Average, LengthMismatch, State as _, WordsMut};
use serde::{Deserialize, Serialize};

use super::{
    counters::{copy_counters, counters},
    learner::{Learner, LearnerError},
    state::{STATISTICS, State, Tensor, WEIGHTS},
};

/// Which averages of the weights are evaluated beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AverageSettings {
    /// The decay of an exponential moving average over all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// The first epoch, from 1, whose final weights are in an average that weighs all alike (SWA, Izmailov et al. 2018).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swa_from: Option<usize>,
}

impl AverageSettings {
    /// No average.
    pub const NONE: Self = Self { ema: None, swa_from: None };

    /// Whether there is none.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// What is wrong in a run of so many epochs, if anything: name, range, value.
    pub(super) fn invalid(&self, epochs: usize) -> Option<(&'static str, &'static str, String)> {
        let decay = self.ema.filter(|decay| !(0.0..1.0).contains(&(*decay as f32)));
        let from = self.swa_from.filter(|from| !(1..=epochs).contains(from));
        let decay = decay.map(|decay| ("ema", "a number from 0 up and below 1", decay.to_string()));
        decay.or_else(|| Some(("swa-from", "an epoch from 1 up to --epochs", from?.to_string())))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::from(self.ema.is_some()) + usize::from(self.swa_from.is_some())
    }
}

/// An average of weights, with what batch normalisation needs to be evaluated with them.
#[derive(Debug)]
pub struct RunningAverage {
    /// The first part of its tensors' names.
    name: &'static str,
    weights: Average<f32, Vec<f32>>,
    /// Running statistics averaged alike; without, they must be measured anew.
    statistics: Option<Average<f32, Vec<f32>>>,
}

impl RunningAverage {
    /// Over the steps of `learner`, later ones counting more, its running statistics included.
    ///
    /// # Errors
    /// [`LearnerError`], when the learner cannot say what its weights are.
    pub fn exponential(decay: f64, learner: &mut impl Learner) -> Result<Self, LearnerError> {
        let decay = decay as f32;
        let of = |length| Average::exponential(decay, vec![0.0; length]);
        let statistics = Some(of(learner.statistics()?.len()));
        Ok(Self { name: "ema", weights: of(learner.parameters()?.len()), statistics })
    }

    /// Over chosen weights of `learner`, all counting alike.
    ///
    /// # Errors
    /// [`LearnerError`], when the learner cannot say what its weights are.
    pub fn uniform(learner: &mut impl Learner) -> Result<Self, LearnerError> {
        let weights = Average::uniform(vec![0.0; learner.parameters()?.len()]);
        Ok(Self { name: "swa", weights, statistics: None })
    }

    /// Takes in the weights that `learner` has now.
    ///
    /// # Errors
    /// [`LearnerError`], when the learner cannot say what they are.
    pub fn add(&mut self, learner: &mut impl Learner) -> Result<(), LearnerError> {
        let wrong = |error: LengthMismatch| LearnerError::backend(error);
        self.weights.add(&learner.parameters()?).map_err(wrong)?;
        match &mut self.statistics {
            Some(statistics) => statistics.add(&learner.statistics()?).map_err(wrong),
            None => Ok(()),
        }
    }

    /// The average of the weights; `None` before the first.
    pub fn weights(&self) -> Option<&[f32]> {
        (self.weights.count() > 0).then(|| self.weights.mean())
    }

    /// The average of the running statistics, if it has one.
    pub fn statistics(&self) -> Option<&[f32]> {
        self.statistics.as_ref().map(Average::mean)
    }

    /// Whether the tensor of that name is this average's.
    pub fn owns(&self, tensor: &str) -> bool {
        let name = tensor.strip_prefix("counts/").unwrap_or(tensor);
        name.strip_prefix(self.name).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Its tensors, named and cut like those of `learner`, the state of the learner that it is of.
    pub fn export(&self, learner: &State) -> Vec<Tensor> {
        let mut tensors = vec![counters(&format!("{}.steps", self.name), &[self.weights.count()])];
        for (group, average) in [(WEIGHTS, Some(&self.weights)), (STATISTICS, self.statistics.as_ref())] {
            let mut values = average.map_or(&[][..], Average::mean).iter();
            for tensor in learner.group(group).filter(|_| average.is_some()) {
                tensors.push(Tensor {
                    name: format!("{}.{}", self.name, tensor.name),
                    shape: tensor.shape.clone(),
                    values: values.by_ref().take(tensor.values.len()).copied().collect(),
                });
            }
        }
        tensors
    }

    /// Takes over its tensors from `saved`, which has all that [`RunningAverage::export`] would give.
    pub fn import(&mut self, learner: &State, saved: &State) {
        let mut count = 0;
        copy_counters(saved, &format!("{}.steps", self.name), std::slice::from_mut(&mut count));
        for (group, average) in [(WEIGHTS, Some(&mut self.weights)), (STATISTICS, self.statistics.as_mut())] {
            let Some(average) = average else { continue };
            let tensors =
                learner.group(group).filter_map(|own| saved.get(&format!("{}.{}", self.name, own.name)));
            let values: Vec<f32> = tensors.flat_map(|tensor| &tensor.values).copied().collect();
            let done: Result<(), Infallible> = average.load(&mut |_, words| {
                match words {
                    WordsMut::Reals(mean) => mean.copy_from_slice(&values),
                    WordsMut::Counts(counts) => counts.fill(count),
                }
                Ok(())
            });
            let Ok(()) = done;
        }
    }
}
