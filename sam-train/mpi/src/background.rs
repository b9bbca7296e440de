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
    length: usize,
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
            let part = sum.length.div_ceil(self.ranks);
            let [_, received] = sum.collective.buffers();
            tree::add(received, part);
            sum.collective.collect(&self.collecting, part);
            sum.is_added = true;
        }
        begun.front_mut().is_none_or(|oldest| oldest.is_added && oldest.collective.has_arrived())
    }
}

impl Background for InBackground {
    fn begin(&self, values: &[f32]) {
        let mut collective = self.idle.borrow_mut().pop().unwrap_or_default();
        let padded = values.len().div_ceil(self.ranks) * self.ranks;
        let [sent, received] = collective.buffers();
        sent.clear();
        sent.extend_from_slice(values);
        sent.resize(padded, 0.0);
        received.resize(padded, 0.0);
        collective.spread(&self.spreading);
        self.begun.borrow_mut().push_back(Sum { length: values.len(), collective, is_added: false });
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
        let Sum { mut collective, .. } = oldest.expect("a sum ends that was begun");
        let [sums, _] = collective.buffers();
        values.copy_from_slice(&sums[..values.len()]);
        self.idle.borrow_mut().push(collective);
    }
}
