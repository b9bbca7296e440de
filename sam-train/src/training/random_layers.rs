//! What the random layers of a run draw from, step by step, on either backend.

use sam_model::random::{Key, Random};

use super::settings::Settings;
use crate::random::Purpose;

/// Of the first step of a run.
pub fn first(settings: &Settings) -> Random {
    Random {
        key: Key([settings.seed, Purpose::Layers as u64, 0]),
        first: 0,
        backward: settings.method.backward_coefficients(),
    }
}

/// Of the step of that number.
pub fn at(random: &mut Option<Random>, number: u64) {
    if let Some(Random { key: Key([.., step]), .. }) = random {
        *step = number;
    }
}

/// Of the step behind the one that was made, for who is not told numbers.
pub fn advance(random: &mut Option<Random>) {
    if let Some(Random { key: Key([.., step]), .. }) = random {
        *step += 1;
    }
}
