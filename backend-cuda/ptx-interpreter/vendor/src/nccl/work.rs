//! What ranks have asked for within a group, as messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::hub::{ALL_GATHER, BROADCAST, Link, Lost, POINT_TO_POINT};
use crate::device::Memory;

/// One rank's communicator.
pub struct Communicator {
    pub link: Link,
    pub rank: u32,
    pub ranks: u32,
    /// The device that it is of.
    pub device: i32,
    /// What went wrong in work that was asked for.
    pub failure: AtomicU32,
}

/// `ncclRemoteError` and `ncclInvalidUsage`.
const REMOTE_ERROR: u32 = 6;
const INVALID_USAGE: u32 = 5;

/// A call within a group, with lengths in bytes.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    Send { to: u32, from: u64, bytes: usize },
    Receive { from: u32, to: u64, bytes: usize },
    AllGather { from: u64, to: u64, bytes: usize },
    Broadcast { root: u32, from: u64, to: u64, bytes: usize },
}

impl Communicator {
    /// Does all of a group: everything is sent before anything is waited for.
    pub fn run(&self, operations: &[Operation], memory: &Memory) -> Result<(), u32> {
        if self.failure.load(Ordering::SeqCst) != 0 {
            return Ok(());
        }
        let outcome =
            self.send(operations, memory)?.and_then(|()| self.receive(operations, memory).transpose());
        match outcome {
            Ok(None) => {}
            Ok(Some(code)) => return Err(code),
            Err(lost) => {
                let (failure, what) = match lost {
                    Lost::Gone => (REMOTE_ERROR, "a rank has gone"),
                    Lost::Other => (INVALID_USAGE, "ranks do not ask for the same"),
                };
                eprintln!("vendor-stand-in: NCCL: rank {} of {}: {what}", self.rank, self.ranks);
                self.failure.store(failure, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    fn send(&self, operations: &[Operation], memory: &Memory) -> Result<Result<(), Lost>, u32> {
        for operation in operations {
            let (receivers, kind, from, bytes) = match *operation {
                Operation::Send { to, from, bytes } => (to..to + 1, POINT_TO_POINT, from, bytes),
                Operation::AllGather { from, bytes, .. } => (0..self.ranks, ALL_GATHER, from, bytes),
                Operation::Broadcast { root, from, bytes, .. } if root == self.rank => {
                    (0..self.ranks, BROADCAST, from, bytes)
                }
                Operation::Broadcast { .. } | Operation::Receive { .. } => continue,
            };
            let bytes = memory.read_bytes(from, bytes)?;
            for receiver in receivers {
                if let Err(lost) = self.link.send(receiver, kind, bytes.clone()) {
                    return Ok(Err(lost));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Writes what comes; a code of the driver's where that is refused.
    fn receive(&self, operations: &[Operation], memory: &Memory) -> Option<Result<u32, Lost>> {
        for operation in operations {
            let (senders, kind, to, bytes) = match *operation {
                Operation::Receive { from, to, bytes } => (from..from + 1, POINT_TO_POINT, to, bytes),
                Operation::AllGather { to, bytes, .. } => (0..self.ranks, ALL_GATHER, to, bytes),
                Operation::Broadcast { root, to, bytes, .. } => (root..root + 1, BROADCAST, to, bytes),
                Operation::Send { .. } => continue,
            };
            for (place, sender) in senders.enumerate() {
                let received = match self.link.receive(sender, kind, bytes) {
                    Ok(received) => received,
                    Err(lost) => return Some(Err(lost)),
                };
                if let Err(code) = memory.write_bytes(to + (place * bytes) as u64, &received) {
                    return Some(Ok(code));
                }
            }
        }
        None
    }
}

/// The communicators of a group's calls with their streams, each once, with what was asked for there.
pub fn by_stream(
    calls: Vec<(Arc<Communicator>, usize, Operation)>,
) -> Vec<(Arc<Communicator>, usize, Vec<Operation>)> {
    let mut sorted: Vec<(Arc<Communicator>, usize, Vec<Operation>)> = Vec::new();
    for (communicator, stream, operation) in calls {
        let same =
            sorted.iter_mut().find(|(other, at, _)| Arc::ptr_eq(other, &communicator) && *at == stream);
        match same {
            Some((.., operations)) => operations.push(operation),
            None => sorted.push((communicator, stream, vec![operation])),
        }
    }
    sorted
}
