//! What a run on one or several ranks keeps: the first rank reads and writes, all hear whether it went well.

use std::{path::Path, rc::Rc};

use super::{ExperimentError, claim::Claim};
use crate::{
    files::{self, FileError},
    observer::Host,
    ranks::{
        Ranks,
        agreement::{agreed, from_first},
    },
    training::trainer::Trainer,
};

/// Whether a file is there, before its content in a message.
const ABSENT: u8 = 0;
const PRESENT: u8 = 1;

/// The directory of a run. All ranks make the same calls; only the first has claimed it and touches it.
pub struct Keeper {
    ranks: Rc<dyn Ranks>,
    /// On the first rank.
    claim: Option<Claim>,
}

impl Keeper {
    /// Claims `path`, as [`Claim::new`].
    ///
    /// # Errors
    /// As [`Claim::new`]; of all methods on the other ranks, [`PeerFailed`](crate::ranks::agreement::PeerFailed).
    pub fn new(path: &Path, host: Host<'_>, ranks: Rc<dyn Ranks>) -> Result<Self, ExperimentError> {
        let claim = ranks.is_first().then(|| Claim::new(path, host)).transpose();
        let claim = agreed(&*ranks, claim)?;
        Ok(Self { ranks, claim })
    }

    /// Does `work` on the first rank.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn first(
        &self,
        work: impl FnOnce(&Claim) -> Result<(), ExperimentError>,
    ) -> Result<(), ExperimentError> {
        agreed(&*self.ranks, self.claim.as_ref().map_or(Ok(()), work))
    }

    /// The content of a file of the directory, if it is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ExperimentError> {
        let mut message = from_first::<ExperimentError>(&*self.ranks, || {
            if !files::present(path) {
                return Ok(vec![ABSENT]);
            }
            let mut content = files::read(path).map_err(FileError::of(path, "read"))?;
            content.push(PRESENT);
            Ok(content)
        })?;
        Ok((message.pop() == Some(PRESENT)).then_some(message))
    }

    /// As [`Claim::save`].
    ///
    /// # Errors
    /// As [`Claim::save`].
    pub fn save(
        &self,
        trainer: &mut Trainer<'_>,
        path: &Path,
        copy: Option<&Path>,
    ) -> Result<(), ExperimentError> {
        let saved = match &self.claim {
            Some(claim) => claim.save(trainer, path, copy),
            // Whether the state is of use is heard by all ranks, and acted upon.
            None => trainer.encode(path).map(drop).map_err(ExperimentError::from),
        };
        agreed(&*self.ranks, saved)
    }

    /// As [`Claim::write`].
    ///
    /// # Errors
    /// As [`Claim::write`].
    pub fn write(
        &self,
        path: &Path,
        write: impl FnOnce(&Path) -> Result<(), FileError>,
    ) -> Result<(), ExperimentError> {
        self.first(|claim| claim.write(path, write))
    }

    /// One outcome for all ranks of what each has done by itself.
    ///
    /// # Errors
    /// The own error.
    pub fn agreed<T, E>(&self, own: Result<T, E>) -> Result<T, ExperimentError>
    where
        ExperimentError: From<E>,
    {
        agreed(&*self.ranks, own.map_err(ExperimentError::from))
    }
}
