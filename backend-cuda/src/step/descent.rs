//! The base optimizers' state and rates.

use sam_core::{Sink, Source, Values, ValuesMut};

use super::DeviceDescent;
use crate::{CudaAdam, CudaClipped, CudaError, CudaSgd, DeviceVec};

impl DeviceDescent for CudaSgd {
    fn prepare(&mut self) -> Result<(), CudaError> {
        Self::prepare(self)
    }

    fn save(&self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        let momentum = self.momentum_buffer().map(DeviceVec::read).transpose()?;
        sink("momentum", Values::Reals(&momentum.unwrap_or_default()));
        Ok(())
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        let mut momentum = vec![0.0; self.momentum_buffer().map_or(0, DeviceVec::len)];
        source("momentum", ValuesMut::Reals(&mut momentum));
        self.momentum_buffer_mut().map_or(Ok(()), |buffer| buffer.write(&momentum))
    }
}

impl DeviceDescent for CudaAdam {
    fn prepare(&mut self) -> Result<(), CudaError> {
        Self::prepare(self)
    }

    fn save(&self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        let (mean, square) = self.moments();
        sink("adam.steps", Values::Counts(&[self.steps()?]));
        sink("adam.mean", Values::Reals(&mean.read()?));
        sink("adam.square", Values::Reals(&square.read()?));
        Ok(())
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        let n = self.moments().0.len();
        let (mut steps, mut mean, mut square) = ([0], vec![0.0; n], vec![0.0; n]);
        source("adam.steps", ValuesMut::Counts(&mut steps));
        source("adam.mean", ValuesMut::Reals(&mut mean));
        source("adam.square", ValuesMut::Reals(&mut square));
        self.restore(steps[0], &mean, &square)
    }
}

impl<D: DeviceDescent> DeviceDescent for CudaClipped<D> {
    fn prepare(&mut self) -> Result<(), CudaError> {
        Self::prepare(self)?;
        self.base.prepare()
    }

    fn save(&self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        self.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        self.base.load(source)
    }
}
