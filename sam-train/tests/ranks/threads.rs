//! Ranks that are threads of one process, in the place of MPI.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::{Barrier, Condvar, Mutex},
    thread,
};

use sam_train::ranks::{Ranks, overlap::Background, tree};

/// Where they meet.
struct Room {
    barrier: Barrier,
    brought: Mutex<Vec<Vec<u8>>>,
    /// What ranks have brought for the sums in the background that are not over, by the numbers of these.
    summands: Mutex<HashMap<usize, Vec<Summand>>>,
    came: Condvar,
}

/// A rank and what it has brought.
type Summand = (usize, Vec<f32>);

/// Of a sum in the background, the entries of each rank's part if it gets no more.
type Part = Option<usize>;

/// A call of [`Background`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Begin(usize),
    Proceed,
    End,
}

pub struct Thread<'a> {
    rank: usize,
    room: &'a Room,
    begun: Cell<usize>,
    ended: Cell<usize>,
    /// Of the sums that were begun and have not ended.
    parts: RefCell<VecDeque<Part>>,
    calls: RefCell<Vec<Call>>,
    /// Entries of all sums, at once and in the background.
    summed: Cell<usize>,
}

impl Thread<'_> {
    /// The entries that were summed so far, which are then forgotten.
    pub fn summed(&self) -> usize {
        self.summed.take()
    }

    /// The calls so far, which are then forgotten.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.take()
    }

    fn begin_sum(&self, values: &[f32], part: Part) {
        self.calls.borrow_mut().push(Call::Begin(values.len()));
        self.summed.set(self.summed.get() + values.len());
        self.parts.borrow_mut().push_back(part);
        let number = self.begun.replace(self.begun.get() + 1);
        self.room.summands.lock().unwrap().entry(number).or_default().push((self.rank, values.to_vec()));
        self.room.came.notify_all();
    }
}

/// A rank waits for the others when a sum ends, and not before.
impl Background for Thread<'_> {
    fn begin(&self, values: &[f32]) {
        self.begin_sum(values, None);
    }

    fn begin_part(&self, values: &[f32], part: usize) {
        assert!(part * self.size() >= values.len());
        self.begin_sum(values, Some(part));
    }

    fn proceed(&self) {
        self.calls.borrow_mut().push(Call::Proceed);
    }

    fn end(&self, values: &mut [f32]) {
        self.calls.borrow_mut().push(Call::End);
        let number = self.ended.replace(self.ended.get() + 1);
        assert!(number < self.begun.get(), "a sum that was not begun");
        let mut room = self.room.summands.lock().unwrap();
        while room[&number].len() < self.size() {
            room = self.room.came.wait(room).unwrap();
        }
        let mut brought = room[&number].clone();
        drop(room);
        brought.sort_by_key(|&(rank, _)| rank);
        let length = brought[0].1.len();
        assert!(brought.iter().all(|(_, values)| values.len() == length), "ranks that sum different vectors");
        let mut all = brought.into_iter().map(|(_, values)| values).collect::<Vec<_>>().concat();
        tree::add(&mut all, length);
        let begin = self.parts.borrow_mut().pop_front().unwrap().map_or(0, |part| self.rank * part);
        let begin = begin.min(length);
        values.copy_from_slice(&all[begin..begin + values.len()]);
    }
}

impl Ranks for Thread<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.room.brought.lock().unwrap().len()
    }

    fn sum(&self, values: &mut [f32]) {
        self.summed.set(self.summed.get() + values.len());
        let own: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let all = self.gather(&own).concat();
        let mut all: Vec<f32> = all.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
        assert_eq!(all.len(), values.len() * self.size(), "ranks that sum different vectors");
        tree::add(&mut all, values.len());
        values.copy_from_slice(&all[..values.len()]);
    }

    fn background(&self) -> Option<&dyn Background> {
        (self.size() > 1).then_some(self as _)
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
    on_threads(size, |thread| work(thread))
}

/// The same of those who want to know what was asked of a rank.
pub fn on_threads<T: Send>(size: usize, work: impl Fn(Rc<Thread<'static>>) -> T + Sync) -> Vec<T> {
    // The ranks of a run live as long as its learner may; a test's room as long as the process.
    let room: &'static Room = Box::leak(Box::new(Room {
        barrier: Barrier::new(size),
        brought: Mutex::new(vec![Vec::new(); size]),
        summands: Mutex::default(),
        came: Condvar::new(),
    }));
    thread::scope(|scope| {
        let work = &work;
        let thread = move |rank| {
            let (begun, ended, parts, calls, summed) = Default::default();
            Rc::new(Thread { rank, room, begun, ended, parts, calls, summed })
        };
        let threads: Vec<_> = (0..size).map(|rank| scope.spawn(move || work(thread(rank)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
