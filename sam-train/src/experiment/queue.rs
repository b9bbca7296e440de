//! Independent jobs over a few threads.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use crate::interrupt::Interrupt;

/// Does each of `jobs` on one of `threads` threads, or of as many as the system gives, first come first served, and calls
/// `collect` on the caller's thread with each result as it comes. The first error, of a job or of `collect`, requests
/// `stop`, upon which the jobs under way are expected to end soon, and is returned when they have.
pub(super) fn run<J: Sync, R: Send, E: Send>(
    jobs: &[J],
    threads: usize,
    stop: &Interrupt,
    work: impl Fn(&J) -> Result<R, E> + Sync,
    collect: impl FnMut(&J, R) -> Result<(), E>,
) -> Result<(), E> {
    run_on(jobs, threads, stop, work, collect, thread::Builder::new)
}

/// [`run`] on threads that `builder` describes.
fn run_on<J: Sync, R: Send, E: Send>(
    jobs: &[J],
    threads: usize,
    stop: &Interrupt,
    work: impl Fn(&J) -> Result<R, E> + Sync,
    mut collect: impl FnMut(&J, R) -> Result<(), E>,
    builder: impl Fn() -> thread::Builder,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        let worker = |sender: mpsc::Sender<_>| {
            let (next, work) = (&next, &work);
            move || {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(job);
                    let failed = result.is_err();
                    // The receiver lives until every sender is gone.
                    if sender.send((job, result)).is_err() || failed {
                        break;
                    }
                }
            }
        };
        let wanted = threads.min(jobs.len());
        let start = |_: &usize| builder().spawn_scoped(scope, worker(sender.clone())).is_ok();
        let started = (0..wanted).take_while(start).count();
        if started == 0 && wanted > 0 {
            // This thread is left; results wait until it has done all.
            worker(sender.clone())();
        }
        drop(sender);
        let mut outcome = Ok(());
        for (job, result) in results {
            let collected = result.and_then(|result| collect(job, result));
            if collected.is_err() && outcome.is_ok() {
                stop.request();
                outcome = collected;
            }
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_for_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let jobs: Vec<u64> = (0..100).collect();
            let mut squares = Vec::new();
            let result = run(
                &jobs,
                threads,
                &Interrupt::default(),
                |&job| Ok::<_, ()>(job * job),
                |&job, square| {
                    squares.push((job, square));
                    Ok(())
                },
            );
            squares.sort_unstable();
            assert_eq!(result, Ok(()));
            assert_eq!(squares, (0..100).map(|n| (n, n * n)).collect::<Vec<_>>());
        }
    }

    /// No system gives a thread a stack as large as the address space.
    #[test]
    fn where_the_system_gives_no_thread_the_caller_s_does_every_job() {
        let jobs: Vec<u64> = (0..20).collect();
        let mut found = Vec::new();
        let collect = |&job: &u64, (number, thread): (u64, thread::ThreadId)| {
            assert_eq!((number, thread), (job, thread::current().id()));
            found.push(job);
            Ok::<_, ()>(())
        };
        let work = |&job: &u64| Ok((job, thread::current().id()));
        let none = || thread::Builder::new().stack_size(isize::MAX as usize / 2);
        assert_eq!(run_on(&jobs, 3, &Interrupt::default(), work, collect, none), Ok(()));
        assert_eq!(found, jobs);
    }

    #[test]
    fn the_first_error_is_returned_and_what_was_done_is_collected() {
        let jobs: Vec<u64> = (0..100).collect();
        let stop = Interrupt::default();
        let mut collected = Vec::new();
        let work = |&job: &u64| if stop.requested() || job == 10 { Err(job) } else { Ok(job) };
        let result = run(&jobs, 1, &stop, work, |_, job| {
            collected.push(job);
            Ok(())
        });
        assert_eq!(result, Err(10));
        assert!(stop.requested());
        assert_eq!(collected, (0..10).collect::<Vec<_>>());
    }
}
