//! Steps on a batch that is cut into groups, which several GPUs share out.

use std::{ops::Range, rc::Rc};

use sam_backend_cuda::{Communicator, DeviceStep, Parts, Sharing, StepGraph, UniqueId};

use crate::{
    ranks::{
        Ranks,
        agreement::{PeerFailed, agreed, from_first},
        groups::Share,
    },
    training::learner::{LearnerError, Word},
};

/// What a learner needs to share steps out. GPUs tell each other gradients and what goes with them; the ranks' own messages, one of a
/// byte before each step, say who can take part in it.
pub struct InGroups {
    ranks: Rc<dyn Ranks>,
    /// Of each batch; none where batches are computed as a whole.
    groups: Option<usize>,
    /// What this rank tells the others with the next step.
    pub word: Word,
    /// Whether some rank said, with the latest step, that it was asked to stop.
    pub told_to_stop: bool,
}

impl InGroups {
    /// Steps of these ranks.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when they cannot share the groups out.
    pub fn new(groups: Option<usize>, ranks: Rc<dyn Ranks>) -> Result<Self, LearnerError> {
        Share::new(groups.unwrap_or(1), ranks.rank(), ranks.size()).map_err(LearnerError::backend)?;
        Ok(Self { ranks, groups, word: Word::Nothing, told_to_stop: false })
    }

    /// The processes.
    pub fn ranks(&self) -> Rc<dyn Ranks> {
        Rc::clone(&self.ranks)
    }

    /// What of each batch a rank of `ranks` has.
    fn share(&self, rank: usize, ranks: usize) -> Result<Share, LearnerError> {
        Share::new(self.groups.unwrap_or(1), rank, ranks).map_err(LearnerError::backend)
    }

    /// The groups of a batch of so many images, wherever they are computed, with their numbers.
    pub fn numbered(&self, images: usize) -> Vec<(usize, Range<usize>)> {
        self.share(0, 1).map_or(Vec::new(), |share| share.numbered(images).collect())
    }

    /// Tells all ranks whether this one can take part in the next step, and its word; hears those of the others. All of them make the
    /// step, or none.
    ///
    /// # Errors
    /// The own one; [`LearnerError::Peer`], when another rank has one.
    pub fn meet<T>(&mut self, own: Result<T, LearnerError>) -> Result<T, LearnerError> {
        if self.ranks.is_alone() {
            return own;
        }
        let word = if own.is_err() { Word::Failed } else { self.word };
        let words = self.ranks.gather(&[word as u8]);
        let says = |word: Word| words.iter().position(|said| *said == [word as u8]);
        self.told_to_stop = says(Word::Stop).is_some();
        match (own, says(Word::Failed)) {
            (Ok(_), Some(rank)) => Err(PeerFailed(rank).into()),
            (own, _) => own,
        }
    }

    /// Makes sure that `steps` share out batches of so many images; at the first step the GPUs of all ranks find each other.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when they do not, or the device fails; [`LearnerError::Peer`], when another rank's does.
    pub fn share_out<S: DeviceStep>(
        &self,
        steps: &mut StepGraph<S>,
        images: usize,
    ) -> Result<(), LearnerError> {
        if self.groups.is_none() {
            return Ok(());
        }
        let known = steps.sharing().map(|sharing| sharing.samples());
        if known == Some(images) {
            return Ok(());
        }
        let (rank, size) = (self.ranks.rank(), self.ranks.size());
        let own = self.share(rank, size)?;
        let first = own.own(images).start;
        let of = |rank: usize| self.share(rank, size).map(|share| share.own(images));
        let parts = Parts {
            samples: images,
            own: own.parts(images).map(|part| part.start + first..part.end + first).collect(),
            ranks: (0..size).map(of).collect::<Result<_, _>>()?,
        };
        if let Some(sharing) = steps.sharing() {
            return Ok(sharing.set_parts(parts)?);
        }
        let device = steps.params().device().clone();
        let (weights, statistics) = (steps.params().len(), steps.network().running_statistics().len());
        let communicator = match self.ranks.is_alone() {
            true => None,
            false => {
                let ranks = &*self.ranks;
                let id = from_first::<LearnerError>(ranks, || Ok(UniqueId::new()?.as_bytes().to_vec()))?;
                let joined =
                    UniqueId::from_bytes(&id).and_then(|id| Communicator::new(&device, &id, rank, size));
                Some(agreed(ranks, joined.map_err(LearnerError::from))?)
            }
        };
        let sharing = Sharing::new(&device, communicator, parts, weights, statistics);
        steps.share(agreed(&*self.ranks, sharing.map_err(LearnerError::from))?);
        Ok(())
    }

    /// After a step that has failed here: the others wait no longer.
    pub fn leave<S: DeviceStep>(&self, steps: &mut StepGraph<S>) {
        if let Some(sharing) = steps.sharing() {
            sharing.close();
        }
    }
}
