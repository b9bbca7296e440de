//! Threads of one's own: they wait for the next loop awake for a while, and are woken without allocating.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Release},
    },
    thread::JoinHandle,
};

use super::lock;

/// Rounds that a member waits awake before it sleeps: some ten microseconds, the usual gap between two loops.
const SPINS: usize = 1000;

/// What members run, with their numbers; alive until all that began have returned.
#[derive(Clone, Copy)]
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: the pointee is `Sync`, and `OwnThreads::run` keeps it alive while others use it.
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
            // SAFETY: this member joined while the work was there, and `OwnThreads::run` waits for it before it gives up the work.
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

/// Whether the condition came true within a short wait.
fn spin_until(condition: impl Fn() -> bool) -> bool {
    (0..SPINS).any(|_| {
        core::hint::spin_loop();
        condition()
    })
}

/// The thread that calls, and others that wait for it.
pub struct OwnThreads {
    shared: Arc<Shared>,
    others: Vec<JoinHandle<()>>,
}

impl OwnThreads {
    /// `members` threads, the caller's included.
    pub fn new(members: usize) -> std::io::Result<Self> {
        let mut own = Self { shared: Arc::default(), others: Vec::new() };
        for number in 1..members {
            let shared = Arc::clone(&own.shared);
            shared.inside.fetch_add(1, AcqRel);
            let member = std::thread::Builder::new().name(format!("network-{number}"));
            own.others.push(member.spawn(move || shared.member(number))?);
        }
        // A thread allocates when it begins, which should not be in the middle of a pass.
        own.shared.close();
        Ok(own)
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
    pub fn run(&self, work: &(dyn Fn(usize) + Sync)) {
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

impl Drop for OwnThreads {
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
