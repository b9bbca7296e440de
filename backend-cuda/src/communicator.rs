//! Sums over several GPUs, in an order that does not depend on how many there are.

#![allow(unsafe_code, reason = "launches of kernels, and messages of device memory")]

use core::{hint, ops::Range, time::Duration};
use std::{env, thread, time::Instant};

use cust::sys::{self, CUresult};

use crate::{
    CudaError, Device, DeviceVec, Grid, PtrMut,
    vendor::{Connection, Nccl},
};

/// What ranks find each other by: made by one of them, which gives it to the others in whatever way the program has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniqueId([u8; BYTES]);

/// Bytes of an id.
const BYTES: usize = 128;

impl UniqueId {
    /// A new one. The process that makes it must live for as long as others come with it.
    ///
    /// # Errors
    /// [`CudaError::NoNccl`] without the library; [`CudaError::Peers`] if it fails, as without a network.
    pub fn new() -> Result<Self, CudaError> {
        let made = Nccl::open()?.unique_id();
        made.map(Self).map_err(|reason| CudaError::Peers { reason })
    }

    /// As bytes, to send.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// What was received.
    ///
    /// # Errors
    /// [`CudaError::Length`] of other bytes than [`UniqueId::as_bytes`] has given.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CudaError> {
        let found = bytes.len();
        let bytes = bytes.try_into();
        bytes.map(Self).map_err(|_| CudaError::Length { what: "bytes of an id", expected: BYTES, found })
    }
}

/// One of several GPUs that add up what they have computed, by NCCL. Each belongs to a thread or a process of its own.
///
/// All ranks make the same calls in the same order. Sums go along a binary tree over the ranks, `(0 + 1) + (2 + 3)`: each rank gets
/// its part of the others' vectors, adds up that, and gives the sum to all. So all ranks have the same bits, and as many ranks as a
/// power of two have those of one that adds along the same tree. NCCL's own sums promise nothing across numbers of ranks.
pub struct Communicator {
    // Dropped first: what waits for others on the device ends with it.
    connection: Connection,
    rank: usize,
    ranks: usize,
    /// What the others have of this rank's part.
    received: DeviceVec<f32>,
    /// Nobody is waited for longer than that.
    patience: Duration,
}

/// Entries that parts are multiples of: 128 bytes.
const ALIGNMENT: usize = 32;

/// Seconds that ranks wait for each other, unless [`PATIENCE`] says otherwise.
const SECONDS: u64 = 600;
const PATIENCE: &str = "SAM_NCCL_TIMEOUT";

/// Bytes that one rank has and all get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub bytes: PtrMut<u8>,
    pub count: usize,
    pub root: usize,
}

impl Communicator {
    /// This rank of `ranks`, with `device` for itself, once all of them have come with that id.
    ///
    /// # Errors
    /// [`CudaError::NoNccl`] without the library; [`CudaError::Ranks`] unless they are as many as a power of two and this is one of
    /// them; [`CudaError::Driver`] if the library fails, as where two ranks have the same GPU.
    pub fn new(device: &Device, id: &UniqueId, rank: usize, ranks: usize) -> Result<Self, CudaError> {
        if !ranks.is_power_of_two() || rank >= ranks {
            return Err(CudaError::Ranks { rank, ranks });
        }
        let connection = Nccl::open()?.connect(device, &id.0, rank, ranks)?;
        let seconds = env::var(PATIENCE).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(SECONDS);
        let (received, patience) = (DeviceVec::zeros(device, 0)?, Duration::from_secs(seconds));
        Ok(Self { connection, rank, ranks, received, patience })
    }

    /// Which of the ranks this is, from 0.
    #[must_use]
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// How many there are.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.ranks
    }

    /// Entries of a buffer whose first `len` ones can be summed.
    #[must_use]
    pub const fn padded(&self, len: usize) -> usize {
        self.part(len) * self.ranks
    }

    const fn part(&self, len: usize) -> usize {
        len.div_ceil(self.ranks).next_multiple_of(ALIGNMENT)
    }

    /// Makes room for sums of `len` entries, which allocate nothing afterwards.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn reserve(&mut self, len: usize) -> Result<(), CudaError> {
        let needed = self.padded(len);
        if self.received.len() < needed {
            self.received = DeviceVec::zeros(self.received.device(), needed)?;
        }
        Ok(())
    }

    /// Replaces the first `len` entries of `values` by their sums over all ranks; those behind them, up to
    /// [`Communicator::padded`], hold nothing afterwards. Waits for nothing. Traffic: about twice the entries sent and received.
    ///
    /// # Errors
    /// [`CudaError::Length`] if `values` are fewer than [`Communicator::padded`]; a device or a library that fails.
    pub fn sum(&mut self, values: &mut DeviceVec<f32>, len: usize) -> Result<(), CudaError> {
        self.sum_and_share(values, len, &[])
    }

    /// The same, with the second message taking along what others need besides.
    pub(crate) fn sum_and_share(
        &mut self,
        values: &mut DeviceVec<f32>,
        len: usize,
        pieces: &[Piece],
    ) -> Result<(), CudaError> {
        let (part, ranks) = (self.part(len), self.ranks);
        if values.len() < part * ranks {
            let (expected, found) = (part * ranks, values.len());
            return Err(CudaError::Length { what: "buffer of a sum", expected, found });
        }
        if ranks == 1 {
            return Ok(());
        }
        let device = self.received.device().clone();
        values.check_device("buffer of a sum", &device)?;
        self.reserve(len)?;
        let (sent, received) = (values.shared_ptr(), self.received.shared_ptr());
        self.connection.group(|calls| {
            (0..ranks).try_for_each(|other| {
                // SAFETY: both buffers have so many parts, and are kept until the device has been waited for.
                unsafe {
                    calls.send(sent.add(other * part).reading(), part, other)?;
                    calls.receive(received.add(other * part), part, other)
                }
            })
        })?;
        let mut gap = 1;
        while gap < ranks {
            for first in (0..ranks).step_by(2 * gap) {
                let (left, right) = (received.add(first * part), received.add((first + gap) * part));
                let arguments = (1.0, right.reading(), 1.0, part as u32, left);
                let grid = Grid::vectors(part as u32, size_of::<f32>());
                // SAFETY: both are parts of the buffer; the kernel writes over the left one.
                unsafe { device.launch(&device.kernels().mix, grid, arguments)? };
            }
            gap *= 2;
        }
        self.connection.group(|calls| {
            // SAFETY: as above; pieces are parts of buffers that their owner keeps.
            unsafe { calls.all_gather(received.reading(), part, sent)? };
            let pieces = pieces.iter().filter(|piece| piece.count > 0);
            // SAFETY: as above.
            pieces
                .copied()
                .try_for_each(|Piece { bytes, count, root }| unsafe { calls.broadcast(bytes, count, root) })
        })
    }

    /// Whether all ranks say so, which all of them are told. Waits for the device.
    ///
    /// # Errors
    /// As [`Communicator::wait`].
    pub fn all(&mut self, own: bool) -> Result<bool, CudaError> {
        let device = self.received.device().clone();
        let mut votes = DeviceVec::zeros(&device, self.padded(1))?;
        votes.write(&[f32::from(u8::from(own))])?;
        self.sum(&mut votes, 1)?;
        self.wait()?;
        let mut sum = [0.0];
        votes.read_into(&mut sum)?;
        Ok(sum[0] as usize == self.ranks)
    }

    /// Waits until all work is done, as the device does, and asks meanwhile whether the other ranks are still there: waiting for the
    /// device alone would never end if they are not.
    ///
    /// # Errors
    /// [`CudaError::Peers`] if a rank has gone, or after so many seconds as `SAM_NCCL_TIMEOUT` says, 600 unless it is set; the
    /// connection is closed then, and no sum works any more. [`CudaError::Driver`], also for a failure of earlier work.
    pub fn wait(&mut self) -> Result<(), CudaError> {
        let device = self.received.device().clone();
        device.bind()?;
        let started = Instant::now();
        loop {
            // SAFETY: the stream is alive.
            let state = unsafe { sys::cuStreamQuery(device.stream()) };
            if let Some(reason) = self.connection.failure() {
                self.connection.abort();
                return Err(CudaError::Peers { reason });
            }
            match state {
                CUresult::CUDA_ERROR_NOT_READY => {}
                code => return device.check("waiting for the device", code),
            }
            let waited = started.elapsed();
            if waited > self.patience {
                self.connection.abort();
                let reason = format!("nothing came for {} s ({PATIENCE})", self.patience.as_secs());
                return Err(CudaError::Peers { reason });
            }
            // A step takes milliseconds: a look costs one of a thousand of them.
            if waited < Duration::from_millis(1) { hint::spin_loop() } else { thread::sleep(LOOKS) }
        }
    }

    /// Closes the connection. What is under way is given up, and no sum works any more.
    pub fn close(&mut self) {
        self.connection.abort();
    }

    /// The ranks, each once.
    pub(crate) const fn ranks(&self) -> Range<usize> {
        0..self.ranks
    }
}

/// Between two looks at a device that takes its time.
const LOOKS: Duration = Duration::from_micros(50);
