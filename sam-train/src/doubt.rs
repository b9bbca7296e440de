//! What is allowed, is rarely meant, and is said: of a run's settings at its start, of its outcome at its end.

use crate::{
    data::Dataset,
    report::counted,
    training::{evaluated::Evaluated, settings::Settings},
};

/// A test error of so much of [`Dataset::chance_error`], or more, is that of a network that has learnt nothing.
const AT_CHANCE: f64 = 0.95;

/// Something that a run does and that whoever started it may not want.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// The last, smaller batch of an epoch is dropped.
    #[error(
        "each epoch leaves out {} of {images} training images, others each time: a step takes {batch}, and the \
         smaller last batch is dropped; `last-batch` keep takes it",
        .images % .batch
    )]
    LeftOut {
        /// Training images.
        images: usize,
        /// Images a step.
        batch: usize,
    },
    /// The learning rate never reaches its peak.
    #[error(
        "`warmup-epochs` {warmup}: the run ends after {}, before the learning rate has reached `lr`",
        counted(*.epochs, "epoch")
    )]
    OnlyWarmup {
        /// Epochs of warm-up.
        warmup: usize,
        /// Epochs of the run.
        epochs: usize,
    },
    /// No step moves anything.
    #[error("`lr` 0: no step moves the weights")]
    NoRate,
    /// The network has learnt nothing.
    #[error(
        "{run}: a {evaluated_on} error of {error:.2} %, where naming the most frequent class gives {chance:.2} %: this network has \
         not learnt; train longer, lower `rho` or `lr`, or add `warmup-epochs`"
    )]
    AtChance {
        /// The run for people.
        run: String,
        /// Its error in percent.
        error: f64,
        /// Which images that is of.
        evaluated_on: Evaluated,
        /// That of the same answer to everything.
        chance: f64,
    },
    /// The run began on a machine with other arithmetic.
    #[error(
        "the steps so far were computed with {before}, those from here on with {now}: the weights will have the bits of \
         neither alone"
    )]
    OtherArithmetic {
        /// That of the steps in the checkpoint.
        before: String,
        /// That of this machine.
        now: String,
    },
    /// The ranks of a run do not compute alike.
    #[error(
        "the machines of this run compute with {first} and with {another}: another number of ranks will give weights with \
         other bits"
    )]
    MixedArithmetic {
        /// That of the first rank.
        first: String,
        /// That of another.
        another: String,
    },
}

impl Doubt {
    /// What is to be said before a run of `settings` on so many training images.
    pub fn about(settings: &Settings, images: usize) -> Vec<Self> {
        let (warmup, epochs) = (settings.schedule.warmup_epochs, settings.epochs);
        let left_out = settings.batch.iter().find(|&batch| settings.last_batch.taken(images, batch) < images);
        let only_warmup = (warmup > epochs).then_some(Self::OnlyWarmup { warmup, epochs });
        let no_rate = (settings.sgd.lr == 0.0).then_some(Self::NoRate);
        [left_out.map(|batch| Self::LeftOut { images, batch }), only_warmup, no_rate]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What is to be said after the run `name` on `dataset` has ended with the error `error`, in percent, on its test images, which are `evaluated_on`.
    pub fn about_outcome(name: &str, error: f64, evaluated_on: Evaluated, dataset: &Dataset) -> Option<Self> {
        let chance = dataset.chance_error();
        let at_chance = || Self::AtChance { run: name.to_owned(), error, evaluated_on, chance };
        (!has_learnt(error, chance)).then(at_chance)
    }
}

/// Whether a network with this test error is better than one that always names the most frequent class, which has the error `chance`.
pub fn has_learnt(error: f64, chance: f64) -> bool {
    error < AT_CHANCE * chance
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        data::DataSource,
        training::settings::{LastBatch, Method},
    };

    proptest! {
        #[test]
        fn what_is_said_to_be_left_out_is_what_no_step_takes(
            images in 1..500_usize, batch in 1..100_usize, keep in any::<bool>(),
        ) {
            let mut settings = Settings::new("lenet".parse().unwrap(), DataSource::Digits, Method::Sgd);
            settings.batch = batch.into();
            settings.last_batch = if keep { LastBatch::Keep } else { LastBatch::Drop };
            let whole = (0..images).step_by(batch).filter(|from| from + batch <= images).count() * batch;
            match Doubt::about(&settings, images).as_slice() {
                [] => prop_assert!(keep || whole == images),
                [doubt @ Doubt::LeftOut { .. }] => {
                    prop_assert!(!keep);
                    let start = format!("each epoch leaves out {} of {images} ", images - whole);
                    prop_assert!(doubt.to_string().starts_with(&start));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
