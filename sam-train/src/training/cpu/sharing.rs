//! The gradient of a batch that is cut into groups, on as many processes as share these out.

use std::{mem, ops::Range, rc::Rc};

use sam_core::{Pass, Ready};

use super::{
    early::{Early, Out},
    joint::Joint,
    oracle::{ObservedOracle, OracleError},
};
use crate::{
    ranks::{Ranks, agreement::PeerFailed, groups::Share, shards::Shards, tree::Tree},
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
    /// Where ranks keep a shard each of weights and gradients.
    pub sharded: Option<Partly>,
    leaf: Vec<f32>,
    tree: Tree,
}

/// What a gradient of the weights that this rank has a shard of takes.
pub struct Partly {
    /// The shards.
    pub joint: Joint,
    /// Whether a step takes its first gradient at the weights; what the method gives for others has to come together.
    pub first_at_weights: bool,
}

impl Partly {
    /// Makes `whole`, which is the weights when a step begins, the parameters that this rank has the shard `params` of.
    fn bring_together(&self, params: &[f32], pass: Pass, whole: &mut [f32]) {
        let Joint { shards, .. } = self.joint;
        if pass == Pass::Clean && self.first_at_weights {
            debug_assert!(
                shards
                    .parts(self.joint.rank())
                    .all(|(part, local)| bits(&whole[part]).eq(bits(&params[local]))),
                "a step that begins at the weights"
            );
            return;
        }
        shards.all_gather(self.joint.ranks(), params, whole);
    }
}

fn bits(values: &[f32]) -> impl Iterator<Item = u32> {
    values.iter().map(|value| value.to_bits())
}

impl Sharing {
    /// What of each batch these ranks share out.
    pub fn new(ranks: Rc<dyn Ranks>, share: Share) -> Self {
        Self {
            ranks,
            share,
            word: Word::Nothing,
            told_to_stop: false,
            start: Vec::new(),
            sharded: None,
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
    /// running statistics as they were before the step, and their mean is kept. Parts that `of_group` says are ready are added
    /// up over the ranks while it goes on, where they can do that.
    ///
    /// Where ranks keep shards, `params` and `out` are this rank's; `of_group` gets whole parameters, and writes a whole gradient.
    ///
    /// # Errors
    /// Those of `of_group`, on the rank where it fails; [`OracleError::Peer`] on the others, in the same call. `out` is then of no use.
    pub fn mean_of_groups<E: From<OracleError>>(
        &mut self,
        sharing: &mut Sharing,
        params: &[f32],
        out: &mut [f32],
        pass: Pass,
        of_group: impl FnMut(&mut Self, Range<usize>, &[f32], &mut [f32], &mut Ready<'_, [f32]>) -> Result<f64, E>,
    ) -> Result<f64, E> {
        match (&sharing.sharded, self.whole.take()) {
            (Some(partly), Some(whole)) => {
                partly.bring_together(params, pass, whole);
                let (shards, rank) = (partly.joint.shards, partly.joint.rank());
                let mean = self.mean_at(sharing, whole, shards, Out::Shard(out, rank), pass, of_group);
                self.whole = Some(whole);
                mean
            }
            _ => {
                let shards = Shards::new(out.len(), sharing.ranks.size());
                self.mean_at(sharing, params, shards, Out::Whole(out), pass, of_group)
            }
        }
    }

    /// The same with whole parameters.
    fn mean_at<E: From<OracleError>>(
        &mut self,
        sharing: &mut Sharing,
        params: &[f32],
        shards: Shards,
        mut out: Out<'_>,
        pass: Pass,
        mut of_group: impl FnMut(
            &mut Self,
            Range<usize>,
            &[f32],
            &mut [f32],
            &mut Ready<'_, [f32]>,
        ) -> Result<f64, E>,
    ) -> Result<f64, E> {
        let Sharing { ranks, share, word, told_to_stop, start, leaf, tree, .. } = sharing;
        let (count, total) = (shards.entries(), self.total());
        let statistics = if pass == Pass::Clean { &start[..] } else { &[] };
        let words = WORDS..WORDS + ranks.size();
        let (clean_loss, hits) = (self.clean_loss, self.hits);
        let mut failed = None;
        tree.clear();
        for (part, left) in share.parts(total).zip((0..share.leaves()).rev()) {
            leaf.clear();
            leaf.resize(count + words.end + statistics.len(), 0.0);
            let weight = part.len() as f64 / total as f64;
            // Behind the last group nothing is added here, so that sums over ranks may begin while it is computed.
            let background = ranks.background().filter(|_| left == 0);
            let mut early =
                background.map(|background| Early::new(background, tree, weight as f32, shards, out.lent()));
            let (gradient, tail) = leaf.split_at_mut(count);
            // The others wait for this rank: it takes part whatever has happened to it.
            if !part.is_empty() && failed.is_none() && *word != Word::Failed {
                self.begin_group(statistics);
                let computed = of_group(self, part, params, gradient, &mut |gradient, part| {
                    if let Some(early) = &mut early {
                        early.take_in(gradient, part);
                    }
                });
                match computed {
                    Ok(loss) => tail[LOSS] = loss as f32,
                    Err(error) => failed = Some(error),
                }
                tail[CLEAN_LOSS] = (self.clean_loss / weight) as f32;
                tail[words.end..].copy_from_slice(&self.statistics()[..statistics.len()]);
                tail.iter_mut().for_each(|value| *value *= weight as f32);
                tail[HITS] = self.hits as f32;
                // What goes early is weighed on its way.
                if early.is_none() {
                    gradient.iter_mut().for_each(|value| *value *= weight as f32);
                }
            }
            if left == 0 {
                tail[words.start + ranks.rank()] = match (&failed, *word) {
                    (Some(_), _) | (_, Word::Failed) => FAILED,
                    (None, Word::Stop) => STOP,
                    (None, Word::Nothing) => 0.0,
                };
            }
            match early {
                Some(early) => early.finish(gradient, tail),
                None => tree.add(leaf),
            }
        }
        if ranks.background().is_none() {
            // Its memory serves the next gradient.
            mem::swap(leaf, tree.sum());
            match &mut out {
                Out::Whole(out) => {
                    ranks.sum(leaf);
                    out.copy_from_slice(&leaf[..count]);
                }
                Out::Shard(out, _) => {
                    let (gradient, tail) = leaf.split_at_mut(count);
                    shards.reduce_scatter(&**ranks, gradient, out);
                    ranks.sum(tail);
                }
            }
        }
        let tail = &leaf[count..];
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(rank) = tail[words.clone()].iter().position(|&word| word == FAILED) {
            return Err(OracleError::Peer(PeerFailed(rank)).into());
        }
        *told_to_stop |= tail[words.clone()].contains(&STOP);
        self.end_groups(&tail[words.end..]);
        (self.clean_loss, self.hits) = match pass {
            Pass::Clean => (f64::from(tail[CLEAN_LOSS]), tail[HITS] as usize),
            _ => (clean_loss, hits),
        };
        Ok(f64::from(tail[LOSS]))
    }
}

/// Words as the numbers that they are in a message, one of each rank: sums with zeros are exact.
const STOP: f32 = 1.0;
const FAILED: f32 = 2.0;
