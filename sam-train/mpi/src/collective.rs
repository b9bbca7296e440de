//! A message among all ranks that goes on while this one computes, with the memory that it needs until it has arrived.
#![allow(unsafe_code, reason = "buffers that MPI uses after the call that names them has returned")]

use std::slice;

use mpi::{
    request::{Request, StaticScope},
    topology::SimpleCommunicator,
    traits::CommunicatorCollectives,
};

/// Two buffers, and at most one message that reads one of them and writes the other.
///
/// Nobody gets at the buffers while it is on its way: whoever asks for them waits for it first, and so does dropping them.
#[derive(Default)]
pub struct Collective {
    first: Vec<f32>,
    second: Vec<f32>,
    under_way: Option<Request<'static, [f32], StaticScope>>,
}

impl Collective {
    /// The buffers, once nothing is on its way.
    pub fn buffers(&mut self) -> [&mut Vec<f32>; 2] {
        self.wait();
        [&mut self.first, &mut self.second]
    }

    /// Begins to send each rank its part of the first buffer; the second gets what the others send to this one, in their order.
    /// Both are as long, a multiple of the number of ranks.
    pub fn spread(&mut self, communicator: &SimpleCommunicator) {
        self.wait();
        let (sent, received) = self.leased();
        self.under_way = Some(communicator.immediate_all_to_all_into(StaticScope, &*sent, received));
    }

    /// Begins to send `part` entries from the front of the second buffer to all ranks; the first, as long as those of all of them, gets
    /// what the others send, in their order.
    pub fn collect(&mut self, communicator: &SimpleCommunicator, part: usize) {
        self.wait();
        let (received, sent) = self.leased();
        let sent = &sent[..part];
        self.under_way = Some(communicator.immediate_all_gather_into(StaticScope, sent, received));
    }

    /// Whether nothing is on its way any more. Asking moves it on.
    pub fn has_arrived(&mut self) -> bool {
        self.under_way = self.under_way.take().and_then(|request| request.test().err());
        self.under_way.is_none()
    }

    fn wait(&mut self) {
        if let Some(request) = self.under_way.take() {
            request.wait_without_status();
        }
    }

    /// The buffers for as long as a message needs them, which nobody can tell the compiler.
    fn leased(&mut self) -> (&'static mut [f32], &'static mut [f32]) {
        // SAFETY: both are the initialised entries of a vector of its own, and have no other user: nothing is on its way, as
        // callers have made sure. They live until the message has arrived: the vectors, which this type does not let out of
        // its hands, are neither changed nor freed before `wait`, and are not freed at all if this value is forgotten. Moving
        // this value does not move their entries.
        unsafe {
            (
                slice::from_raw_parts_mut(self.first.as_mut_ptr(), self.first.len()),
                slice::from_raw_parts_mut(self.second.as_mut_ptr(), self.second.len()),
            )
        }
    }
}

impl Drop for Collective {
    fn drop(&mut self) {
        self.wait();
    }
}
