//! A team of threads that shares out the parts of a layer's work, one layer after the other.
//!
//! A pass over a network has hundreds of short parallel loops. A team starts one without allocating and with its
//! members still awake from the loop before, and a team of one is a plain loop. A host program's threads can be a team too.

mod own;

use core::{cell::Cell, marker::PhantomData};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use own::OwnThreads;

/// Threads of a host program, for a network to compute its layers on in the place of threads of its own
/// ([`Threads::lent`](crate::Threads::lent)).
pub trait Pool: Send + Sync {
    /// How many may work at a time, the caller's thread included. It does not change.
    fn members(&self) -> usize;

    /// Runs `work` with different numbers below [`Pool::members`], 0 among them, and returns when all have returned. Numbers may
    /// be left out where no thread is free: those who come share out all that there is to do. A panic of `work` is the
    /// pool's to pass on.
    fn run(&self, work: &(dyn Fn(usize) + Sync));
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads of a network: the one that calls, and others.
pub struct Team {
    crew: Crew,
    /// One loop at a time: a team can't be shared between threads, so not be called from within its own loop.
    unshared: PhantomData<Cell<()>>,
}

enum Crew {
    Own(OwnThreads),
    Lent(Arc<dyn Pool>),
}

impl Team {
    /// A team of `members` threads, the caller's included.
    pub fn new(members: usize) -> std::io::Result<Self> {
        Ok(Self { crew: Crew::Own(OwnThreads::new(members)?), unshared: PhantomData })
    }

    /// A host program's threads.
    pub fn lent(pool: Arc<dyn Pool>) -> Self {
        Self { crew: Crew::Lent(pool), unshared: PhantomData }
    }

    /// Number of threads.
    pub fn members(&self) -> usize {
        match &self.crew {
            Crew::Own(threads) => threads.members(),
            Crew::Lent(pool) => pool.members().max(1),
        }
    }

    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        match &self.crew {
            Crew::Own(threads) => threads.run(work),
            Crew::Lent(pool) => pool.run(work),
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
        if alone || team.members() < 2 {
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
        // Nothing is left, unless a host's pool did not do what it promised.
        items.into_inner().unwrap_or_else(PoisonError::into_inner).for_each(|item| each(0, item));
    }
}

impl<I: DoubleEndedIterator + Send> Share for I where I::Item: Send {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Release},
    };

    /// Starts its threads anew for each loop, or runs nothing at all.
    struct Host {
        members: usize,
        lazy: bool,
    }

    impl Pool for Host {
        fn members(&self) -> usize {
            self.members
        }

        fn run(&self, work: &(dyn Fn(usize) + Sync)) {
            if !self.lazy {
                std::thread::scope(|scope| {
                    (1..self.members).for_each(|member| drop(scope.spawn(move || work(member))));
                    work(0);
                });
            }
        }
    }

    #[test]
    fn a_hosts_threads_run_every_item_once() {
        for (members, lazy) in [(0, false), (1, false), (3, false), (3, true)] {
            let team = Team::lent(Arc::new(Host { members, lazy }));
            for len in [0, 1, 2, 100] {
                let counts: Vec<AtomicUsize> = (0..len).map(|_| AtomicUsize::new(0)).collect();
                counts.iter().share_numbered(&team, |member, count| {
                    assert!(member < members.max(1));
                    count.fetch_add(1, AcqRel);
                });
                assert!(counts.iter().all(|count| count.load(Acquire) == 1));
            }
        }
    }

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
