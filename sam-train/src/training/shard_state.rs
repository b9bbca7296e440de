//! Whether ranks keep a part each of a run's state.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::settings::{Method, Settings, Tensors};
use crate::{
    named::named,
    ranks::{Ranks, set_up::SetUp},
};

/// Whether of what belongs to a run once, however many ranks it has, each rank keeps all or a part: the base optimizer's buffers and
/// the sums of gradients, as stages 1 and 2 of ZeRO have it (Rajbhandari et al., SC 2020), and SAM's perturbed weights between
/// the two. It is the machine's matter: no bit of a run depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShardState {
    /// A part, where [`ShardState::serves`] the run.
    On,
    /// All of it.
    #[default]
    Off,
}

named!(ShardState, "expected on or off", On = "on", Off = "off");

impl ShardState {
    /// `ranks` as this has them.
    pub fn of(self, ranks: &Rc<dyn Ranks>) -> Rc<dyn Ranks> {
        match self {
            Self::On => Rc::new(SetUp { ranks: Rc::clone(ranks), background: true, shard_state: true }),
            Self::Off => Rc::clone(ranks),
        }
    }

    /// Whether a run with these settings can do with parts: its method adds up no more of its vectors than norms, and has no
    /// numbers or tensors that it tells apart by their places.
    pub fn serves(settings: &Settings) -> bool {
        let by_entries = match settings.method {
            Method::Sgd
            | Method::Mixup { .. }
            | Method::Sam { .. }
            | Method::Asam { .. }
            | Method::MomentumSam { .. }
            | Method::MSharpness { .. } => true,
            Method::AsamWeights { .. }
            | Method::RandomSam { .. }
            | Method::MultiStepSam { .. }
            | Method::SecondOrderSam { .. }
            | Method::LookSam { .. }
            | Method::Gsam { .. }
            | Method::Wsam { .. }
            | Method::FriendlySam { .. }
            | Method::Esam { .. } => false,
        };
        by_entries && settings.ascent.tensors == Tensors::All
    }

    /// Whether so many ranks keep parts in a run with these settings.
    pub fn shards(self, settings: &Settings, ranks: usize) -> bool {
        self == Self::On && ranks > 1 && Self::serves(settings)
    }
}
