//! Every method with the hyper-parameters to begin with, and how others take their place by name.

use toml::Table;

use super::Method;
use crate::training::settings::InvalidSetting;

/// What the paper recommends without tuning (appendix C.3).
const RHO: f64 = 0.05;

/// Hyper-parameters are those of the method's paper; the radius is SAM's unless it means something else.
impl Method {
    /// SGD.
    pub const SGD: Self = Self::Sgd;
    /// mixup; its paper's choice for CIFAR.
    pub const MIXUP: Self = Self::Mixup { alpha: 1.0 };
    /// SAM.
    pub const SAM: Self = Self::sam(RHO);
    /// ASAM: its radius is relative to the weights, of about ten times the size.
    pub const ASAM: Self = Self::Asam { rho: 10.0 * RHO, eta: 0.01 };
    /// A random perturbation.
    pub const RANDOM_SAM: Self = Self::RandomSam { rho: RHO };
    /// Several ascent steps: the fewest that are more than SAM's.
    pub const MULTI_STEP_SAM: Self = Self::MultiStepSam { rho: RHO, steps: 2 };
    /// SAM with the term of second order.
    pub const SECOND_ORDER_SAM: Self = Self::SecondOrderSam { rho: RHO };
    /// m-sharpness, with a quarter of the smallest default batch in a group.
    pub const M_SHARPNESS: Self = Self::MSharpness { rho: RHO, m: 16 };
    /// GSAM.
    pub const GSAM: Self = Self::Gsam { rho: RHO, alpha: 0.3 };
    /// LookSAM.
    pub const LOOK_SAM: Self = Self::LookSam { rho: RHO, k: 5, alpha: 0.7 };
    /// WSAM.
    pub const WSAM: Self = Self::Wsam { rho: RHO, gamma: 0.9 };
    /// Friendly SAM.
    pub const FRIENDLY_SAM: Self = Self::FriendlySam { rho: RHO, sigma: 1.0, lambda: 0.9 };
    /// Momentum SAM. Its paper uses larger radii, because the momentum is a poorer direction.
    pub const MOMENTUM_SAM: Self = Self::MomentumSam { rho: RHO };
    /// ESAM's perturbation of weights.
    pub const ESAM: Self = Self::Esam { rho: RHO, beta: 0.6 };

    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::SGD,
        Self::SAM,
        Self::ASAM,
        Self::RANDOM_SAM,
        Self::MULTI_STEP_SAM,
        Self::SECOND_ORDER_SAM,
        Self::M_SHARPNESS,
        Self::GSAM,
        Self::LOOK_SAM,
        Self::WSAM,
        Self::FRIENDLY_SAM,
        Self::MOMENTUM_SAM,
        Self::ESAM,
        Self::MIXUP,
    ];

    /// The method with another radius, if it has one.
    #[must_use]
    pub const fn with_rho(mut self, radius: f64) -> Self {
        if let Some(rho) = self.rho_mut() {
            *rho = radius;
        }
        self
    }

    /// Its hyper-parameters, by the names that files and the command line have for them.
    pub fn hyper_parameters(&self) -> Table {
        // Only an integer beyond TOML's could be refused, and no default is one.
        let mut table = Table::try_from(self).unwrap_or_default();
        table.remove("name");
        table
    }

    /// The method with the hyper-parameters `given` instead of its own.
    ///
    /// # Errors
    /// [`InvalidSetting`] for one that the method does not have, or of another type. Ranges are not checked.
    pub fn with(self, given: Table) -> Result<Self, InvalidSetting> {
        let mut table = self.hyper_parameters();
        for (name, value) in given {
            if table.insert(name.clone(), value).is_none() {
                return Err(self.without(name));
            }
        }
        table.insert("name".to_owned(), self.name().into());
        table.try_into().map_err(|error: toml::de::Error| {
            InvalidSetting::new("optimizer", "its hyper-parameters", error.message())
        })
    }

    /// The error that names the methods with a hyper-parameter `name`, which this is not one of.
    fn without(self, name: String) -> InvalidSetting {
        let all = Self::ALL.iter().filter(|method| method.hyper_parameters().contains_key(&name));
        let names: Vec<&str> = all.map(Self::name).collect();
        let expected = match names.split_last() {
            Some((last, rest @ [_, ..])) => format!("`optimizer` {} or {last}", rest.join(", ")),
            Some((only, [])) => format!("`optimizer` {only}"),
            None => "a hyper-parameter of some method".to_owned(),
        };
        InvalidSetting::new(name, expected, format!("`optimizer` {}", self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyper_parameters_given_by_name_take_the_place_of_the_method_s_own_and_no_other() {
        for method in Method::ALL {
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
            assert_eq!(method.invalid(), None, "{method:?}");
        }
        let names = Method::ALL.map(|method| method.name());
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        let alpha = Table::from_iter([("alpha".to_owned(), 0.5.into())]);
        assert_eq!(
            Method::WSAM.with(alpha).unwrap_err().to_string(),
            "`alpha`: expected `optimizer` gsam, look-sam or mixup, found `optimizer` wsam"
        );
    }
}
