//! Training batches that the host makes, for learners whose backend does not.

use std::ops::Range;

use super::learner::{Batch, Chosen, TrainingImages};
use crate::{
    data::{BatchMaker, BatchShare, DataError, Prefetcher},
    ranks::groups::Share,
};

/// Makes the batches that steps choose, one ahead of the one in use where that pays.
#[derive(Debug)]
pub struct HostBatches {
    images: Prefetcher,
    /// Of all training images.
    labels: Vec<u16>,
    /// Of the latest batch.
    chosen: Vec<u16>,
    /// The part of each batch that is made.
    share: Share,
}

impl HostBatches {
    /// Batches of `images`.
    pub fn new(images: &TrainingImages<'_>) -> Self {
        let &TrainingImages { pixels, labels, shape, standardizer, augmentation, seed, batch } = images;
        let maker = BatchMaker::of(pixels.clone(), shape, standardizer.clone(), batch);
        let images = Prefetcher::new(maker, batch, augmentation, seed);
        Self { images, labels: labels.to_vec(), chosen: Vec::with_capacity(batch), share: Share::WHOLE }
    }

    /// Only this part of each batch is made.
    pub fn set_share(&mut self, share: Share) {
        self.share = share;
    }

    /// The chosen images with their labels, or this rank's part of them. Begins with the batch behind them, if the epoch has
    /// one.
    ///
    /// # Errors
    /// [`DataError`], when the file of the images cannot be read.
    pub fn take(&mut self, chosen: Chosen<'_>) -> Result<Batch<'_>, DataError> {
        let Chosen { epoch, order, taken, range } = chosen;
        let behind = range.end..(range.end + range.len()).min(taken);
        let next = order.get(self.own(behind.clone())).filter(|next| !next.is_empty());
        let next = next.map(|chosen| BatchShare { chosen, batch: order[behind.start] });
        let batch = order.get(range.start).copied().unwrap_or(0);
        let chosen = &order[self.own(range)];
        self.chosen.clear();
        self.chosen.extend(chosen.iter().map(|&index| self.labels[index]));
        let images = self.images.take(epoch, BatchShare { chosen, batch }, next)?;
        Ok(Batch { images, labels: &self.chosen })
    }

    fn own(&self, batch: Range<usize>) -> Range<usize> {
        let own = self.share.own(batch.len());
        batch.start + own.start..batch.start + own.end
    }
}
