//! Choices with hyper-parameters: tables of rows, one for each method and one for each base optimizer.

use serde::{Serialize, de::DeserializeOwned};
use toml::Table;

use super::{invalid_setting::InvalidSetting, norm_exponent::NormExponent, range::Range};

/// What is known of a choice before it is made: the constant part of its row in the table.
#[derive(Debug, Clone, Copy)]
pub struct ChoiceInfo {
    /// The name in commands and files.
    pub name: &'static str,
    /// The choice for people; `{steps}` stands for the value of its parameter `steps`.
    pub title: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Its hyper-parameters, in the order of [`Choice::values`].
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

/// A number in a row of a table.
pub(super) type Number = f64;
/// A whole number there.
pub(super) type Natural = usize;
/// The exponent of a norm there.
pub(super) type Exponent = NormExponent;

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

/// One of a table's rows, with values for its hyper-parameters.
pub trait Choice: Copy + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The setting that names the row.
    const SETTING: &'static str;
    /// Every row, with the hyper-parameters to begin with.
    const ROWS: &'static [Self];

    /// Its row in the table.
    fn row(&self) -> &'static ChoiceInfo;

    /// The values of its hyper-parameters, in the order of [`ChoiceInfo::parameters`].
    fn values(&self) -> Vec<Value>;

    /// The choice for people, without its hyper-parameters but those that make it another one.
    fn title(&self) -> String {
        self.parameters().fold(self.row().title.to_owned(), |title, (parameter, value)| {
            title.replace(&format!("{{{}}}", parameter.name), &value.to_string())
        })
    }

    /// Its hyper-parameters and their values.
    fn parameters(&self) -> impl Iterator<Item = (&'static Parameter, Value)> {
        self.row().parameters.iter().zip(self.values())
    }

    /// Its hyper-parameters, by the names that files and the command line have for them.
    fn hyper_parameters(&self) -> Table {
        self.parameters().map(|(parameter, value)| (parameter.name.to_owned(), value.into())).collect()
    }

    /// The same row with the hyper-parameters `given` instead of its own.
    ///
    /// # Errors
    /// [`InvalidSetting`] for one that the row does not have, or of another type. Ranges are not checked.
    fn with(self, given: Table) -> Result<Self, InvalidSetting> {
        let mut table = self.hyper_parameters();
        for (name, value) in given {
            if table.insert(name.clone(), value).is_none() {
                return Err(without(&self, name));
            }
        }
        table.insert("name".to_owned(), self.row().name.into());
        table.try_into().map_err(|error: toml::de::Error| {
            InvalidSetting::new(Self::SETTING, "its hyper-parameters", error.message())
        })
    }

    /// Makes sure that every hyper-parameter is in its range.
    ///
    /// # Errors
    /// [`InvalidSetting`] for the first that is not.
    fn check(&self) -> Result<(), InvalidSetting> {
        self.parameters().try_for_each(|(Parameter { name, range, .. }, value)| match value {
            Value::Number(value) => range.check(name, value),
            Value::Natural(value) => range.check_whole(name, value),
            Value::Exponent(_) => Ok(()),
        })
    }
}

/// The error that names the rows with a hyper-parameter `name`, which `choice` is not one of.
fn without<C: Choice>(choice: &C, name: String) -> InvalidSetting {
    let has = |row: &&C| row.row().parameters.iter().any(|parameter| parameter.name == name);
    let names: Vec<&str> = C::ROWS.iter().filter(has).map(|row| row.row().name).collect();
    let setting = C::SETTING;
    let expected = match names.split_last() {
        Some((last, rest @ [_, ..])) => format!("`{setting}` {} or {last}", rest.join(", ")),
        Some((only, [])) => format!("`{setting}` {only}"),
        None => format!("a hyper-parameter of some `{setting}`"),
    };
    InvalidSetting::new(name, expected, format!("`{setting}` {}", choice.row().name))
}

/// The enumeration of a table's choices, from rows of constant, variant with parameters, what is known of it, and the columns of
/// the structure `$columns`, which may use the parameters.
macro_rules! choices {
    (
        $(#[doc = $doc:literal])* $choice:ident, $setting:literal, $columns:ident;
        $(
            $constant:ident: $variant:ident $({
                $($field:ident: $kind:ident = $default:expr, $range:expr, $help:expr;)*
            })? = {
                name: $name:literal,
                title: $title:literal,
                summary: $summary:literal,
                source: $source:literal,
                $($column:ident: $value:expr,)*
            }
        )*
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "name", deny_unknown_fields)]
        pub enum $choice {
            $(
                #[doc = concat!("`", $name, "`: ", $summary, " (", $source, ").")]
                #[serde(rename = $name)]
                $variant $({
                    $(#[doc = concat!("`", stringify!($field), "`, as the row explains it.")] $field: $kind,)*
                })?,
            )*
        }

        impl $choice {
            $(
                #[doc = concat!("`", $name, "` with the hyper-parameters to begin with.")]
                pub const $constant: Self = Self::$variant $({ $($field: $default),* })?;
            )*

            /// All of them, with the hyper-parameters to begin with: those of each one's paper.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];

            /// Its row in the table.
            pub const fn info(&self) -> &'static $crate::training::choice::ChoiceInfo {
                match self {
                    $(Self::$variant { .. } => const { &$crate::training::choice::ChoiceInfo {
                        name: $name,
                        title: $title,
                        summary: $summary,
                        source: $source,
                        parameters: &[$($($crate::training::choice::Parameter {
                            name: stringify!($field),
                            default: $crate::training::choice::Value::$kind($default),
                            range: $range,
                            help: $help,
                        }),*)?],
                    } },)*
                }
            }

            /// The name in commands and files.
            pub const fn name(&self) -> &'static str {
                self.info().name
            }

            /// The columns that may depend on its hyper-parameters.
            #[allow(unused_variables, reason = "a row need not use all of its parameters")]
            pub(super) fn columns(&self) -> $columns {
                match *self {
                    $(Self::$variant $({ $($field),* })? => $columns { $($column: $value),* },)*
                }
            }
        }

        impl $crate::training::choice::Choice for $choice {
            const SETTING: &'static str = $setting;
            const ROWS: &'static [Self] = Self::ALL;

            fn row(&self) -> &'static $crate::training::choice::ChoiceInfo {
                self.info()
            }

            fn values(&self) -> Vec<$crate::training::choice::Value> {
                match *self {
                    $(Self::$variant $({ $($field),* })? => {
                        vec![$($($crate::training::choice::Value::$kind($field)),*)?]
                    })*
                }
            }
        }
    };
}
pub(super) use choices;

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
