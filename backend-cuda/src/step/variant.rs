//! GSAM, WSAM, Friendly SAM and what else is an ascent rule with a combination.

use sam_core::{
    AlongGradient, AscentRule, Combination, Friendly, Gsam, PerturbedOnly, Sink, Source, State, Variant, Wsam,
};

use super::{
    DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, GradientBuffer, report, sealed::Sealed,
};
use crate::{CudaError, DeviceSpace, DeviceVec, Gradient};

/// An ascent rule or a combination on the device.
pub trait OnDevice: State<f32> + Send {
    /// Whether every step asks the same of the device and waits for nothing.
    const RECORDABLE: bool;

    /// What outlives a step, to save and restore.
    fn kept(&mut self) -> Option<&mut GradientBuffer>;
}

macro_rules! on_device {
    ($($type:ty: $recordable:literal, |$own:ident| $kept:expr;)*) => { $(
        impl OnDevice for $type {
            const RECORDABLE: bool = $recordable;

            fn kept(&mut self) -> Option<&mut GradientBuffer> {
                let $own = self;
                $kept
            }
        }
    )* };
}

on_device! {
    AlongGradient: true, |_own| None;
    PerturbedOnly: true, |_own| None;
    Wsam<f32, GradientBuffer>: true, |_own| None;
    // Asks for a number on the host.
    Gsam<f32, GradientBuffer>: false, |_own| None;
    // Its two buffers change places.
    Friendly<f32, GradientBuffer>: false, |own| {
        let [mean, _] = own.buffers_mut();
        Some(mean)
    };
}

impl<S: DeviceSpace, A, C, D> Sealed for Variant<S, A, C, D> {}

/// With [`Friendly`] the space should be a [waiting](crate::CudaSpace::waiting) one: the mean outlives a step, and nobody
/// would take back one that is not finite.
impl<S, A, C, D> DeviceStep for Variant<S, A, C, D>
where
    S: DeviceSpace,
    A: AscentRule<S, D> + OnDevice,
    C: Combination<S, D> + OnDevice,
    D: DeviceDescent,
{
    steps_with_rule!();

    fn is_recordable(&self) -> bool {
        A::RECORDABLE && C::RECORDABLE && !self.space.waits()
    }

    fn save(&mut self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        self.ascent.kept().map_or(Ok(()), GradientBuffer::pull)?;
        self.combination.kept().map_or(Ok(()), GradientBuffer::pull)?;
        self.ascent.save(sink);
        self.combination.save(sink);
        self.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        self.ascent.kept().map_or(Ok(()), GradientBuffer::pull)?;
        self.combination.kept().map_or(Ok(()), GradientBuffer::pull)?;
        self.ascent.load(source);
        self.combination.load(source);
        self.ascent.kept().map_or(Ok(()), GradientBuffer::push)?;
        self.combination.kept().map_or(Ok(()), GradientBuffer::push)?;
        self.base.load(source)
    }
}
