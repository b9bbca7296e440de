//! Averages of the weights along a run: kept beside the weights, wherever those are, and saved with them.

use std::borrow::Cow;

use sam_core::{Average, State as _, ValuesMut, average::Weighting};
use serde::{Deserialize, Serialize};

use super::{
    counters::{copy_counters, counters},
    invalid_setting::InvalidSetting,
    learner::LearnerError,
    range::Range,
    state::{STATISTICS, State, Tensor, WEIGHTS},
};

/// Which averages of the weights are evaluated beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AverageSettings {
    /// The decay of an exponential moving average over all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// The first step, from 1, that is averaged with those before it, with a decay that rises from 0.1 up to `ema`:
    /// TensorFlow's average, as EfficientNets are trained. Nothing: the average has no such step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_from: Option<u64>,
    /// The first epoch, from 1, whose final weights are in an average that weighs all alike (SWA, Izmailov et al. 2018).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swa_from: Option<usize>,
}

impl AverageSettings {
    /// No average.
    pub const NONE: Self = Self { ema: None, ema_from: None, swa_from: None };

    /// Whether there is none.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Makes sure that every number is in its range in a run of so many epochs.
    ///
    /// # Errors
    /// [`InvalidSetting`] for the first that is not.
    pub(super) fn check(&self, epochs: usize) -> Result<(), InvalidSetting> {
        Range::BelowOne.check("ema", self.ema.unwrap_or(0.0))?;
        match self.ema_from {
            Some(0) => return Err(InvalidSetting::new("ema-from", "a step from 1 up", 0)),
            Some(from) if self.ema.is_none() => {
                return Err(InvalidSetting::new(
                    "ema-from",
                    "`ema`, the highest decay of that average",
                    from,
                ));
            }
            _ => {}
        }
        match self.swa_from {
            Some(from) if !(1..=epochs).contains(&from) => {
                Err(InvalidSetting::new("swa-from", "an epoch from 1 up to `epochs`", from))
            }
            _ => Ok(()),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::from(self.ema.is_some()) + usize::from(self.swa_from.is_some())
    }

    /// How the weights that are taken into an average count in it; `None` if it is not wanted.
    fn weighting(&self, which: Which) -> Option<Weighting<f32>> {
        match which {
            Which::Ema => self.ema.map(|decay| match self.ema_from {
                Some(from) => Weighting::Warmed { decay: decay as f32, from },
                None => Weighting::Exponential { decay: decay as f32 },
            }),
            Which::Swa => self.swa_from.map(|_| Weighting::Uniform),
        }
    }

    /// Whether there is this one.
    pub fn wants(&self, which: Which) -> bool {
        self.weighting(which).is_some()
    }
}

/// One of the averages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Over all steps, later ones counting more. Running statistics are averaged alike.
    Ema,
    /// Over the ends of epochs, all counting alike. Running statistics must be measured anew at it.
    Swa,
}

impl Which {
    const ALL: [Self; 2] = [Self::Ema, Self::Swa];

    /// The first part of its tensors' names.
    const fn name(self) -> &'static str {
        match self {
            Self::Ema => "ema",
            Self::Swa => "swa",
        }
    }
}

/// An average where the numbers are that it is of.
pub trait Mean: Sized {
    /// Those numbers.
    type Numbers: ?Sized;

    /// Takes in the numbers of one more step.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when they are more or fewer, or the backend fails.
    fn add(&mut self, numbers: &Self::Numbers) -> Result<(), LearnerError>;

    /// Steps that were taken in.
    fn count(&self) -> u64;

    /// The average.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the backend fails.
    fn read(&self) -> Result<Cow<'_, [f32]>, LearnerError>;

    /// Makes it what it was after `count` steps.
    ///
    /// # Errors
    /// As [`Mean::add`].
    fn restore(&mut self, count: u64, mean: &[f32]) -> Result<(), LearnerError>;
}

impl Mean for Average<f32, Vec<f32>> {
    type Numbers = [f32];

    fn add(&mut self, numbers: &[f32]) -> Result<(), LearnerError> {
        Self::add(self, numbers).map_err(LearnerError::backend)
    }

    fn count(&self) -> u64 {
        Self::count(self)
    }

    fn read(&self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Ok(Cow::Borrowed(self.mean()))
    }

    fn restore(&mut self, count: u64, mean: &[f32]) -> Result<(), LearnerError> {
        self.load(&mut |_, values| match values {
            ValuesMut::Reals(own) => own.copy_from_slice(mean),
            ValuesMut::Counts(counts) => counts.fill(count),
        });
        Ok(())
    }
}

/// An average of weights on the host, with what batch normalisation needs to be evaluated with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Averaged {
    /// The weights.
    pub weights: Vec<f32>,
    /// Running statistics averaged alike; without, they must be measured anew.
    pub statistics: Option<Vec<f32>>,
}

/// The averages that a learner keeps of its weights.
#[derive(Debug)]
pub struct Averages<M>(Vec<Running<M>>);

#[derive(Debug)]
struct Running<M> {
    which: Which,
    weights: M,
    statistics: Option<M>,
}

impl<M: Mean> Averages<M> {
    /// Those that `settings` want, of nothing yet. `new` makes one of so many numbers.
    ///
    /// # Errors
    /// Those of `new`.
    pub fn new<E>(
        settings: &AverageSettings,
        weights: usize,
        statistics: usize,
        new: impl Fn(Weighting<f32>, usize) -> Result<M, E>,
    ) -> Result<Self, E> {
        let mut averages = Vec::new();
        for which in Which::ALL {
            let Some(weighting) = settings.weighting(which) else { continue };
            let statistics = (which == Which::Ema).then(|| new(weighting, statistics)).transpose()?;
            averages.push(Running { which, weights: new(weighting, weights)?, statistics });
        }
        Ok(Self(averages))
    }

    /// Takes in the weights and running statistics of one more step.
    ///
    /// # Errors
    /// [`LearnerError::NoAverages`], when there is no such average; as [`Mean::add`].
    pub fn add(
        &mut self,
        which: Which,
        weights: &M::Numbers,
        statistics: &M::Numbers,
    ) -> Result<(), LearnerError> {
        let average = self.0.iter_mut().find(|average| average.which == which);
        let average = average.ok_or(LearnerError::NoAverages)?;
        average.weights.add(weights)?;
        average.statistics.as_mut().map_or(Ok(()), |average| average.add(statistics))
    }

    /// One of them; `None` before its first step.
    ///
    /// # Errors
    /// As [`Averages::add`] and [`Mean::read`].
    pub fn read(&self, which: Which) -> Result<Option<Averaged>, LearnerError> {
        let average = self.0.iter().find(|average| average.which == which);
        let Running { weights, statistics, .. } = average.ok_or(LearnerError::NoAverages)?;
        if weights.count() == 0 {
            return Ok(None);
        }
        let statistics = statistics.as_ref().map(Mean::read).transpose()?.map(Cow::into_owned);
        Ok(Some(Averaged { weights: weights.read()?.into_owned(), statistics }))
    }

    /// Adds their tensors to `learner`, the state of the learner without them; they are named and cut like its own.
    ///
    /// # Errors
    /// As [`Mean::read`].
    pub fn export(&self, learner: &mut State) -> Result<(), LearnerError> {
        let mut tensors = Vec::new();
        for Running { which, weights, statistics } in &self.0 {
            let name = which.name();
            tensors.push(counters(&format!("{name}.steps"), &[weights.count()]));
            for (group, mean) in [(WEIGHTS, Some(weights)), (STATISTICS, statistics.as_ref())] {
                let Some(mean) = mean else { continue };
                let mean = mean.read()?;
                let mut values = mean.iter();
                tensors.extend(learner.group(group).map(|tensor| Tensor {
                    name: format!("{name}.{}", tensor.name),
                    shape: tensor.shape.clone(),
                    values: values.by_ref().take(tensor.values.len()).copied().collect(),
                }));
            }
        }
        learner.tensors.extend(tensors);
        Ok(())
    }

    /// Takes them over from `saved`, which has all the tensors of `learner`, the learner's state.
    ///
    /// # Errors
    /// As [`Mean::restore`].
    pub fn import(&mut self, learner: &State, saved: &State) -> Result<(), LearnerError> {
        for Running { which, weights, statistics } in &mut self.0 {
            let name = which.name();
            let mut count = 0;
            copy_counters(saved, &format!("{name}.steps"), std::slice::from_mut(&mut count));
            for (group, mean) in [(WEIGHTS, Some(weights)), (STATISTICS, statistics.as_mut())] {
                let Some(mean) = mean else { continue };
                let tensors =
                    learner.group(group).filter_map(|own| saved.get(&format!("{name}.{}", own.name)));
                let values: Vec<f32> = tensors.flat_map(|tensor| &tensor.values).copied().collect();
                mean.restore(count, &values)?;
            }
        }
        Ok(())
    }
}
