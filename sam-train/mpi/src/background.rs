//! Sums over ranks that go on while these compute, in the order of the tree.

use std::{cell::RefCell, collections::VecDeque, thread};

use mpi::{topology::SimpleCommunicator, traits::Communicator};
use sam_train::ranks::{overlap::Background, tree};

use crate::collective::Collective;

/// The steps of [`World::sum`](crate::World), each begun as soon as the one before it is over. All calls of MPI are the
/// caller's own, so that its lowest level of threads for a program that has some, `MPI_THREAD_FUNNELED`, is enough.
pub struct InBackground {
    /// Ranks begin the messages of a communicator in one order; which of a sum's steps comes after which of another's is for
    /// each to decide.
    spreading: SimpleCommunicator,
    collecting: SimpleCommunicator,
    ranks: usize,
    /// From the oldest on.
    begun: RefCell<VecDeque<Sum>>,
    /// Memory of earlier ones.
    idle: RefCell<Vec<Collective>>,
}

/// One that was begun.
struct Sum {
    /// Entries that each rank adds up.
    part: usize,
    /// Whether it ends with that.
    ends_in_parts: bool,
    collective: Collective,
    /// Whether this rank has added up its part.
    is_added: bool,
}

impl InBackground {
    /// Over the ranks of `communicator`, all of which make one.
    pub fn new(communicator: &SimpleCommunicator) -> Self {
        Self {
            spreading: communicator.duplicate(),
            collecting: communicator.duplicate(),
            ranks: communicator.size() as usize,
            begun: RefCell::default(),
            idle: RefCell::default(),
        }
    }

    /// Whether the oldest sum is over, having moved on all that were begun.
    fn oldest_is_over(&self) -> bool {
        let mut begun = self.begun.borrow_mut();
        for sum in &mut *begun {
            if sum.is_added {
                continue;
            }
            // Those behind it must not overtake it.
            if !sum.collective.has_arrived() {
                break;
            }
            let [_, received] = sum.collective.buffers();
            tree::add(received, sum.part);
            if !sum.ends_in_parts {
                sum.collective.collect(&self.collecting, sum.part);
            }
            sum.is_added = true;
        }
        begun.front_mut().is_none_or(|oldest| oldest.is_added && oldest.collective.has_arrived())
    }
}

impl InBackground {
    fn begin_sum(&self, values: &[f32], part: usize, ends_in_parts: bool) {
        let mut collective = self.idle.borrow_mut().pop().unwrap_or_default();
        let padded = part * self.ranks;
        let [sent, received] = collective.buffers();
        sent.clear();
        // No more than what is sent: a vector that grows takes twice as much as it has.
        sent.reserve_exact(padded);
        sent.extend_from_slice(values);
        sent.resize(padded, 0.0);
        received.resize(padded, 0.0);
        collective.spread(&self.spreading);
        self.begun.borrow_mut().push_back(Sum { part, ends_in_parts, collective, is_added: false });
    }
}

impl Background for InBackground {
    fn begin(&self, values: &[f32]) {
        self.begin_sum(values, values.len().div_ceil(self.ranks), false);
    }

    fn begin_part(&self, values: &[f32], part: usize) {
        self.begin_sum(values, part, true);
    }

    fn proceed(&self) {
        self.oldest_is_over();
    }

    fn end(&self, values: &mut [f32]) {
        while !self.oldest_is_over() {
            // Another rank of this machine may be what it waits for.
            thread::yield_now();
        }
        let oldest = self.begun.borrow_mut().pop_front();
        let Sum { mut collective, ends_in_parts, .. } = oldest.expect("a sum ends that was begun");
        let [sums, received] = collective.buffers();
        let sums = if ends_in_parts { received } else { sums };
        values.copy_from_slice(&sums[..values.len()]);
        self.idle.borrow_mut().push(collective);
    }
}
