//! Which gradient is followed: SGD's, SAM's, or that of one of SAM's relatives.

mod table;

use sam_core::Norm;
use sam_model::random::BackwardCoefficients;
use toml::Table;

use super::{norm_exponent::NormExponent, range::Range, settings::InvalidSetting};
pub use table::Method;

/// What is known of a method before it runs: its row in the table.
#[derive(Debug, Clone, Copy)]
pub struct MethodInfo {
    /// The name in commands and files.
    pub name: &'static str,
    /// The method for people; `{steps}` stands for the value of its parameter `steps`.
    pub title: &'static str,
    /// What the method does, in a line.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Words a weight that the method keeps beside weights, gradient and momentum, at least.
    pub buffers: usize,
    /// Its hyper-parameters, in the order of [`Method::values`].
    pub parameters: &'static [Parameter],
}

/// A hyper-parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The name in commands and files.
    pub name: &'static str,
    /// The value that it has where none is given.
    pub default: Value,
    /// The values that it may have.
    pub range: Range,
    /// What it means.
    pub help: &'static str,
}

/// A number in a row of the table.
type Number = f64;
/// A whole number there.
type Natural = usize;
/// The exponent of a norm there.
type Exponent = NormExponent;

/// The value of a hyper-parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A whole number.
    Natural(usize),
    /// The exponent of a norm.
    Exponent(NormExponent),
}

/// The enumeration of methods from rows of constant, variant with parameters, and what is known of it.
macro_rules! methods {
    ($(
        $constant:ident: $variant:ident $({
            $($field:ident: $kind:ident = $default:expr, $range:expr, $help:expr;)*
        })? = {
            name: $name:literal,
            title: $title:literal,
            summary: $summary:literal,
            source: $source:literal,
            rule: $rule:expr,
            gradients: $gradients:expr,
            buffers: $buffers:expr,
        }
    )*) => {
        /// A training method with its hyper-parameters. `sam-core` has the formulas and their sources.
        #[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "name", deny_unknown_fields)]
        pub enum Method {
            $(
                #[doc = concat!("`", $name, "`: ", $summary, " (", $source, ").")]
                #[serde(rename = $name)]
                $variant $({
                    $(#[doc = concat!("`", stringify!($field), "`, as the row explains it.")] $field: $kind,)*
                })?,
            )*
        }

        #[allow(unused_variables, reason = "a row need not use all of its parameters")]
        impl Method {
            $(
                #[doc = concat!("`", $name, "` with the hyper-parameters to begin with.")]
                pub const $constant: Self = Self::$variant $({ $($field: $default),* })?;
            )*

            /// All of them, with the hyper-parameters to begin with: those of each method's paper.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];

            /// Its row in the table.
            pub const fn info(&self) -> &'static MethodInfo {
                match self {
                    $(Self::$variant { .. } => const { &MethodInfo {
                        name: $name,
                        title: $title,
                        summary: $summary,
                        source: $source,
                        buffers: $buffers,
                        parameters: &[$($(Parameter {
                            name: stringify!($field),
                            default: Value::$kind($default),
                            range: $range,
                            help: $help,
                        }),*)?],
                    } },)*
                }
            }

            /// The values of its hyper-parameters, in the order of [`MethodInfo::parameters`].
            pub fn values(&self) -> Vec<Value> {
                match *self {
                    $(Self::$variant $({ $($field),* })? => vec![$($(Value::$kind($field)),*)?],)*
                }
            }

            /// Radius and norm as `sam-core` takes them; a radius of 0 where there is none.
            pub fn rule(&self) -> Rule<f32> {
                match *self {
                    $(Self::$variant $({ $($field),* })? => $rule,)*
                }
            }

            /// Gradients of a batch that a step computes, on average; of second order: a product with the Hessian counts
            /// as three, because each multiplication of a gradient becomes three.
            pub fn gradients_per_step(&self) -> f64 {
                match *self {
                    $(Self::$variant $({ $($field),* })? => $gradients,)*
                }
            }
        }
    };
}
use methods;

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

    /// The name in commands and files.
    pub const fn name(&self) -> &'static str {
        self.info().name
    }

    /// Words a weight that it keeps, as [`MethodInfo::buffers`].
    pub const fn buffers(&self) -> usize {
        self.info().buffers
    }

    /// The method for people, without its hyper-parameters but those that make it another method.
    pub fn title(&self) -> String {
        self.parameters().fold(self.info().title.to_owned(), |title, (parameter, value)| {
            title.replace(&format!("{{{}}}", parameter.name), &value.to_string())
        })
    }

    /// Its hyper-parameters and their values.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static Parameter, Value)> {
        self.info().parameters.iter().zip(self.values())
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

    /// Its hyper-parameters, by the names that files and the command line have for them.
    pub fn hyper_parameters(&self) -> Table {
        self.parameters().map(|(parameter, value)| (parameter.name.to_owned(), value.into())).collect()
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
        let has = |method: &&Self| method.info().parameters.iter().any(|parameter| parameter.name == name);
        let names: Vec<&str> = Self::ALL.iter().filter(has).map(Self::name).collect();
        let expected = match names.split_last() {
            Some((last, rest @ [_, ..])) => format!("`optimizer` {} or {last}", rest.join(", ")),
            Some((only, [])) => format!("`optimizer` {only}"),
            None => "a hyper-parameter of some method".to_owned(),
        };
        InvalidSetting::new(name, expected, format!("`optimizer` {}", self.name()))
    }

    /// Makes sure that every hyper-parameter is in its range.
    ///
    /// # Errors
    /// [`InvalidSetting`] for the first that is not.
    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        self.parameters().try_for_each(|(Parameter { name, range, .. }, value)| match value {
            Value::Number(value) => range.check(name, value),
            Value::Natural(value) => range.check_whole(name, value),
            Value::Exponent(_) => Ok(()),
        })
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(value) => value.fmt(f),
            Self::Natural(value) => value.fmt(f),
            Self::Exponent(value) => value.fmt(f),
        }
    }
}

impl From<Value> for toml::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Number(value) => value.into(),
            // What TOML's integers cannot hold is out of every range.
            Value::Natural(value) => i64::try_from(value).unwrap_or(i64::MAX).into(),
            Value::Exponent(value) => value.to_string().into(),
        }
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
