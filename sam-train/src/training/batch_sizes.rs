//! How many images a step takes, and so how a run's steps lie in its epochs.

use std::{fmt, ops::Range};

use serde::{Deserialize, Serialize};

use super::settings::{LastBatch, Settings};

/// Images a step: one number for a whole run, or one for each of several equal parts of its epochs. A batch that grows
/// does what a learning rate that falls does, in fewer steps (Smith et al., ICLR 2018).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Repr", into = "Repr")]
pub struct BatchSizes {
    first: usize,
    later: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of images, or a list of them")]
enum Repr {
    One(usize),
    Several(Vec<usize>),
}

/// A list of batch sizes without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected at least one batch size, found none")]
pub struct NoBatchSize;

impl BatchSizes {
    /// The same for the whole run.
    pub const fn one(size: usize) -> Self {
        Self { first: size, later: Vec::new() }
    }

    /// In the order of the epochs; never empty.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.first).chain(self.later.iter().copied())
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        1 + self.later.len()
    }

    /// What a network must have room for.
    pub fn largest(&self) -> usize {
        self.iter().fold(0, usize::max)
    }
}

impl From<usize> for BatchSizes {
    fn from(size: usize) -> Self {
        Self::one(size)
    }
}

impl TryFrom<Vec<usize>> for BatchSizes {
    type Error = NoBatchSize;

    fn try_from(sizes: Vec<usize>) -> Result<Self, NoBatchSize> {
        let (&first, later) = sizes.split_first().ok_or(NoBatchSize)?;
        Ok(Self { first, later: later.to_vec() })
    }
}

impl TryFrom<Repr> for BatchSizes {
    type Error = NoBatchSize;

    fn try_from(repr: Repr) -> Result<Self, NoBatchSize> {
        match repr {
            Repr::One(size) => Ok(size.into()),
            Repr::Several(sizes) => sizes.try_into(),
        }
    }
}

impl From<BatchSizes> for Repr {
    fn from(sizes: BatchSizes) -> Self {
        if sizes.later.is_empty() { Self::One(sizes.first) } else { Self::Several(sizes.iter().collect()) }
    }
}

impl fmt::Display for BatchSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.later.iter().try_for_each(|size| write!(f, ",{size}"))
    }
}

/// Which steps a run has, and which images of an epoch's order each of them takes.
#[derive(Debug, Clone)]
pub struct Timetable {
    sizes: BatchSizes,
    last: LastBatch,
    images: usize,
    epochs: usize,
}

impl Timetable {
    /// The passes that `settings` ask for over `images` images, at least as many as the largest batch.
    pub fn new(settings: &Settings, images: usize) -> Self {
        Self { sizes: settings.batch.clone(), last: settings.last_batch, images, epochs: settings.epochs }
    }

    /// Images a step in `epoch`, counted from 0; past the last one it is the last one's.
    pub fn batch(&self, epoch: usize) -> usize {
        let last = self.epochs.saturating_sub(1);
        let part = epoch.min(last) * self.sizes.count() / self.epochs.max(1);
        self.sizes.iter().nth(part).unwrap_or(self.sizes.first)
    }

    /// Steps in `epoch`.
    pub fn steps(&self, epoch: usize) -> usize {
        self.steps_of(self.batch(epoch))
    }

    /// Steps in an epoch of batches of `size` images.
    fn steps_of(&self, size: usize) -> usize {
        self.taken_of(size).div_ceil(size)
    }

    fn taken_of(&self, size: usize) -> usize {
        self.last.taken(self.images, size)
    }

    /// How many images, from the first of its order on, the steps of `epoch` take.
    pub fn taken(&self, epoch: usize) -> usize {
        self.taken_of(self.batch(epoch))
    }

    /// The place in the order of `epoch` of the images that its step `step` takes, counted from 0.
    pub fn range(&self, epoch: usize, step: usize) -> Range<usize> {
        let batch = self.batch(epoch);
        step * batch..((step + 1) * batch).min(self.taken(epoch))
    }

    /// Steps in all epochs before `epoch`; past the last one as many more as it has.
    pub fn before(&self, epoch: usize) -> usize {
        let beyond = epoch.saturating_sub(self.epochs) * self.steps(epoch);
        // The part `i` begins with the first epoch that `batch` takes for one of its own.
        let begin = |part: usize| (part * self.epochs).div_ceil(self.sizes.count()).min(epoch);
        let parts = self.sizes.iter().enumerate();
        beyond + parts.map(|(i, size)| (begin(i + 1) - begin(i)) * self.steps_of(size)).sum::<usize>()
    }

    /// All steps.
    pub fn total(&self) -> usize {
        self.before(self.epochs)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{data::DataSource, training::settings::Method};

    proptest! {
        #[test]
        fn steps_add_up_and_sizes_take_turns_over_equal_parts(
            sizes in proptest::collection::vec(1..50_usize, 1..5), images in 50..300_usize, extra in 0..20_usize, keep in any::<bool>(),
        ) {
            let epochs = sizes.len() + extra;
            let sizes_text = sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            let batches = BatchSizes::try_from(sizes.clone()).unwrap();
            prop_assert_eq!(batches.to_string(), sizes_text);
            let mut settings = Settings::new("lenet".parse().unwrap(), DataSource::Digits, Method::Sgd);
            settings.last_batch = if keep { LastBatch::Keep } else { LastBatch::Drop };
            (settings.batch, settings.epochs) = (batches, epochs);
            let table = Timetable::new(&settings, images);
            let steps_of = |size: usize| (0..images).step_by(size).filter(|from| keep || from + size <= images).count();
            let mut before = 0;
            let mut lengths = vec![0_usize; sizes.len()];
            let mut part = 0;
            for epoch in 0..epochs {
                // An epoch belongs to the part that its beginning lies in.
                while (part + 1) as f64 <= epoch as f64 * sizes.len() as f64 / epochs as f64 {
                    part += 1;
                }
                lengths[part] += 1;
                prop_assert_eq!(table.batch(epoch), sizes[part]);
                prop_assert_eq!(table.before(epoch), before);
                prop_assert_eq!(table.steps(epoch), steps_of(sizes[part]));
                // Steps take the order from its start, none an image twice.
                let mut end = 0;
                for step in 0..table.steps(epoch) {
                    let range = table.range(epoch, step);
                    prop_assert_eq!(range.start, end);
                    end = range.end;
                }
                prop_assert_eq!((end, table.taken(epoch)), (end, end));
                before += steps_of(sizes[part]);
            }
            prop_assert_eq!(table.total(), before);
            prop_assert_eq!(table.before(epochs + 3), before + 3 * steps_of(sizes[sizes.len() - 1]));
            let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
            prop_assert!(*least > 0 && most - least <= 1, "{:?}", lengths);
        }
    }

    #[test]
    fn sizes_are_written_as_a_number_or_a_list() {
        let of = |text: &str| serde_json::from_str::<BatchSizes>(text);
        for text in ["64", "[32,64]"] {
            assert_eq!(crate::json::line(&of(text).unwrap()), text);
        }
        assert!(of("[]").unwrap_err().to_string().contains("at least one batch size"));
        assert!(of("\"64\"").unwrap_err().to_string().contains("expected a number of images"));
    }
}
