//! What the board does: two tasks, each with SGD and with SAM, in one set of buffers.

use core::fmt;

use sam_core::{Rule, StepError};

use crate::digits::{PRETRAINED, TEST, TRAIN};
use crate::{Buffers, Failure, Method, Network, Recipe, Scope, Sensor, Set, Sight, Trainer, XorShift};

/// 64 pixels, 10 hidden values, 10 classes.
pub const NETWORK: Network = Network { hidden: 10 };

const WEIGHTS: usize = NETWORK.weights();

/// All the memory that training takes.
#[derive(Debug)]
pub struct Memory {
    /// The weights.
    pub weights: [f32; WEIGHTS],
    /// Their gradient.
    pub gradient: [f32; WEIGHTS],
    /// The perturbed weights: what SAM adds.
    pub perturbed: [f32; WEIGHTS],
    /// SGD's momentum.
    pub momentum: [f32; WEIGHTS],
    /// One image's worth of the network.
    pub sight: [f32; Sight::words(NETWORK.hidden)],
}

impl Memory {
    /// All zero.
    pub const ZERO: Self = Self {
        weights: [0.0; WEIGHTS],
        gradient: [0.0; WEIGHTS],
        perturbed: [0.0; WEIGHTS],
        momentum: [0.0; WEIGHTS],
        sight: [0.0; Sight::words(NETWORK.hidden)],
    };

    /// FNV-1a (Fowler, Noll and Vo, 64 bits) of the weights' bits: equal weights, equal digests.
    pub fn digest(&self) -> u64 {
        let bytes = self.weights.iter().flat_map(|w| w.to_bits().to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

/// What is trained, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The last layer of the host's network, on 320 images of a camera that is one pixel off.
    FineTune,
    /// All layers, from random weights, on all 1,200 images.
    Scratch,
    /// What the host does beforehand: as `Scratch`, for longer.
    Pretrain,
}

impl Task {
    /// How it is trained, by SAM or without.
    pub const fn recipe(self, sam: bool) -> Recipe {
        let (scope, sensor, epochs, lr, rho) = match self {
            Self::FineTune => (Scope::LastLayer, Sensor::Shifted(1), 10, 0.05, 0.1),
            Self::Scratch => (Scope::All, Sensor::Straight, 3, 0.1, 0.05),
            Self::Pretrain => (Scope::All, Sensor::Straight, 60, 0.05, 0.1),
        };
        let method = if sam { Method::Sam(Rule::l2(rho)) } else { Method::Sgd };
        Recipe { network: NETWORK, scope, sensor, method, epochs, batch: 16, lr, momentum: 0.9, seed: 1 }
    }

    /// What it learns from.
    pub fn images(self) -> Set<'static> {
        match self {
            Self::FineTune => TRAIN.first(320),
            Self::Scratch | Self::Pretrain => TRAIN,
        }
    }

    /// A run in `memory`, before its first step.
    pub fn start(self, sam: bool, memory: &mut Memory) -> Trainer<&mut [f32]> {
        let recipe = self.recipe(sam);
        let learns = match recipe.scope {
            Scope::All => {
                NETWORK.initialise(&mut memory.weights, XorShift::new(recipe.seed));
                NETWORK.weights()
            }
            Scope::LastLayer => {
                let pretrained = PRETRAINED.iter().map(|word| f32::from_le_bytes(*word));
                memory.weights.iter_mut().zip(pretrained).for_each(|(w, trained)| *w = trained);
                NETWORK.last_layer()
            }
        };
        let Memory { weights, gradient, perturbed, momentum, sight } = memory;
        Trainer::new(
            recipe,
            Buffers {
                weights,
                gradient: &mut gradient[..learns],
                perturbed: &mut perturbed[..learns],
                momentum: &mut momentum[..learns],
                sight,
            },
        )
    }

    /// The whole run. The trained weights are in `memory` then.
    ///
    /// # Errors
    /// Never, with these buffers.
    pub fn run(self, sam: bool, memory: &mut Memory) -> Result<Trained, Failure> {
        let set = self.images();
        let mut trainer = self.start(sam, memory);
        let before = trainer.correct(&TEST).map_err(StepError::Space)?;
        let mut loss = f32::NAN;
        while let Some((now, _)) = trainer.step(&set)? {
            loss = now;
        }
        let after = trainer.correct(&TEST).map_err(StepError::Space)?;
        let steps = trainer.done();
        Ok(Trained { before, after, steps, loss, digest: memory.digest() })
    }
}

/// What came out. Its text is the same on every machine whose weights are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trained {
    /// Test images recognised before.
    pub before: usize,
    /// Test images recognised after.
    pub after: usize,
    /// Steps taken.
    pub steps: u32,
    /// Loss of the last batch before its step.
    pub loss: f32,
    /// [`Memory::digest`] of the weights.
    pub digest: u64,
}

/// Whole numbers only: printing floats would take 10 KB of a board's flash.
impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tests = TEST.len();
        let percent = |correct: usize| (correct * 1000 + tests / 2) / tests;
        let (before, after) = (percent(self.before), percent(self.after));
        write!(
            f,
            "accuracy {}.{} % -> {}.{} % in {} steps, loss {:08x}, weights {:016x}",
            before / 10,
            before % 10,
            after / 10,
            after % 10,
            self.steps,
            self.loss.to_bits(),
            self.digest
        )
    }
}
