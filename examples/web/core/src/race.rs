//! SGD and SAM learning the digits side by side.

use sam_core::{Norm, Rule};
use trainer::{
    Buffers, CLASSES, Failure, Method, Network, PIXELS, Recipe, Scope, Sensor, Set, Sight, Trainer, XorShift,
};

/// 64 pixels, 32 hidden values, 10 classes.
const NETWORK: Network = Network { hidden: 32 };

const WEIGHTS: usize = NETWORK.weights();

/// Images to learn from, before those to test on.
pub const TRAIN: usize = 1200;

/// All images.
pub const IMAGES: usize = 1797;

/// Long enough for each buffer of a run.
type Buffer = [f32; WEIGHTS];

/// The digits and two runs over them.
#[derive(Debug)]
pub struct Race {
    /// The images, as the page unpacked them.
    pub images: [[u8; PIXELS]; IMAGES],
    /// Their labels.
    pub labels: [u8; IMAGES],
    /// What is learned: some of it wrong.
    learned: [u8; TRAIN],
    runs: Runs,
}

/// Not an `Option`: the niche that it would choose is not zero, and a static that is not all zero lies in the file,
/// byte for byte.
#[derive(Debug)]
#[repr(u8)]
#[allow(clippy::large_enum_variant)]
enum Runs {
    NotStarted,
    Started([Trainer<Buffer>; 2]),
}

impl Runs {
    fn get(&mut self, run: usize) -> Option<&mut Trainer<Buffer>> {
        match self {
            Self::NotStarted => None,
            Self::Started(runs) => runs.get_mut(run),
        }
    }
}

/// What a race is run with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Determines weights, order and wrong labels.
    pub seed: u32,
    /// Passes over the images.
    pub epochs: u32,
    /// Share of the labels that are drawn anew, right or wrong.
    pub label_noise: f64,
    /// Learning rate of the first step.
    pub lr: f32,
    /// SAM's radius.
    pub rho: f32,
    /// Exponent of its norm.
    pub p: f64,
    /// Whether the radius scales with the weights (ASAM).
    pub adaptive: bool,
}

impl Race {
    /// Without digits.
    pub const EMPTY: Self = Self {
        images: [[0; PIXELS]; IMAGES],
        labels: [0; IMAGES],
        learned: [0; TRAIN],
        runs: Runs::NotStarted,
    };

    /// Both runs at their start, with the same weights and the same order. Whether there is such a norm.
    pub fn start(&mut self, settings: Settings) -> bool {
        let Settings { seed, epochs, label_noise, lr, rho, p, adaptive } = settings;
        let Ok(norm) = Norm::from_p(p) else { return false };
        let rule = Rule::new(rho, norm);
        let rule = if adaptive { rule.adaptive(0.01) } else { rule };
        let mut random = XorShift::new(seed ^ 0x5eed);
        for (learned, label) in self.learned.iter_mut().zip(&self.labels) {
            let share = f64::from(random.bits() >> 8) / f64::from(1 << 24);
            let any = random.below(CLASSES as u32) as u8;
            *learned = if share < label_noise { any } else { *label };
        }
        self.runs = Runs::Started([Method::Sgd, Method::Sam(rule)].map(|method| {
            let recipe = Recipe {
                network: NETWORK,
                scope: Scope::All,
                sensor: Sensor::Straight,
                method,
                epochs,
                batch: 32,
                lr,
                momentum: 0.9,
                seed,
            };
            let zeros = [0.0; WEIGHTS];
            let mut weights = zeros;
            NETWORK.initialise(&mut weights, XorShift::new(seed));
            const { assert!(Sight::words(NETWORK.hidden) <= WEIGHTS) };
            Trainer::new(
                recipe,
                Buffers { weights, gradient: zeros, perturbed: zeros, momentum: zeros, sight: zeros },
            )
        }));
        true
    }

    /// A step of run 0 (SGD) or 1 (SAM): the loss before it; `None` at the end of the run.
    ///
    /// # Errors
    /// Never, with these buffers.
    pub fn step(&mut self, run: usize) -> Result<Option<f32>, Failure> {
        let set = Set { images: &self.images[..TRAIN], labels: &self.learned };
        let run = self.runs.get(run);
        Ok(run.map(|run| run.step(&set)).transpose()?.flatten().map(|(loss, _)| loss))
    }

    /// Steps of a whole run.
    pub fn steps(&mut self) -> u32 {
        let set = Set { images: &self.images[..TRAIN], labels: &self.learned };
        self.runs.get(0).map_or(0, |run| run.steps(&set))
    }

    /// Test images that a run gets right.
    pub fn correct(&mut self, run: usize) -> usize {
        let set = Set { images: &self.images[TRAIN..], labels: &self.labels[TRAIN..] };
        let run = self.runs.get(run);
        run.and_then(|run| run.correct(&set).ok()).unwrap_or(0)
    }

    /// The bits of a run's weights, folded (FNV-1a, 32 bits): equal weights, equal digests.
    pub fn digest(&mut self, run: usize) -> u32 {
        let weights = self.runs.get(run).map_or(&[][..], |run| &run.weights);
        let bytes = weights.iter().flat_map(|w| w.to_bits().to_le_bytes());
        bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}
