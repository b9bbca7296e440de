//! Whether sums over ranks overlap with the backward pass.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::{
    named::named,
    ranks::{Ranks, set_up::SetUp},
};

/// Whether sums over ranks begin while gradients are still computed. It is the machine's matter: no bit of a run depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// They do, where the ranks' [`Ranks::background`] lets them.
    #[default]
    On,
    /// They begin when all of a gradient is there.
    Off,
}

named!(Overlap, "expected on or off", On = "on", Off = "off");

impl Overlap {
    /// `ranks` as this has them.
    pub fn of(self, ranks: &Rc<dyn Ranks>) -> Rc<dyn Ranks> {
        match self {
            Self::On => Rc::clone(ranks),
            Self::Off => {
                let shard_state = ranks.shard_state();
                Rc::new(SetUp { ranks: Rc::clone(ranks), background: false, shard_state })
            }
        }
    }
}
