//! Which gradient is followed: SGD's, SAM's, or that of one of SAM's relatives.

mod table;

use sam_core::{Norm, Rule};
use sam_model::{Architecture, random::BackwardCoefficients};
use toml::Table;

use super::{
    choice::{Choice, Value},
    model::Model,
    norm_exponent::NormExponent,
};
pub use table::Method;

/// The columns of a method's row that may depend on its hyper-parameters.
pub(super) struct Columns {
    /// Radius and norm as `sam-core` takes them; a radius of 0 where there is none.
    rule: Rule<f32>,
    /// As [`Method::gradients_per_step`].
    gradients: f64,
    /// As [`Method::buffers`].
    buffers: usize,
    /// As [`Method::perturbs_tensors`].
    by_tensor: bool,
}

impl Method {
    /// The paper's SAM.
    pub const fn sam(rho: f64) -> Self {
        Self::Sam { rho, norm: NormExponent(Norm::L2) }
    }

    /// Which coefficients the gradients of Shake-Shake and ShakeDrop have: fresh ones in the gradient that the weights
    /// follow, where that is one gradient; the forward ones in the ascent's. Of methods that follow a combination of
    /// gradients, or a product with the Hessian, or climb in several steps, a gradient with coefficients of its own is not
    /// what they are derived for: they have the forward ones always.
    pub const fn backward_coefficients(&self) -> BackwardCoefficients {
        match self {
            Self::Sgd | Self::Mixup { .. } => BackwardCoefficients::Fresh,
            Self::Sam { .. }
            | Self::Asam { .. }
            | Self::AsamWeights { .. }
            | Self::RandomSam { .. }
            | Self::MomentumSam { .. }
            | Self::MSharpness { .. }
            | Self::FriendlySam { .. } => BackwardCoefficients::FreshWhenPerturbed,
            Self::MultiStepSam { .. }
            | Self::SecondOrderSam { .. }
            | Self::LookSam { .. }
            | Self::Gsam { .. }
            | Self::Wsam { .. }
            | Self::Esam { .. } => BackwardCoefficients::Forward,
        }
    }

    /// Radius and norm as `sam-core` takes them; a radius of 0 where there is none.
    pub fn rule(&self) -> Rule<f32> {
        self.columns().rule
    }

    /// Gradients of a batch that a step computes, on average; of second order: a product with the Hessian counts as three, because
    /// each multiplication of a gradient becomes three.
    pub fn gradients_per_step(&self) -> f64 {
        self.columns().gradients
    }

    /// Words a weight that the method keeps beside weights, gradient and the base optimizer's, at least.
    pub fn buffers(&self) -> usize {
        self.columns().buffers
    }

    /// Whether it can leave tensors out of its perturbation.
    pub fn perturbs_tensors(&self) -> bool {
        self.columns().by_tensor
    }

    /// [`Choice::title`].
    pub fn title(&self) -> String {
        Choice::title(self)
    }

    /// The radius, if there is one.
    pub fn rho(&self) -> Option<f64> {
        self.parameters().find_map(|(parameter, value)| match value {
            Value::Number(rho) if parameter.name == "rho" => Some(rho),
            _ => None,
        })
    }

    /// The method with another radius, if it has one.
    #[must_use]
    pub fn with_rho(self, radius: f64) -> Self {
        let radius = Table::from_iter([("rho".to_owned(), radius.into())]);
        self.with(radius).unwrap_or(self)
    }

    /// The method with the radius that [`default_radius`] gives `model`, unless it has none, or one relative to the weights.
    #[must_use]
    pub fn of_model(self, model: &Model) -> Self {
        match self.rho() {
            Some(table::RHO) => self.with_rho(default_radius(model)),
            _ => self,
        }
    }
}

/// SAM's radius where none is given: 0.05 is what SAM's paper recommends without tuning (appendix C.3), and what deep networks
/// bear; a multilayer perceptron bears 0.2, with which the digits were first measured (docs/results.md).
pub const fn default_radius(model: &Model) -> f64 {
    match model {
        Model::Named(Architecture::Mlp(_)) => 0.2,
        _ => table::RHO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyper_parameters_given_by_name_take_the_place_of_the_method_s_own_and_no_other() {
        for &method in Method::ALL {
            assert_eq!(method.with(Table::new()), Ok(method));
            assert_eq!(method.with(method.hyper_parameters()), Ok(method));
            let radius = Table::from_iter([("rho".to_owned(), 0.25.into())]);
            match method.with(radius) {
                Ok(other) => {
                    assert_eq!(other.rho(), Some(0.25));
                    assert_eq!(method.with_rho(0.25), other);
                }
                Err(error) => {
                    assert_eq!((method.rho(), method.with_rho(0.25)), (None, method));
                    let text = error.to_string();
                    assert!(text.starts_with("`rho`: expected `optimizer` sam, asam, "), "{text}");
                    assert!(text.ends_with(&format!(", found `optimizer` {}", method.name())), "{text}");
                }
            }
            assert_eq!(method.check(), Ok(()), "{method:?}");
        }
        let alpha = Table::from_iter([("alpha".to_owned(), 0.5.into())]);
        assert_eq!(
            Method::WSAM.with(alpha).unwrap_err().to_string(),
            "`alpha`: expected `optimizer` gsam, look-sam or mixup, found `optimizer` wsam"
        );
    }

    #[test]
    fn a_row_s_table_is_what_files_say_and_its_parameters_mean_one_thing() {
        for method in Method::ALL {
            let mut written = Table::try_from(method).unwrap();
            assert_eq!(written.remove("name"), Some(method.name().into()));
            assert_eq!(written, method.hyper_parameters());
            for (parameter, value) in method.parameters() {
                assert_eq!(parameter.default, value, "{} of {}", parameter.name, method.name());
            }
            assert!(!method.title().contains('{'), "{}", method.title());
        }
        assert_eq!(Method::MultiStepSam { rho: 0.1, steps: 3 }.title(), "SAM, 3 ascent steps");
        assert_eq!(Method::MSharpness { rho: 0.1, m: 4 }.title(), "SAM, m = 4");
    }

    #[test]
    fn names_of_methods_are_unique() {
        let unique: std::collections::BTreeSet<_> = Method::ALL.iter().map(Method::name).collect();
        assert_eq!(unique.len(), Method::ALL.len());
    }
}
