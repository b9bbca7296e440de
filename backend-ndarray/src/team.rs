//! A team of threads that shares out the parts of a layer's work, one layer after the other.
//!
//! A pass over a network has hundreds of short parallel loops. A team starts one without allocating and with its
//! members still awake from the loop before, and a team of one is a plain loop.

use core::{cell::Cell, marker::PhantomData};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Release},
    },
    thread::JoinHandle,
};

/// Rounds that a member waits awake before it sleeps: some ten microseconds, the usual gap between two loops.
const SPINS: usize = 1000;

/// What members run, with their numbers; alive until all that began have returned.
#[derive(Clone, Copy)]
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: the pointee is `Sync`, and `Team::run` keeps it alive while others use it.
#[expect(unsafe_code, reason = "a pointer to something that may be shared")]
unsafe impl Send for Work {}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Number of the newest loop, to be watched without the lock.
    newest: AtomicUsize,
    /// Members that have joined the loop and not left it. They join with the lock, while there is work.
    inside: AtomicUsize,
    panicked: AtomicBool,
    begin: Condvar,
    end: Condvar,
}

#[derive(Default)]
struct State {
    /// Until the caller finds nothing left to do.
    work: Option<Work>,
    newest: usize,
    /// Members that sleep and have not been called, or more.
    asleep: usize,
    /// Whether the caller sleeps until nobody is inside.
    waiting: bool,
    dismissed: bool,
}

impl Shared {
    /// The state stays consistent whoever panics: it is changed in single assignments.
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn member(&self, number: usize) {
        self.leave();
        let mut seen = 0;
        loop {
            spin_until(|| self.newest.load(Acquire) != seen);
            let mut state = self.lock();
            while state.newest == seen && !state.dismissed {
                state.asleep += 1;
                state = self.begin.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.dismissed {
                return;
            }
            seen = state.newest;
            // The loop may be over before this member came to it.
            let Some(Work(work)) = state.work else { continue };
            self.inside.fetch_add(1, AcqRel);
            drop(state);
            // SAFETY: this member joined while the work was there, and `Team::run` waits for it before it gives up the work.
            #[expect(unsafe_code, reason = "the work outlives the loop")]
            let work = unsafe { &*work };
            if catch_unwind(AssertUnwindSafe(|| work(number))).is_err() {
                self.panicked.store(true, Release);
            }
            self.leave();
        }
    }

    fn leave(&self) {
        if self.inside.fetch_sub(1, AcqRel) == 1 && self.lock().waiting {
            self.end.notify_one();
        }
    }

    /// Lets nobody join any more, and waits for those inside.
    fn close(&self) {
        self.lock().work = None;
        if spin_until(|| self.inside.load(Acquire) == 0) {
            return;
        }
        let mut state = self.lock();
        state.waiting = true;
        while self.inside.load(Acquire) != 0 {
            state = self.end.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the condition came true within a short wait.
fn spin_until(condition: impl Fn() -> bool) -> bool {
    (0..SPINS).any(|_| {
        core::hint::spin_loop();
        condition()
    })
}

/// The threads of a network: the one that calls, and others that wait for it.
pub struct Team {
    shared: Arc<Shared>,
    others: Vec<JoinHandle<()>>,
    /// One loop at a time: a team can't be shared between threads, so not be called from within its own loop.
    unshared: PhantomData<Cell<()>>,
}

impl Team {
    /// A team of `members` threads, the caller's included.
    pub fn new(members: usize) -> std::io::Result<Self> {
        let mut team = Self { shared: Arc::default(), others: Vec::new(), unshared: PhantomData };
        for number in 1..members {
            let shared = Arc::clone(&team.shared);
            shared.inside.fetch_add(1, AcqRel);
            let member = std::thread::Builder::new().name(format!("network-{number}"));
            team.others.push(member.spawn(move || shared.member(number))?);
        }
        // A thread allocates when it begins, which should not be in the middle of a pass.
        team.shared.close();
        Ok(team)
    }

    /// Number of threads.
    pub fn members(&self) -> usize {
        self.others.len() + 1
    }

    /// Runs the work, and lets every member that comes before the end run it too. Nobody waits for members that come late: on a
    /// busy machine one may have no processor for some milliseconds, which is longer than most loops.
    ///
    /// # Panics
    /// When a member panics, after all have finished.
    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        /// Waits even if the caller's own share panics: others may still use the work.
        struct Finish<'a>(&'a Shared);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.close();
            }
        }

        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. Members use the work while they are inside; `Finish` lets no more of them in and
        // waits for these before this function is left by any way.
        #[expect(unsafe_code, reason = "the work is borrowed, the members are not")]
        let work_pointer: *const (dyn Fn(usize) + Sync + 'static) =
            unsafe { core::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work) };
        // The caller's own panic in the loop before may have left it set.
        shared.panicked.store(false, Release);
        let asleep = {
            let mut state = shared.lock();
            state.work = Some(Work(work_pointer));
            state.newest = state.newest.wrapping_add(1);
            shared.newest.store(state.newest, Release);
            core::mem::take(&mut state.asleep)
        };
        // Who was called before and has not come yet needs no second call, which would cost as much as a short loop.
        if asleep > 0 {
            shared.begin.notify_all();
        }
        {
            let _finish = Finish(shared);
            work(0);
        }
        assert!(!shared.panicked.swap(false, AcqRel), "a thread of the network panicked");
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.lock().dismissed = true;
        self.shared.newest.fetch_add(1, Release);
        self.shared.begin.notify_all();
        for other in self.others.drain(..) {
            // A member catches its panics; there is nobody left to tell.
            let _ = other.join();
        }
    }
}

/// Sharing out an iterator's items among a team: members with even numbers begin at its front, the others at its back.
/// So a member meets the same samples in every layer, and finds what it left of them in its own cache.
pub trait Share: DoubleEndedIterator + Send + Sized
where
    Self::Item: Send,
{
    /// Runs `each` on every item. Where members meet is left to chance, so the result must not depend on it.
    fn share(self, team: &Team, each: impl Fn(Self::Item) + Sync) {
        self.share_numbered(team, |_, item| each(item));
    }

    /// The same, with the member's number below [`Team::members`].
    fn share_numbered(self, team: &Team, each: impl Fn(usize, Self::Item) + Sync) {
        // Waking others costs more than any one item is worth.
        let alone = self.size_hint().1.is_some_and(|most| most < 2);
        if alone || team.others.is_empty() {
            return self.for_each(|item| each(0, item));
        }
        let items = Mutex::new(self);
        team.run(&|member| {
            loop {
                let item = {
                    let mut items = lock(&items);
                    if member % 2 == 0 { items.next() } else { items.next_back() }
                };
                match item {
                    Some(item) => each(member, item),
                    None => return,
                }
            }
        });
    }
}

impl<I: DoubleEndedIterator + Send> Share for I where I::Item: Send {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_run_once() {
        for members in [1, 2, 3, 7] {
            let team = Team::new(members).unwrap();
            assert_eq!(team.members(), members);
            for len in [0, 1, 2, 50, 1000] {
                let mut counts = vec![0; len];
                counts.iter_mut().enumerate().share(&team, |(i, count)| *count += i + 1);
                assert!(counts.iter().enumerate().all(|(i, &count)| count == i + 1));
            }
        }
    }

    #[test]
    fn members_have_numbers_of_their_own() {
        let team = Team::new(3).unwrap();
        let inside: Vec<AtomicBool> = (0..3).map(|_| AtomicBool::new(false)).collect();
        (0..2000).share_numbered(&team, |member, _| {
            assert!(!inside[member].swap(true, AcqRel), "two at once with one number");
            inside[member].store(false, Release);
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        let team = Team::new(3).unwrap();
        for bad in [0, 17, 99] {
            let run = || (0..100).share(&team, |i| assert_ne!(i, bad, "planted"));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            let sum = AtomicUsize::new(0);
            (0..100).share(&team, |i| {
                sum.fetch_add(i, AcqRel);
            });
            assert_eq!(sum.load(Acquire), 4950);
        }
    }

    /// Of many more members than cores most come late: they run nothing of a loop that is over, nor of the next one twice.
    #[test]
    fn members_that_come_late_find_the_loop_over() {
        let team = Team::new(16).unwrap();
        for round in 0..3000 {
            let (inside, items) = (AtomicUsize::new(0), AtomicUsize::new(0));
            (0..4).share(&team, |_| {
                inside.fetch_add(1, AcqRel);
                items.fetch_add(1, AcqRel);
                inside.fetch_sub(1, AcqRel);
            });
            assert_eq!((inside.load(Acquire), items.load(Acquire)), (0, 4), "round {round}");
        }
    }

    /// Members that have fallen asleep wake up again.
    #[test]
    fn a_team_works_after_a_rest() {
        let team = Team::new(2).unwrap();
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            let mut values = [1; 64];
            values.iter_mut().share(&team, |value| *value += 1);
            assert_eq!(values, [2; 64]);
        }
    }
}
