//! How a gradient is followed: the base optimizers, one row each. `sam-core` has the formulas.
//!
//! Flags, `config.toml`, checks and memory estimates read these rows. Learning rate, weight decay and momentum are settings of the
//! run ([`super::settings::SgdSettings`]), because several bases share them; a row says what they are where nothing is said.

use super::{
    choice::{Choice, Number, choices},
    decay_in::DecayIn,
    invalid_setting::InvalidSetting,
    range::Range,
    settings::SgdSettings,
};

/// The columns of a row that are not names.
pub(super) struct Columns {
    /// Words a weight that it keeps.
    buffers: usize,
    /// The learning rate where none is given; nothing where it is the network's.
    rate: Option<f64>,
    /// The weight decay where none is given.
    decay: f64,
    /// Whether it has the setting `momentum`, which Nesterov's form belongs to for SGD.
    momentum: bool,
    /// Whether it has Nesterov's form of it, and weight decay in either form.
    forms: bool,
}

const MEAN: &str = "share of the mean gradient that stays";
const SQUARE: &str = "share of the mean squared gradient that stays";
const EPSILON: &str = "added to the root of the mean squared gradient";

choices! {
    /// A base optimizer with its own hyper-parameters.
    Base, "base", Columns;

    SGD: Sgd = {
        name: "sgd",
        title: "SGD",
        summary: "stochastic gradient descent with momentum",
        source: "Robbins and Monro, 1951; Nesterov, 1983",
        buffers: 1,
        rate: None,
        decay: 5e-4,
        momentum: true,
        forms: true,
    }

    // Weight decay is added to the gradient: `torch.optim.Adam`.
    ADAM: Adam {
        beta1: Number = 0.9, Range::BelowOne, MEAN;
        beta2: Number = 0.999, Range::BelowOne, SQUARE;
        epsilon: Number = 1e-8, Range::FromZero, EPSILON;
    } = {
        name: "adam",
        title: "Adam",
        summary: "steps of the mean gradient over the root of the mean square",
        source: "Kingma and Ba, ICLR 2015",
        buffers: 2,
        rate: Some(1e-3),
        decay: 0.0,
        momentum: false,
        forms: false,
    }

    ADAMW: AdamW {
        beta1: Number = 0.9, Range::BelowOne, MEAN;
        beta2: Number = 0.999, Range::BelowOne, SQUARE;
        epsilon: Number = 1e-8, Range::FromZero, EPSILON;
    } = {
        name: "adamw",
        title: "AdamW",
        summary: "Adam whose weight decay shrinks the weights themselves",
        source: "Loshchilov and Hutter, ICLR 2019",
        buffers: 2,
        rate: Some(1e-3),
        decay: 0.01,
        momentum: false,
        forms: false,
    }

    RMSPROP: RmsProp {
        beta2: Number = 0.9, Range::BelowOne, SQUARE;
        epsilon: Number = 1e-8, Range::FromZero, EPSILON;
    } = {
        name: "rmsprop",
        title: "RMSProp",
        summary: "steps of the gradient over the root of the mean square, with momentum",
        source: "Hinton et al., 2012",
        buffers: 2,
        rate: Some(1e-3),
        decay: 1e-5,
        momentum: true,
        forms: false,
    }

    // What EfficientNets are trained with, by the code of SAM's paper too. Its fine-tuning takes SGD.
    RMSPROP_TF: RmsPropTf {
        beta2: Number = 0.9, Range::BelowOne, SQUARE;
        epsilon: Number = 1e-3, Range::FromZero, "added to the mean squared gradient before its root is taken";
    } = {
        name: "rmsprop-tf",
        title: "TensorFlow's RMSProp",
        summary: "RMSProp whose mean square begins at 1, with epsilon inside of the root",
        source: "TensorFlow 1; Tan and Le, ICML 2019",
        buffers: 2,
        rate: Some(1e-3),
        decay: 1e-5,
        momentum: true,
        forms: false,
    }

    // A third of AdamW's rate and ten times its decay: what its paper advises.
    LION: Lion {
        beta1: Number = 0.9, Range::BelowOne, "share of the mean gradient in the step's direction";
        beta2: Number = 0.99, Range::BelowOne, MEAN;
    } = {
        name: "lion",
        title: "Lion",
        summary: "steps of the sign of the mean gradient",
        source: "Chen et al., NeurIPS 2023",
        buffers: 1,
        rate: Some(3e-4),
        decay: 0.1,
        momentum: false,
        forms: false,
    }
}

impl Base {
    /// Whether it is SGD, which files do not name.
    pub fn is_sgd(&self) -> bool {
        *self == Self::Sgd
    }

    /// The base for people.
    pub fn title(&self) -> String {
        Choice::title(self)
    }

    /// What a procedure is called that is called `name` on SGD: the base's own name where no method is on it.
    pub fn procedure(&self, name: &str) -> String {
        let base = self.title();
        match name.strip_suffix("SGD") {
            _ if self.is_sgd() => name.to_owned(),
            Some(before) if before.is_empty() || before.ends_with(", ") => format!("{before}{base}"),
            _ => format!("{name} with {base}"),
        }
    }

    /// Words a weight that it keeps beside weights and gradient.
    pub fn buffers(&self) -> usize {
        self.columns().buffers
    }

    /// Learning rate, momentum and weight decay where nothing is said and the network bears SGD's `network` ones.
    pub fn usual(&self, network: SgdSettings) -> SgdSettings {
        let Columns { rate, decay, momentum, forms, .. } = self.columns();
        SgdSettings {
            lr: rate.unwrap_or(network.lr),
            momentum: if momentum { network.momentum } else { 0.0 },
            nesterov: forms && network.nesterov,
            weight_decay: decay,
            decoupled: false,
            ..network
        }
    }

    /// Makes sure that every hyper-parameter is in its range, and that `settings` ask for nothing that it does not have.
    ///
    /// # Errors
    /// [`InvalidSetting`] for the first that is not.
    pub(super) fn check_with(&self, settings: &SgdSettings) -> Result<(), InvalidSetting> {
        self.check()?;
        let columns = self.columns();
        let only = |name, expected: &'static str, asked: bool| {
            if asked {
                Err(InvalidSetting::new(name, expected, format!("`base` {}", self.name())))
            } else {
                Ok(())
            }
        };
        only("momentum", "`base` sgd, rmsprop or rmsprop-tf", settings.momentum != 0.0 && !columns.momentum)?;
        only("nesterov", "`base` sgd", settings.nesterov && !columns.forms)?;
        only(
            "decoupled",
            "`base` sgd (adamw and lion always shrink the weights)",
            settings.decoupled && !columns.forms,
        )?;
        let shrinks = settings.decoupled || matches!(self, Self::AdamW { .. } | Self::Lion { .. });
        if shrinks && settings.decay_in == DecayIn::Loss {
            let expected = "base, since this decay shrinks the weights and is no gradient";
            return Err(InvalidSetting::new("decay-in", expected, settings.decay_in));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_procedure_is_called_after_its_base_unless_that_is_sgd() {
        let names = |base: Base| ["SGD", "fine-tuned, SGD", "SAM, m = 4"].map(|name| base.procedure(name));
        assert_eq!(names(Base::SGD), ["SGD", "fine-tuned, SGD", "SAM, m = 4"]);
        assert_eq!(names(Base::ADAMW), ["AdamW", "fine-tuned, AdamW", "SAM, m = 4 with AdamW"]);
        assert_eq!(Base::RMSPROP_TF.procedure("SGD"), "TensorFlow's RMSProp");
    }
}
