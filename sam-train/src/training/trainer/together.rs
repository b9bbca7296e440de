//! What a run on several ranks asks of all of them: the same work, the same weights, and one end.

use std::rc::Rc;

use sam_core::Pass;
use sha2::{Digest, Sha256};

use super::{Trainer, TrainingError};
use crate::{
    json,
    ranks::{Ranks, agreement::other},
    training::{
        history::History, learner::Word, metrics::EpochMetrics, nonfinite::Origin, overlap::Overlap,
        shard_state::ShardState, state::State,
    },
};

impl Trainer<'_> {
    /// The processes that share out its steps.
    pub fn ranks(&self) -> Rc<dyn Ranks> {
        Rc::clone(&self.ranks)
    }

    /// Says what this rank tells the others with the next step.
    pub fn tell(&mut self, word: Word) {
        self.learner.tell(word);
    }

    /// Whether the run is to stop here, on all ranks: with one as soon as it is `asked` to, with several once all of them have
    /// heard of it, with the latest step.
    pub fn stops(&self, asked: bool) -> bool {
        if self.ranks().is_alone() { asked } else { self.learner.told_to_stop() }
    }

    /// Makes sure that all ranks have the same settings, data and program, and send messages of one kind.
    pub(super) fn check_common_run(&self) -> Result<(), TrainingError> {
        let ranks = self.ranks();
        let overlap = if ranks.background().is_some() { Overlap::On } else { Overlap::Off }.to_string();
        let shard_state = if ranks.shard_state() { ShardState::On } else { ShardState::Off }.to_string();
        for (what, own) in [
            ("the program's version", env!("CARGO_PKG_VERSION")),
            ("the settings", &self.position.settings),
            ("the data", &self.position.data),
            ("the overlap of sums", &overlap),
            ("the sharding of state", &shard_state),
        ] {
            if let Some(rank) = other(&*ranks, own.as_bytes()) {
                return Err(TrainingError::Apart { rank, what });
            }
        }
        Ok(())
    }

    /// Makes sure that all ranks have the same weights, bit for bit.
    pub(super) fn check_common_weights(&mut self) -> Result<(), TrainingError> {
        let ranks = self.ranks();
        if ranks.is_alone() {
            return Ok(());
        }
        let mut hash = Sha256::new();
        for value in &*self.learner.weight_access()?.parameters()? {
            hash.update(value.to_le_bytes());
        }
        match other(&*ranks, &hash.finalize()) {
            Some(rank) => Err(TrainingError::Apart { rank, what: "the weights" }),
            None => Ok(()),
        }
    }

    /// The state as the first rank has it, and where that is not finite, which all hear.
    pub(super) fn state_on_first(&mut self) -> Result<(Option<State>, Option<Origin>), TrainingError> {
        let state = self.learner.export_on_first()?;
        let found = state.as_ref().and_then(State::first_nonfinite);
        let found = found.map(|tensor| Origin::of_layer(tensor.group(), tensor.layer()));
        let ranks = self.ranks();
        if ranks.is_alone() {
            return Ok((state, found));
        }
        let told = ranks.broadcast(json::line(&found).into_bytes());
        Ok((state, serde_json::from_slice(&told).unwrap_or(found)))
    }

    /// SHA-256 of the weights, as [`State::weights_sha256`].
    ///
    /// # Errors
    /// [`TrainingError::Learner`], when the backend fails.
    pub fn weights_sha256(&mut self) -> Result<String, TrainingError> {
        let own = self.learner.export_on_first()?.map(|state| state.weights_sha256());
        let told = self.ranks().broadcast(own.unwrap_or_default().into_bytes());
        Ok(String::from_utf8_lossy(&told).into_owned())
    }

    /// What the first rank has read of the epochs before: others may not see the file, and when a run ends is told from it.
    pub(super) fn of_first(&self, read: impl FnOnce() -> History) -> History {
        let ranks = self.ranks();
        if ranks.is_alone() {
            return read();
        }
        let own = if ranks.is_first() { read() } else { History::default() };
        let epochs = ranks.broadcast(json::line(&own.epochs()).into_bytes());
        match ranks.is_first() {
            true => own,
            false => History::of(serde_json::from_slice::<Vec<EpochMetrics>>(&epochs).unwrap_or_default()),
        }
    }

    /// What the ranks compute with, if not all with the same: that of the first and that of another.
    pub fn mixed_arithmetic(&self) -> Option<(String, String)> {
        let ranks = self.ranks();
        if ranks.is_alone() {
            return None;
        }
        let all = ranks.gather(self.learner.arithmetic().as_bytes());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let another = all.iter().find(|other| **other != all[0])?;
        Some((text(&all[0]), text(another)))
    }

    /// Where the latest step met a number that is not finite, if a rank can tell: only the one whose images led to it knows
    /// the layer.
    pub(super) fn origin(&self, pass: Pass) -> Option<Origin> {
        let own = self.learner.origin(pass);
        let ranks = self.ranks();
        if ranks.is_alone() {
            return own;
        }
        let all = ranks.gather(json::line(&own).as_bytes());
        let mut all: Vec<Option<Origin>> =
            all.iter().map(|bytes| serde_json::from_slice(bytes).unwrap_or_default()).collect();
        let knows =
            |origin: &Option<Origin>| origin.as_ref().is_some_and(|origin| origin.quantity == "output");
        let rank = all.iter().position(knows);
        // Of a gradient in shards only who has the entry can tell.
        let tells = rank.or_else(|| all.iter().position(Option::is_some)).unwrap_or(0);
        let origin = all.swap_remove(tells)?;
        Some(Origin { rank, ..origin })
    }
}
