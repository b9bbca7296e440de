//! Batches made by a thread of their own while the batch before is learned from.

use std::{
    panic,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use ndarray::{Array4, ArrayView4, s};

use super::{Augmentation, BatchMaker, BatchShare, DataError};

/// From so many values on a batch takes longer to make than to be handed from thread to thread: tens of microseconds.
const WORTH_A_THREAD: usize = 1 << 15;

/// Makes the training batches of one run, one ahead of the one in use where that pays.
///
/// Results are those of [`BatchMaker::train`], whatever is asked for in whatever order; asking for what was announced
/// saves the wait. Two batches are in memory.
#[derive(Debug)]
pub struct Prefetcher {
    maker: BatchMaker,
    augmentation: Augmentation,
    seed: u64,
    thread: Option<Thread>,
}

#[derive(Debug)]
struct Thread {
    /// Dropped to dismiss the thread.
    requests: Option<SyncSender<Made>>,
    made: Receiver<Made>,
    handle: Option<JoinHandle<()>>,
    /// In use.
    current: Made,
    /// To be filled, unless it is under way.
    spare: Option<Made>,
}

/// What a batch is of, and the batch; sent to and fro between the threads, so that nothing is allocated in a step.
#[derive(Debug, Default)]
struct Made {
    epoch: u64,
    chosen: Vec<usize>,
    batch: usize,
    images: Array4<f32>,
    outcome: Option<DataError>,
}

impl Made {
    fn is(&self, epoch: u64, share: BatchShare<'_>) -> bool {
        self.epoch == epoch && self.chosen == share.chosen && self.batch == share.batch
    }
}

impl Prefetcher {
    /// Makes batches of `maker`'s images, up to `batch` at a time. Where the system gives no thread they are made when they
    /// are asked for.
    pub fn new(maker: BatchMaker, batch: usize, augmentation: impl Into<Augmentation>, seed: u64) -> Self {
        let augmentation = augmentation.into();
        let pays = batch * maker.shape().len() >= WORTH_A_THREAD || maker.reads_a_file();
        let thread = pays.then(|| Thread::start(maker.clone(), augmentation, seed).ok()).flatten();
        Self { maker, augmentation, seed, thread }
    }

    /// The training images `chosen` of the epoch `epoch`, then begins with those in `next`, of the same epoch. NHWC.
    ///
    /// # Errors
    /// As [`BatchMaker::train`].
    pub fn take<'a>(
        &mut self,
        epoch: u64,
        chosen: impl Into<BatchShare<'a>>,
        next: Option<BatchShare<'_>>,
    ) -> Result<ArrayView4<'_, f32>, DataError> {
        match &mut self.thread {
            None => self.maker.train(chosen, self.augmentation, self.seed, epoch),
            Some(thread) => thread.take(epoch, chosen.into(), next),
        }
    }
}

impl Thread {
    fn start(mut maker: BatchMaker, augmentation: Augmentation, seed: u64) -> std::io::Result<Self> {
        let (requests, requested) = sync_channel::<Made>(1);
        let (results, made) = sync_channel(1);
        let run = move || {
            for mut batch in requested {
                let share = BatchShare { chosen: &batch.chosen, batch: batch.batch };
                batch.outcome = maker.train(share, augmentation, seed, batch.epoch).map(drop).err();
                maker.swap(&mut batch.images);
                if results.send(batch).is_err() {
                    return;
                }
            }
        };
        let handle = thread::Builder::new().name("batches".to_owned()).spawn(run)?;
        let (current, spare) = (Made::default(), Some(Made::default()));
        Ok(Self { requests: Some(requests), made, handle: Some(handle), current, spare })
    }

    fn take(
        &mut self,
        epoch: u64,
        share: BatchShare<'_>,
        next: Option<BatchShare<'_>>,
    ) -> Result<ArrayView4<'_, f32>, DataError> {
        if self.spare.is_none() {
            self.receive();
        }
        // Something else was announced, or nothing.
        if !self.spare.as_ref().is_some_and(|made| made.is(epoch, share)) {
            self.request(epoch, share);
            self.receive();
        }
        if let Some(made) = &mut self.spare {
            std::mem::swap(&mut self.current, made);
        }
        match next {
            Some(next) => self.request(epoch, next),
            // What is left there is no answer to anything.
            None => self.spare.iter_mut().for_each(|made| made.chosen.clear()),
        }
        match self.current.outcome.take() {
            Some(error) => Err(error),
            None => Ok(self.current.images.slice(s![..share.chosen.len(), .., .., ..])),
        }
    }

    fn request(&mut self, epoch: u64, share: BatchShare<'_>) {
        let mut batch = self.spare.take().unwrap_or_default();
        (batch.epoch, batch.batch) = (epoch, share.batch);
        batch.chosen.clear();
        batch.chosen.extend_from_slice(share.chosen);
        let sent = self.requests.as_ref().is_some_and(|requests| requests.send(batch).is_ok());
        if !sent {
            self.fail();
        }
    }

    fn receive(&mut self) {
        match self.made.recv() {
            Ok(made) => self.spare = Some(made),
            Err(_) => self.fail(),
        }
    }

    /// The thread ends before its time by a panic alone: goes on with that.
    fn fail(&mut self) -> ! {
        match self.handle.take().map(JoinHandle::join) {
            Some(Err(cause)) => panic::resume_unwind(cause),
            _ => panic!("the thread that makes batches has ended"),
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.requests = None;
        // A batch that is under way is not waited for by anybody else.
        while self.made.recv().is_ok() {}
        if let Some(handle) = self.handle.take() {
            // It has either ended well or panicked, which whoever waited for it has seen.
            let _ = handle.join();
        }
    }
}
