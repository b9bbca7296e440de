//! The ranks of an MPI world, and sums over them in a fixed order.

use std::cell::RefCell;

use mpi::{
    datatype::PartitionMut,
    topology::SimpleCommunicator,
    traits::{Communicator, CommunicatorCollectives, Root},
};
use sam_train::ranks::{Ranks, overlap::Background, tree};

use crate::background::InBackground;

/// Words that are summed at a time, at most: MPI counts in 32 bits, and a copy of a whole gradient is memory.
const AT_A_TIME: usize = 1 << 22;

/// All processes of a communicator that nobody else uses.
pub struct World {
    communicator: SimpleCommunicator,
    on_this_machine: usize,
    place_on_this_machine: usize,
    background: Option<InBackground>,
    /// What is sent, and what is received, of a sum.
    buffers: RefCell<[Vec<f32>; 2]>,
}

impl World {
    /// Those of `communicator`, all of which make one. Sums may go on while a rank computes if MPI `allows_threads`: one that does not
    /// must not find any while it works.
    pub fn new(communicator: SimpleCommunicator, allows_threads: bool) -> Self {
        let neighbours = communicator.split_shared(communicator.rank());
        let (on_this_machine, place_on_this_machine) =
            (neighbours.size() as usize, neighbours.rank() as usize);
        let overlaps = communicator.size() > 1 && allows_threads;
        let background = overlaps.then(|| InBackground::new(&communicator));
        Self { communicator, on_this_machine, place_on_this_machine, background, buffers: RefCell::default() }
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.communicator.rank() as usize
    }

    fn size(&self) -> usize {
        self.communicator.size() as usize
    }

    fn on_this_machine(&self) -> usize {
        self.on_this_machine
    }

    fn place_on_this_machine(&self) -> usize {
        self.place_on_this_machine
    }

    /// Each rank adds up one part of the vector, in the order of the tree, and then has the others' sums: as much traffic as
    /// a ring. `MPI_Allreduce` adds in whatever order it takes for this size and number of ranks.
    fn sum(&self, values: &mut [f32]) {
        let size = self.size();
        if size == 1 {
            return;
        }
        let [sent, received] = &mut *self.buffers.borrow_mut();
        for values in values.chunks_mut(AT_A_TIME) {
            let part = values.len().div_ceil(size);
            sent.clear();
            sent.extend_from_slice(values);
            sent.resize(part * size, 0.0);
            received.resize(part * size, 0.0);
            self.communicator.all_to_all_into(&sent[..], &mut received[..]);
            tree::add(received, part);
            self.communicator.all_gather_into(&received[..part], &mut sent[..]);
            values.copy_from_slice(&sent[..values.len()]);
        }
    }

    fn reduce_scatter(&self, values: &[f32], part: usize, own: &mut [f32]) {
        if values.is_empty() {
            return;
        }
        let [sent, received] = &mut *self.buffers.borrow_mut();
        let padded = part * self.size();
        sent.clear();
        sent.extend_from_slice(values);
        sent.resize(padded, 0.0);
        received.resize(padded, 0.0);
        self.communicator.all_to_all_into(&sent[..], &mut received[..]);
        tree::add(received, part);
        own.copy_from_slice(&received[..own.len()]);
    }

    fn all_gather(&self, own: &[f32], part: usize, values: &mut [f32]) {
        if values.is_empty() {
            return;
        }
        let [sent, received] = &mut *self.buffers.borrow_mut();
        sent.clear();
        sent.extend_from_slice(own);
        sent.resize(part, 0.0);
        received.resize(part * self.size(), 0.0);
        self.communicator.all_gather_into(&sent[..], &mut received[..]);
        values.copy_from_slice(&received[..values.len()]);
    }

    fn background(&self) -> Option<&dyn Background> {
        self.background.as_ref().map(|background| background as _)
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        // Never empty: the address of nothing may be the one that means MPI_IN_PLACE.
        let own = [&[0], own].concat();
        let mut lengths = vec![0; self.size()];
        self.communicator.all_gather_into(&(own.len() as i32), &mut lengths[..]);
        let mut begins = vec![0; self.size()];
        for rank in 1..begins.len() {
            begins[rank] = begins[rank - 1] + lengths[rank - 1];
        }
        let mut all = vec![0_u8; lengths.iter().map(|&length| length as usize).sum()];
        let mut places = PartitionMut::new(&mut all[..], &lengths[..], &begins[..]);
        self.communicator.all_gather_varcount_into(&own[..], &mut places);
        let of_rank = |(&begin, &length): (&i32, &i32)| all[begin as usize..][1..length as usize].to_vec();
        begins.iter().zip(&lengths).map(of_rank).collect()
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let first = self.communicator.process_at_rank(0);
        let mut length = bytes.len() as u64;
        first.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        bytes.chunks_mut(AT_A_TIME).for_each(|bytes| first.broadcast_into(bytes));
        bytes
    }
}
