//! Settings that the command line gives on top of a file's: what `--config` changes, and what a resumed run refuses.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, parser::ValueSource};

use super::{method, train::TrainArgs};
use crate::training::{
    choice::Choice,
    settings::{Base, BatchSizes, InvalidSetting, Method, ScheduleSettings, Settings, SgdSettings},
};

/// The arguments that were given, by their identifiers, with what was given.
#[derive(Debug, Clone, Default)]
pub struct Given(Vec<(String, String)>);

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let text = |id: &str| {
            let values = matches.get_raw(id).into_iter().flatten().map(|value| value.display().to_string());
            values.collect::<Vec<_>>().join(",")
        };
        let ids = matches.ids().map(|id| id.as_str());
        let given = ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
        // A group is given with its members; only arguments are settings.
        let settings: Vec<&str> = settled().collect();
        let given = given.filter(|id| settings.contains(id)).map(|id| (id.to_owned(), text(id)));
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

/// The arguments that are settings of the run, the hyper-parameters of all methods and bases included.
pub fn settled() -> impl Iterator<Item = &'static str> {
    const SETTINGS: [&str; 48] = [
        "data",
        "size",
        "fit",
        "grey",
        "label",
        "test_share",
        "broken",
        "unpack_limit",
        "validation",
        "limit",
        "label_noise",
        "train_labels",
        "augment",
        "mixup",
        "padding",
        "cutout_at",
        "cutout_size",
        "policy_scale",
        "standardize",
        "model",
        "init",
        "checkpoint_activations",
        "epochs",
        "batch",
        "last_batch",
        "groups",
        "lr",
        "momentum",
        "no_nesterov",
        "weight_decay",
        "decoupled",
        "decay_on",
        "decay_in",
        "clip_norm",
        "ema",
        "ema_from",
        "swa_from",
        "patience",
        "schedule",
        "warmup_epochs",
        "label_smoothing",
        "seed",
        "optimizer",
        "base",
        "rho_from",
        "rho_warmup_epochs",
        "rho_schedule",
        "perturb",
    ];
    let parameters = method::parameters::<Method>().chain(method::parameters::<Base>());
    SETTINGS.into_iter().chain(parameters.map(|parameter| parameter.name))
}

impl Given {
    /// Makes sure that nothing is given that differs from the settings `began` of a run, but for more epochs; returns them with those.
    ///
    /// # Errors
    /// [`InvalidSetting`], which names the first that does.
    pub fn resumed(&self, args: &TrainArgs, began: &Settings) -> Result<Settings, InvalidSetting> {
        for (id, text) in &self.0 {
            let with = onto(args, began.clone(), &|other| other == id)?;
            if with == *began || (id == "epochs" && with.epochs > began.epochs) {
                continue;
            }
            let expected = match id.as_str() {
                "epochs" => format!("{} or more, with which the run began", began.epochs),
                _ => "what the run began with, as its config.toml says; start another run from it with `config`".to_owned(),
            };
            let found = if text.is_empty() { "another" } else { text };
            return Err(InvalidSetting::new(id.replace('_', "-"), expected, found));
        }
        let epochs = if self.has("epochs") { args.training.epochs } else { began.epochs };
        Ok(Settings { epochs, ..began.clone() })
    }

    /// `settings` with what is given in the place of what they say.
    ///
    /// # Errors
    /// [`InvalidSetting`], when a hyper-parameter is given that the method or base does not have. Ranges are not checked.
    pub fn onto(&self, args: &TrainArgs, settings: Settings) -> Result<Settings, InvalidSetting> {
        onto(args, settings, &|id| self.has(id))
    }

    /// Whether the argument was given.
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|(given, _)| given == id)
    }
}

fn onto(
    args: &TrainArgs,
    mut to: Settings,
    given: &dyn Fn(&str) -> bool,
) -> Result<Settings, InvalidSetting> {
    let TrainArgs { data, training, .. } = args;
    macro_rules! take {
        ($($id:literal: $to:expr, $from:expr;)*) => { $(if given($id) { $to = $from; })* };
    }
    if given("data") {
        let chosen = data.settings(0.0);
        (to.data.name, to.data.files) = (chosen.name, chosen.files);
    } else if let Some(files) = &mut to.data.files {
        take! {
            "size": files.size, data.files.size;
            "fit": files.fit, data.files.fit;
            "grey": files.grey, data.files.grey;
            "label": files.label, data.files.label.clone();
            "test_share": files.test_share, data.files.test_share;
            "broken": files.broken, data.files.broken;
            "unpack_limit": files.unpack_limit, data.files.unpack_limit;
        }
    }
    take! {
        "model": to.model, training.model.clone();
        "validation": to.data.validation, data.validation;
        "limit": to.data.limit, data.limit;
        "train_labels": to.data.train_labels, data.settings(0.0).train_labels;
        "label_noise": to.data.label_noise, args.label_noise;
        "augment": to.data.augment, data.augment;
        "mixup": to.data.mixup, data.mixup;
        "padding": to.data.augment_details.padding, data.details.padding;
        "cutout_at": to.data.augment_details.cutout_at, data.details.cutout_at;
        "cutout_size": to.data.augment_details.cutout_size, data.details.cutout_size;
        "policy_scale": to.data.augment_details.policy_scale, data.details.policy_scale;
        "standardize": to.data.standardize, data.standardize;
        "init": to.init, training.init;
        "checkpoint_activations": to.checkpoint_activations, true;
        "epochs": to.epochs, training.epochs;
        "batch": to.batch, BatchSizes::try_from(training.batch.clone()).unwrap_or(to.batch);
        "last_batch": to.last_batch, training.last_batch;
        "groups": to.groups, training.groups;
        "label_smoothing": to.label_smoothing, training.label_smoothing;
        "seed": to.seed, training.seed;
        "ema": to.average.ema, args.ema;
        "ema_from": to.average.ema_from, args.ema_from;
        "swa_from": to.average.swa_from, args.swa_from;
        "patience": to.patience, args.patience;
        "warmup_epochs": to.schedule.warmup_epochs, training.warmup_epochs;
        "rho_from": to.ascent.from_epoch, args.ascent.rho_from;
        "rho_warmup_epochs": to.ascent.warmup_epochs, args.ascent.rho_warmup_epochs;
        "rho_schedule": to.ascent.schedule, args.ascent.rho_schedule;
        "perturb": to.ascent.tensors, args.ascent.perturb;
    }
    if given("schedule") {
        to.schedule = ScheduleSettings { shape: training.schedule.into(), ..to.schedule };
    }
    let method = if given("optimizer") { args.method.row().of_model(&to.model) } else { to.method };
    to.method = args.method.on(method, given)?;
    if given("base") && training.base.row().row().name != to.base.name() {
        let usual = training.base.row().usual(SgdSettings::of_model(&to.model));
        to.sgd = SgdSettings {
            clip_norm: to.sgd.clip_norm,
            decay_on: to.sgd.decay_on,
            decay_in: to.sgd.decay_in,
            ..usual
        };
        to.base = training.base.row();
    }
    to.base = training.base.on(to.base, given)?;
    take! {
        "lr": to.sgd.lr, training.lr.unwrap_or(to.sgd.lr);
        "momentum": to.sgd.momentum, training.momentum.unwrap_or(to.sgd.momentum);
        "no_nesterov": to.sgd.nesterov, false;
        "weight_decay": to.sgd.weight_decay, training.weight_decay.unwrap_or(to.sgd.weight_decay);
        "decoupled": to.sgd.decoupled, true;
        "decay_on": to.sgd.decay_on, training.decay_on;
        "decay_in": to.sgd.decay_in, training.decay_in;
        "clip_norm": to.sgd.clip_norm, training.clip_norm;
    }
    Ok(to)
}
