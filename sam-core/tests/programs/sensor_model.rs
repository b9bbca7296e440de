//! A model of a sensor for a microcontroller: `no_std`, no heap, all memory in one value. Compiled for this machine by the test beside
//! it, and for a Cortex-M4F by `proofs/sizes`.

use heapless::{Deque, Vec};
use sam_core::{Clipped, LengthMismatch, Outcome, Rule, Sam, Scope, Segment, SegmentedSpace, Sgd, StepError};

/// Readings that the next one is foretold from.
pub const SEEN: usize = 8;
/// A weight for each, and an offset.
pub const WEIGHTS: usize = SEEN + 1;

pub type Buffer = Vec<f32, WEIGHTS>;
pub type Error = StepError<LengthMismatch, core::convert::Infallible, LengthMismatch>;
type Space = SegmentedSpace<f32, Buffer, [Segment<f32>; 2]>;

/// Foretells the next reading from the last ones, and learns from each.
pub struct Model {
    seen: Deque<f32, SEEN>,
    pub weights: Buffer,
    gradient: Buffer,
    sam: Sam<Space, Clipped<f32, Sgd<f32, Buffer>>>,
}

fn zeros() -> Buffer {
    Vec::from_array([0.0; WEIGHTS])
}

impl Model {
    pub fn new(rho: f32, lr: f32) -> Self {
        // The offset is not perturbed.
        let table = [Segment::new(SEEN), Segment::fixed(1)];
        let space = SegmentedSpace::new(Scope::Global, table, zeros());
        let base = Clipped::new(Sgd::new(lr).with_momentum(0.5, zeros()), 1.0);
        Self {
            seen: Deque::new(),
            weights: zeros(),
            gradient: zeros(),
            sam: Sam::new(space, Rule::l2(rho), base),
        }
    }

    /// Learns from a reading: half the squared error before it, once there are enough readings to foretell from.
    pub fn learn(&mut self, reading: f32) -> Result<Option<(f32, Outcome)>, Error> {
        let mut report = None;
        if self.seen.is_full() {
            let seen = &self.seen;
            let step = self.sam.step_with(&mut self.weights, &mut self.gradient, |w, g, _| {
                let foretold: f32 = seen.iter().chain(&[1.0]).zip(w).map(|(x, w)| x * w).sum();
                let miss = foretold - reading;
                g.iter_mut().zip(seen.iter().chain(&[1.0])).for_each(|(g, x)| *g = miss * x);
                0.5 * miss * miss
            })?;
            report = Some((step.clean, step.outcome));
            self.seen.pop_front();
        }
        // There is room now.
        let _ = self.seen.push_back(reading);
        Ok(report)
    }
}
