//! The gradient of a batch that is cut into groups, on as many processes as share these out.

use std::{ops::Range, rc::Rc};

use sam_core::Pass;

use super::oracle::{ObservedOracle, OracleError};
use crate::{
    ranks::{Ranks, agreement::PeerFailed, groups::Share, tree::Tree},
    training::learner::Word,
};

/// What a message has beside the gradient: the loss, the one in the clean pass, images classified rightly there, and a word
/// of every rank. Running statistics follow in the clean pass.
const LOSS: usize = 0;
const CLEAN_LOSS: usize = 1;
const HITS: usize = 2;
const WORDS: usize = 3;

/// What a learner needs to take gradients group by group, and to add them up over the ranks.
pub struct Sharing {
    ranks: Rc<dyn Ranks>,
    /// What of each batch is this rank's.
    pub share: Share,
    /// What it tells the others with the next step.
    pub word: Word,
    /// Whether some rank said in this step that it was asked to stop.
    pub told_to_stop: bool,
    /// Running statistics as of before the step, which every group starts from; empty where they stay as they are.
    pub start: Vec<f32>,
    leaf: Vec<f32>,
    tree: Tree,
}

impl Sharing {
    /// Of batches in `groups` groups on these ranks.
    pub fn new(ranks: Rc<dyn Ranks>, share: Share) -> Self {
        Self {
            ranks,
            share,
            word: Word::Nothing,
            told_to_stop: false,
            start: Vec::new(),
            leaf: Vec::new(),
            tree: Tree::default(),
        }
    }

    /// The processes.
    pub fn ranks(&self) -> Rc<dyn Ranks> {
        Rc::clone(&self.ranks)
    }
}

impl ObservedOracle<'_> {
    /// Overwrites `out` with the mean over the batch of what `of_group` writes for each of its groups, and returns the mean of
    /// the losses, both the same on all ranks. A group counts by its images. In the clean pass every group starts from the
    /// running statistics as they were before the step, and their mean is kept.
    ///
    /// # Errors
    /// Those of `of_group`, on the rank where it fails; [`OracleError::Peer`] on the others, in the same call.
    pub fn mean_of_groups<E: From<OracleError>>(
        &mut self,
        sharing: &mut Sharing,
        out: &mut [f32],
        pass: Pass,
        mut of_group: impl FnMut(&mut Self, Range<usize>, &mut [f32]) -> Result<f64, E>,
    ) -> Result<f64, E> {
        let Sharing { ranks, share, word, told_to_stop, start, leaf, tree } = sharing;
        let (count, total) = (out.len(), self.total());
        let statistics = if pass == Pass::Clean { &start[..] } else { &[] };
        let words = count + WORDS..count + WORDS + ranks.size();
        let (clean_loss, hits) = (self.clean_loss, self.hits);
        let mut failed = None;
        tree.clear();
        for part in share.parts(total) {
            leaf.clear();
            leaf.resize(words.end + statistics.len(), 0.0);
            // The others wait for this rank: it takes part whatever has happened to it.
            if !part.is_empty() && failed.is_none() && *word != Word::Failed {
                let weight = part.len() as f64 / total as f64;
                self.begin_group(statistics);
                match of_group(self, part, &mut leaf[..count]) {
                    Ok(loss) => leaf[count + LOSS] = loss as f32,
                    Err(error) => failed = Some(error),
                }
                leaf[count + CLEAN_LOSS] = (self.clean_loss / weight) as f32;
                leaf[words.end..].copy_from_slice(&self.statistics()[..statistics.len()]);
                leaf.iter_mut().for_each(|value| *value *= weight as f32);
                leaf[count + HITS] = self.hits as f32;
            }
            tree.add(leaf);
        }
        let sum = tree.sum();
        sum[words.start + ranks.rank()] = match (&failed, *word) {
            (Some(_), _) | (_, Word::Failed) => FAILED,
            (None, Word::Stop) => STOP,
            (None, Word::Nothing) => 0.0,
        };
        ranks.sum(sum);
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(rank) = sum[words.clone()].iter().position(|&word| word == FAILED) {
            return Err(OracleError::Peer(PeerFailed(rank)).into());
        }
        *told_to_stop |= sum[words.clone()].contains(&STOP);
        self.end_groups(&sum[words.end..]);
        (self.clean_loss, self.hits) = match pass {
            Pass::Clean => (f64::from(sum[count + CLEAN_LOSS]), sum[count + HITS] as usize),
            _ => (clean_loss, hits),
        };
        out.copy_from_slice(&sum[..count]);
        Ok(f64::from(sum[count + LOSS]))
    }
}

/// Words as the numbers that they are in a message, one of each rank: sums with zeros are exact.
const STOP: f32 = 1.0;
const FAILED: f32 = 2.0;
