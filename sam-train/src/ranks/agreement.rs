//! One outcome for all ranks, where each has its own.

use super::Ranks;

/// Another rank has failed, and this one cannot go on without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("rank {0} has failed, and the others cannot go on without it; what it says itself is the reason")]
pub struct PeerFailed(pub usize);

/// The own outcome, if no rank has failed; the own error, if this one has; [`PeerFailed`] if others have. All ranks come
/// here together, and so either all of them go on or none.
///
/// # Errors
/// Those.
pub fn agreed<T, E: From<PeerFailed>>(ranks: &dyn Ranks, own: Result<T, E>) -> Result<T, E> {
    if ranks.is_alone() {
        return own;
    }
    let failed = ranks.gather(&[u8::from(own.is_err())]).iter().position(|flag| flag != &[0]);
    match (own, failed) {
        (Ok(_), Some(rank)) => Err(PeerFailed(rank).into()),
        (own, _) => own,
    }
}

/// What `make` gives on the first rank, as bytes, on all of them.
///
/// # Errors
/// Those of `make` on the first rank, [`PeerFailed`] on the others.
pub fn from_first<E: From<PeerFailed>>(
    ranks: &dyn Ranks,
    make: impl FnOnce() -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let made = if ranks.is_first() { make() } else { Ok(Vec::new()) };
    Ok(ranks.broadcast(agreed(ranks, made)?))
}

/// The first rank that has other bytes than the first, if there is one.
pub fn other(ranks: &dyn Ranks, own: &[u8]) -> Option<usize> {
    if ranks.is_alone() {
        return None;
    }
    let all = ranks.gather(own);
    all.iter().position(|bytes| *bytes != all[0])
}
