//! Training methods on the command line: one argument for the method, one for each hyper-parameter that any of them has.

use clap::{
    Arg, ArgMatches, Args, Command, Error, FromArgMatches, ValueEnum, builder::PossibleValue,
    parser::ValueSource, value_parser,
};
use toml::Table;

use crate::training::{
    method::{Parameter, Value},
    settings::{InvalidSetting, Method, NormExponent},
};

/// The method, and those of its hyper-parameters that are not its defaults.
#[derive(Debug, Clone)]
pub struct MethodArgs {
    optimizer: Method,
    given: Table,
}

/// The argument for the method.
const OPTIMIZER: &str = "optimizer";

/// The arguments for the hyper-parameters of all methods.
pub fn parameters() -> impl Iterator<Item = &'static Parameter> {
    let all = || Method::ALL.iter().flat_map(|method| method.info().parameters);
    all()
        .enumerate()
        .filter(move |(i, one)| all().take(*i).all(|other| other.name != one.name))
        .map(|(_, one)| one)
}

impl MethodArgs {
    /// The method that the arguments describe.
    ///
    /// # Errors
    /// [`InvalidSetting`], when a hyper-parameter is given that the method does not have.
    pub fn method(&self) -> Result<Method, InvalidSetting> {
        self.optimizer.with(self.given.clone())
    }

    /// Takes over what `matches` have from the command line, or all of it.
    fn take(&mut self, matches: &ArgMatches) {
        if let Some(&method) = matches.get_one(OPTIMIZER) {
            self.optimizer = method;
        }
        for Parameter { name, default, .. } in parameters() {
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

impl FromArgMatches for MethodArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self { optimizer: Method::SAM, given: Table::new() };
        args.take(matches);
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.take(matches);
        Ok(())
    }
}

impl Args for MethodArgs {
    fn augment_args(command: Command) -> Command {
        let help = "Which gradient is followed. The method's defaults stand behind it; only what it has may be given";
        let optimizer = Arg::new(OPTIMIZER)
            .long(OPTIMIZER)
            .value_name("METHOD")
            .value_parser(value_parser!(Method))
            .default_value(Method::SAM.name());
        let arguments = parameters().map(|parameter| {
            let argument = Arg::new(parameter.name).long(parameter.name).help(meaning(parameter.name));
            match parameter.default {
                Value::Number(_) => argument.value_parser(value_parser!(f64)),
                Value::Natural(_) => argument.value_parser(value_parser!(usize)).value_name("N"),
                Value::Exponent(_) => argument.value_parser(value_parser!(NormExponent)).value_name("P"),
            }
        });
        command.next_help_heading("Method").arg(optimizer.help(help)).args(arguments)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// What a hyper-parameter means: first what it means to several methods, then what to one alone, after that one's name.
fn meaning(name: &str) -> String {
    let all = || {
        Method::ALL.iter().flat_map(|method| method.info().parameters.iter().map(move |own| (method, own)))
    };
    let mut meanings: Vec<(&str, Vec<&str>)> = Vec::new();
    for (method, Parameter { help, .. }) in all().filter(|(_, parameter)| parameter.name == name) {
        match meanings.iter_mut().find(|(other, _)| *other == *help) {
            Some((_, methods)) => methods.push(method.name()),
            None => meanings.push((help, vec![method.name()])),
        }
    }
    let sentence = |(help, methods): &(&str, Vec<&str>)| match methods[..] {
        [method] => format!("{method}: {help}"),
        _ => format!("{}{}", help[..1].to_uppercase(), &help[1..]),
    };
    meanings.sort_by_key(|(_, methods)| methods.len() == 1);
    meanings.iter().map(sentence).collect::<Vec<_>>().join(". ")
}

impl ValueEnum for Method {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let info = self.info();
        let defaults = info.parameters.iter().map(|own| format!(" --{} {}", own.name, own.default));
        let defaults = defaults.collect::<String>();
        let help = match defaults.trim() {
            "" => format!("{} ({})", info.summary, info.source),
            defaults => format!("{} ({}) [{defaults}]", info.summary, info.source),
        };
        Some(PossibleValue::new(info.name).help(help))
    }
}
