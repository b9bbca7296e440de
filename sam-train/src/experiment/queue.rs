//! Independent jobs over a few threads.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use crate::interrupt::Interrupt;

/// Does each of `jobs` on one of `threads` threads, first come first served, and calls `collect` on the caller's thread
/// with each result as it comes. The first error, of a job or of `collect`, requests `stop`, upon which the jobs under
/// way are expected to end soon, and is returned when they have.
pub(super) fn run<J: Sync, R: Send, E: Send>(
    jobs: &[J],
    threads: usize,
    stop: &Interrupt,
    work: impl Fn(&J) -> Result<R, E> + Sync,
    mut collect: impl FnMut(&J, R) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()) {
            let sender = sender.clone();
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(job);
                    let failed = result.is_err();
                    // The receiver lives until every sender is gone.
                    if sender.send((job, result)).is_err() || failed {
                        break;
                    }
                }
            });
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
