//! Choices with hyper-parameters on the command line: one argument for the row of the table, and one for each hyper-parameter that
//! any of its rows has.

use clap::{
    Arg, ArgMatches, Args, Command, Error, FromArgMatches, ValueEnum,
    builder::{EnumValueParser, PossibleValue, TypedValueParser},
    error::ErrorKind,
    parser::ValueSource,
    value_parser,
};
use toml::Table;

use crate::training::{
    choice::{Choice, Parameter, Value},
    settings::{Base, InvalidSetting, Method, NormExponent},
};

/// What the command line says of a table beyond its rows.
pub trait Chosen: Choice + ValueEnum {
    /// The row where none is given.
    const USUAL: Self;
    /// What its argument is for.
    const HELP: &'static str;
    /// What stands for a row.
    const PLACE: &'static str;
    /// Over its arguments.
    const HEADING: &'static str;

    /// What to do about a name that is not a row's, if that is known.
    fn advice(name: &str) -> Option<String>;
}

impl Chosen for Method {
    const USUAL: Self = Self::SAM;
    const HELP: &'static str =
        "Which gradient is followed. The method's defaults stand behind it; only what it has may be given";
    const PLACE: &'static str = "METHOD";
    const HEADING: &'static str = "Method";

    fn advice(name: &str) -> Option<String> {
        let base = Base::ALL.iter().find(|base| base.name() == name)?;
        Some(format!("{name} is how a gradient is followed: --base {}", base.name()))
    }
}

impl Chosen for Base {
    const USUAL: Self = Self::SGD;
    const HELP: &'static str =
        "How the gradient is followed. Its defaults stand behind it; only what it has may be given";
    const PLACE: &'static str = "BASE";
    const HEADING: &'static str = "Base optimizer";

    fn advice(name: &str) -> Option<String> {
        let method = Method::ALL.iter().find(|method| method.name() == name)?;
        Some(format!("{name} is which gradient is followed: --optimizer {}", method.name()))
    }
}

/// A row, and those of its hyper-parameters that are not its defaults.
#[derive(Debug, Clone)]
pub struct ChoiceArgs<C> {
    row: C,
    given: Table,
}

/// The training method.
pub type MethodArgs = ChoiceArgs<Method>;
/// The base optimizer.
pub type BaseArgs = ChoiceArgs<Base>;

/// The arguments for the hyper-parameters of all rows.
pub fn parameters<C: Choice>() -> impl Iterator<Item = &'static Parameter> {
    let all = || C::ROWS.iter().flat_map(|row| row.row().parameters);
    all()
        .enumerate()
        .filter(move |(i, one)| all().take(*i).all(|other| other.name != one.name))
        .map(|(_, one)| one)
}

impl<C: Choice> ChoiceArgs<C> {
    /// What the arguments describe.
    ///
    /// # Errors
    /// [`InvalidSetting`], when a hyper-parameter is given that the row does not have.
    pub fn choice(&self) -> Result<C, InvalidSetting> {
        self.row.with(self.given.clone())
    }

    /// The row that is named, or the usual one.
    pub const fn row(&self) -> C {
        self.row
    }

    /// `row` with those hyper-parameters in the place of its own that were given and `take` takes.
    ///
    /// # Errors
    /// As [`ChoiceArgs::choice`].
    pub fn on(&self, row: C, take: &dyn Fn(&str) -> bool) -> Result<C, InvalidSetting> {
        row.with(self.given.clone().into_iter().filter(|(name, _)| take(name)).collect())
    }

    /// Whether the hyper-parameter was given.
    pub fn gives(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Takes over what `matches` have from the command line, or all of it.
    fn take(&mut self, matches: &ArgMatches) {
        if let Some(&row) = matches.get_one(C::SETTING) {
            self.row = row;
        }
        for Parameter { name, default, .. } in parameters::<C>() {
            if matches.value_source(name) != Some(ValueSource::CommandLine) {
                continue;
            }
            let value = match default {
                Value::Number(_) => matches.get_one(name).copied().map(Value::Number),
                Value::Natural(_) => matches.get_one(name).copied().map(Value::Natural),
                Value::Exponent(_) => matches.get_one(name).copied().map(Value::Exponent),
            };
            if let Some(value) = value {
                self.given.insert((*name).to_owned(), value.into());
            }
        }
    }
}

impl<C: Chosen> FromArgMatches for ChoiceArgs<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self { row: C::USUAL, given: Table::new() };
        args.take(matches);
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.take(matches);
        Ok(())
    }
}

impl<C: Chosen> Args for ChoiceArgs<C> {
    fn augment_args(command: Command) -> Command {
        let row = Arg::new(C::SETTING)
            .long(C::SETTING)
            .value_name(C::PLACE)
            .value_parser(RowParser::<C>(EnumValueParser::new()))
            .default_value(C::USUAL.row().name);
        let arguments = parameters::<C>().map(|parameter| {
            let argument = Arg::new(parameter.name).long(parameter.name).help(meaning::<C>(parameter.name));
            match parameter.default {
                Value::Number(_) => argument.value_parser(value_parser!(f64)),
                Value::Natural(_) => argument.value_parser(value_parser!(usize)).value_name("N"),
                Value::Exponent(_) => argument.value_parser(value_parser!(NormExponent)).value_name("P"),
            }
        });
        command.next_help_heading(C::HEADING).arg(row.help(C::HELP)).args(arguments)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Reads the name of a row, and knows where a name of the other table belongs.
#[derive(Clone)]
struct RowParser<C: Chosen>(EnumValueParser<C>);

impl<C: Chosen> TypedValueParser for RowParser<C> {
    type Value = C;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &std::ffi::OsStr) -> Result<C, Error> {
        match value.to_str().and_then(C::advice) {
            Some(advice) if C::ROWS.iter().all(|row| Some(row.row().name) != value.to_str()) => {
                let text = format!("invalid value '{}' for '--{}': {advice}", value.display(), C::SETTING);
                Err(command.clone().error(ErrorKind::InvalidValue, text))
            }
            _ => self.0.parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// What a hyper-parameter means: first what it means to several rows, then what to one alone, after that one's name.
fn meaning<C: Choice>(name: &str) -> String {
    let all = || C::ROWS.iter().flat_map(|row| row.row().parameters.iter().map(move |own| (row.row(), own)));
    let mut meanings: Vec<(&str, Vec<&str>)> = Vec::new();
    for (row, Parameter { help, .. }) in all().filter(|(_, parameter)| parameter.name == name) {
        match meanings.iter_mut().find(|(other, _)| *other == *help) {
            Some((_, rows)) => rows.push(row.name),
            None => meanings.push((help, vec![row.name])),
        }
    }
    let sentence = |(help, rows): &(&str, Vec<&str>)| match rows[..] {
        [row] => format!("{row}: {help}"),
        _ => format!("{}{}", help[..1].to_uppercase(), &help[1..]),
    };
    meanings.sort_by_key(|(_, rows)| rows.len() == 1);
    meanings.iter().map(sentence).collect::<Vec<_>>().join(". ")
}

/// A row among the possible values of its argument.
fn possible<C: Choice>(row: &C) -> PossibleValue {
    let info = row.row();
    let defaults = info.parameters.iter().map(|own| format!(" --{} {}", own.name, own.default));
    let defaults = defaults.collect::<String>();
    let help = match defaults.trim() {
        "" => format!("{} ({})", info.summary, info.source),
        defaults => format!("{} ({}) [{defaults}]", info.summary, info.source),
    };
    PossibleValue::new(info.name).help(help)
}

impl ValueEnum for Method {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(possible(self))
    }
}

impl ValueEnum for Base {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(possible(self))
    }
}
