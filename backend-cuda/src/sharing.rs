//! A batch that is cut into groups, which several GPUs share out: each adds up the gradients of its own, and all have the same mean.

#![allow(unsafe_code, reason = "launches of kernels")]

use core::ops::Range;

use sam_core::{GradientOracle, Pass};

use crate::{
    Communicator, CudaError, CudaNetwork, Device, DeviceBatch, DeviceLoss, DeviceVec, Gradient, Grid,
    NetworkError, Ptr, SharedBatch, communicator::Piece,
};

/// Which samples of a batch are whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Samples of the batch.
    pub samples: usize,
    /// Those of each group that this rank has, in their order, as many groups as a power of two; empty ones count as zeros.
    pub own: Vec<Range<usize>>,
    /// Those of all groups of each rank.
    pub ranks: Vec<Range<usize>>,
}

/// How the steps of a [`StepGraph`](crate::StepGraph) are shared out. Gradients are added in a binary tree over the groups, wherever
/// each is computed, so that the weights are the same, bit for bit, on 1, 2, 4, ... GPUs.
///
/// What goes with a gradient travels with it: running statistics in the same sum, and the losses of all samples in the message that
/// gives the sum to all. A gradient or a loss that is not finite makes the sum NaN, so that no rank makes a step that another does not.
///
/// Memory: as long as the gradient for each level of the tree over this rank's groups, and as much again for what comes of others.
pub struct Sharing {
    communicator: Option<Communicator>,
    parts: Parts,
    /// The sums of subtrees that have no neighbour yet; the last one is the message.
    levels: Vec<DeviceVec<f32>>,
    /// Says of a gradient that its step may be made.
    fine: DeviceVec<u32>,
    /// Groups that were added so far.
    added: usize,
}

impl Sharing {
    /// For gradients of `parameters` entries and `statistics` running statistics. Without a communicator this is the only rank.
    ///
    /// # Errors
    /// [`CudaError::Length`] for parts that do not go with the ranks; as [`DeviceVec::zeros`].
    pub fn new(
        device: &Device,
        communicator: Option<Communicator>,
        parts: Parts,
        parameters: usize,
        statistics: usize,
    ) -> Result<Self, CudaError> {
        let ranks = communicator.as_ref().map_or(1, Communicator::size);
        let groups = parts.own.len();
        if !groups.is_power_of_two() {
            let expected = groups.next_power_of_two();
            return Err(CudaError::Length { what: "groups of a rank", expected, found: groups });
        }
        CudaError::check_length("ranks' parts of a batch", ranks, parts.ranks.len())?;
        let len = parameters + statistics;
        let mut own = Self {
            communicator,
            parts,
            levels: Vec::new(),
            fine: DeviceVec::from_slice(device, &[1])?,
            added: 0,
        };
        let padded = own.communicator.as_ref().map_or(len, |communicator| communicator.padded(len));
        let depth = groups.trailing_zeros() as usize;
        own.levels = (0..=depth).map(|_| DeviceVec::zeros(device, padded)).collect::<Result<_, _>>()?;
        // Nothing is allocated while a step is recorded.
        own.communicator.as_mut().map_or(Ok(()), |communicator| communicator.reserve(len))?;
        Ok(own)
    }

    /// The batches to come are cut so, into as many groups as before.
    ///
    /// # Errors
    /// [`CudaError::Length`] if they are not.
    pub fn set_parts(&mut self, parts: Parts) -> Result<(), CudaError> {
        CudaError::check_length("groups of a rank", self.parts.own.len(), parts.own.len())?;
        CudaError::check_length("ranks' parts of a batch", self.parts.ranks.len(), parts.ranks.len())?;
        self.parts = parts;
        Ok(())
    }

    /// The samples of the batches that it is for.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.parts.samples
    }

    /// Leaves the other ranks, whose steps fail from here on instead of waiting for this one; its own do too.
    pub fn close(&mut self) {
        if let Some(communicator) = self.peers() {
            communicator.close();
        }
    }

    /// The other ranks, if there are any.
    pub(crate) fn peers(&mut self) -> Option<&mut Communicator> {
        self.communicator.as_mut().filter(|communicator| communicator.size() > 1)
    }

    /// Takes in the next group's `values`, one run after the other: `share` of them, or NaN unless `fine`.
    fn add(&mut self, share: f32, values: &[(Ptr<f32>, usize)], fine: Ptr<u32>) -> Result<(), CudaError> {
        let level = self.next_level()?;
        let (mut len, leaf) = (0, self.levels[level].shared_ptr());
        for &(from, count) in values {
            let n = count as u32;
            let arguments = (Ptr::NULL, from, n, share, fine, leaf.add(len));
            let device = self.fine.device();
            let grid = Grid::vectors(n, size_of::<f32>());
            // SAFETY: both have so many entries, and the answer is one word.
            unsafe { device.launch(&device.kernels().accumulate, grid, arguments)? };
            len += count;
        }
        self.join(level, len)
    }

    /// Takes in `len` zeros in the turn of a group without samples.
    fn add_nothing(&mut self, len: usize) -> Result<(), CudaError> {
        let level = self.next_level()?;
        self.levels[level].clear()?;
        self.join(level, len)
    }

    /// Where the next group's gradient goes: it ends as many subtrees as its number ends in ones.
    const fn next_level(&self) -> Result<usize, CudaError> {
        let (level, expected) = (self.added.trailing_ones() as usize, self.parts.own.len());
        if level < self.levels.len() {
            return Ok(level);
        }
        Err(CudaError::Length { what: "groups of a rank", expected, found: self.added + 1 })
    }

    /// Adds the neighbours of the subtrees that the group at `level` ends.
    fn join(&mut self, level: usize, len: usize) -> Result<(), CudaError> {
        self.added += 1;
        let (leaf, n, device) = (self.levels[level].shared_ptr(), len as u32, self.fine.device());
        for left in &self.levels[..level] {
            let arguments = (1.0, left.view().ptr(), 1.0, n, leaf);
            let grid = Grid::vectors(n, size_of::<f32>());
            // SAFETY: both have so many entries; the kernel writes over the leaf.
            unsafe { device.launch(&device.kernels().mix, grid, arguments)? };
        }
        Ok(())
    }

    /// The message, after all groups, as a sum over the ranks.
    fn sum(&mut self, len: usize, pieces: &[Piece]) -> Result<Ptr<f32>, CudaError> {
        self.added = 0;
        let last = self.levels.len() - 1;
        let message = &mut self.levels[last];
        if let Some(communicator) = &mut self.communicator {
            communicator.sum_and_share(message, len, pieces)?;
        }
        Ok(message.view().ptr())
    }
}

/// A network with the way its batches are shared out.
pub(crate) struct Shared<'a> {
    network: &'a mut CudaNetwork,
    sharing: &'a mut Sharing,
}

impl<'a> Shared<'a> {
    /// For a step that begins.
    pub const fn new(network: &'a mut CudaNetwork, sharing: &'a mut Sharing) -> Self {
        // What a step that was not ended has added is forgotten.
        sharing.added = 0;
        Self { network, sharing }
    }
}

impl Shared<'_> {
    fn check_parts(&self) -> Result<(), NetworkError> {
        let (expected, found) = (self.sharing.parts.samples, self.network.samples());
        CudaError::check_length("batch that is shared out", expected, found).map_err(NetworkError::from)
    }

    /// Every group starts from the running statistics as they were before the step.
    fn begin_group(&mut self, pass: Pass) -> Result<(), CudaError> {
        if self.network.statistics_follow(pass) { self.network.recall_statistics() } else { Ok(()) }
    }

    /// `group`'s gradient, with what the running statistics have become in it if this is `pass`.
    fn add_group(
        &mut self,
        group: &Range<usize>,
        grads: &Gradient,
        fine: Option<Ptr<u32>>,
        pass: Pass,
    ) -> Result<(), CudaError> {
        let values = grads.values().view();
        let statistics = self.network.running_statistics().view();
        let follow = self.network.statistics_follow(pass);
        let mut runs = vec![(values.ptr(), values.len())];
        runs.extend(follow.then(|| (statistics.ptr(), statistics.len())));
        let sharing = &mut *self.sharing;
        let share = (group.len() as f64 / sharing.parts.samples as f64) as f32;
        let fine = fine.unwrap_or_else(|| sharing.fine.view().ptr());
        sharing.add(share, &runs, fine)
    }

    /// As much in the turn of a group without samples.
    fn add_nothing(&mut self, grads: &Gradient, pass: Pass) -> Result<(), CudaError> {
        let len = grads.len() + self.statistics(pass);
        self.sharing.add_nothing(len)
    }

    /// Running statistics that a gradient of `pass` takes along.
    fn statistics(&self, pass: Pass) -> usize {
        if self.network.statistics_follow(pass) { self.network.running_statistics().len() } else { 0 }
    }

    /// Leaves the mean over all groups in `grads`, and what else goes by the batch is all ranks'.
    fn finish(&mut self, grads: &mut Gradient, pass: Pass) -> Result<(), CudaError> {
        let statistics = self.statistics(pass);
        let (network, sharing) = (&mut *self.network, &mut *self.sharing);
        let ranks = sharing.communicator.as_ref().map_or(0..0, Communicator::ranks);
        let pieces: Vec<_> = ranks
            .map(|root| {
                let (bytes, count) = network.losses(&sharing.parts.ranks[root], pass);
                Piece { bytes, count, root }
            })
            .collect();
        let count = grads.len();
        let sum = sharing.sum(count + statistics, &pieces)?;
        let device = grads.values().device().clone();
        device.copy(count, sum, grads.values_mut().shared_ptr())?;
        if statistics > 0 { network.take_statistics(sum.add(count)) } else { Ok(()) }
    }
}

impl GradientOracle<DeviceVec<f32>, Gradient> for Shared<'_> {
    type Loss = DeviceLoss;
    type Error = NetworkError;

    fn gradient(
        &mut self,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<DeviceLoss, NetworkError> {
        self.check_parts()?;
        for group in self.groups() {
            if group.is_empty() {
                self.add_nothing(grads, pass)?;
                continue;
            }
            self.gradient_of(group.clone(), params, grads, pass)?;
            // What the gradient's own word says is of an earlier step.
            self.add_group(&group, grads, None, pass)?;
        }
        self.finish(grads, pass)?;
        self.loss_of_parts(pass)
    }
}

impl DeviceBatch for Shared<'_> {
    fn samples(&self) -> usize {
        self.network.samples()
    }

    fn gradient_of(
        &mut self,
        part: Range<usize>,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<(), NetworkError> {
        self.check_parts()?;
        self.begin_group(pass)?;
        self.network.gradient_of(part, params, grads, pass)
    }

    fn loss_of_parts(&mut self, pass: Pass) -> Result<DeviceLoss, NetworkError> {
        self.network.loss_of_parts(pass)
    }

    fn shared(&mut self) -> Option<&mut dyn SharedBatch> {
        Some(self)
    }
}

/// For methods whose groups climb by themselves: losses and running statistics are those of the clean pass.
impl SharedBatch for Shared<'_> {
    fn groups(&self) -> Vec<Range<usize>> {
        self.sharing.parts.own.clone()
    }

    fn add(&mut self, group: Range<usize>, grads: &Gradient) -> Result<(), NetworkError> {
        if group.is_empty() {
            return Ok(self.add_nothing(grads, Pass::Clean)?);
        }
        Ok(self.add_group(&group, grads, Some(grads.finite().ptr()), Pass::Clean)?)
    }

    fn mean(&mut self, grads: &mut Gradient) -> Result<(), NetworkError> {
        Ok(self.finish(grads, Pass::Clean)?)
    }
}
