//! Ranks that are threads of one process, in the place of MPI.

use std::{
    rc::Rc,
    sync::{Barrier, Mutex},
    thread,
};

use sam_train::ranks::{Ranks, tree};

/// Where they meet.
struct Room {
    barrier: Barrier,
    brought: Mutex<Vec<Vec<u8>>>,
}

struct Thread<'a> {
    rank: usize,
    room: &'a Room,
}

impl Ranks for Thread<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.room.brought.lock().unwrap().len()
    }

    fn sum(&self, values: &mut [f32]) {
        let own: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let all = self.gather(&own).concat();
        let mut all: Vec<f32> = all.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
        assert_eq!(all.len(), values.len() * self.size(), "ranks that sum different vectors");
        tree::add(&mut all, values.len());
        values.copy_from_slice(&all[..values.len()]);
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        self.room.brought.lock().unwrap()[self.rank] = own.to_vec();
        self.room.barrier.wait();
        let all = self.room.brought.lock().unwrap().clone();
        self.room.barrier.wait();
        all
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.gather(&bytes).swap_remove(0)
    }
}

/// What `work` gives on each of so many ranks, in their order.
pub fn on_ranks<T: Send>(size: usize, work: impl Fn(Rc<dyn Ranks>) -> T + Sync) -> Vec<T> {
    // The ranks of a run live as long as its learner may; a test's room as long as the process.
    let room: &'static Room = Box::leak(Box::new(Room {
        barrier: Barrier::new(size),
        brought: Mutex::new(vec![Vec::new(); size]),
    }));
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            (0..size).map(|rank| scope.spawn(move || work(Rc::new(Thread { rank, room })))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
