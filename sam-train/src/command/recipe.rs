//! `sam recipe`, and `--recipe NAME` of the commands that train: how the paper's networks were trained, as arguments of the command.
//!
//! A recipe is nothing but arguments: what it says is parsed, checked and explained as if it had been typed.

mod expand;
mod scale;
mod table;

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::{Call, output::print, words::in_flags};
use crate::{
    data::{Augment, DataSource},
    experiment::{ExperimentError, followed::Followed},
    training::settings::InvalidSetting,
};
pub use expand::expanded;

/// The recipes by name, or what one of them says.
///
/// Each is a row of the paper's tables 1 to 9 or 12 or a panel of its figures 1 and 3, as the authors trained it: `sam
/// train --recipe NAME` is its SAM run of one seed, `sam compare --recipe NAME` SGD and SAM over its seeds; what else is given takes the
/// place of what the recipe says. Where the paper's text and its code differ there are two: NAME follows the code, NAME-as-written the
/// text (docs/recipes.md).
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct RecipeListArgs {
    /// A recipe, or a part of the names of those to list.
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Show it with epochs, width and data shrunk to this share.
    #[arg(long, value_name = "SHARE")]
    scale: Option<f64>,
}

const EXAMPLES: &str = "\
Examples:
  sam recipe
  sam recipe table5 --json
  sam recipe table1-cifar-10-wrn-28-10-200-basic
  sam compare --recipe table5-fashion-mnist-wrn-28-10-cutout --scale 0.02 --seeds 3";

/// The arguments of commands that follow recipes. They are read before all others: [`expanded`].
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Recipe")]
pub struct RecipeArgs {
    /// Train as the paper's authors did for this row of its tables; `sam recipe` lists them. What else is given goes before.
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,

    /// Shrink the recipe's epochs, width and training images to this share, for small machines.
    #[arg(long, value_name = "SHARE", requires = "recipe")]
    pub scale: Option<f64>,
}

impl RecipeArgs {
    /// The recipe that is followed, which every output says.
    pub fn followed(&self) -> Option<Followed> {
        let recipe = find(self.recipe.as_ref()?).ok()?;
        let shrunk = self.scale.filter(|scale| *scale != 1.0);
        let scaled = shrunk.map(|scale| (scale, recipe.scaled(scale).1));
        Some(Followed { recipe: recipe.name, scaled })
    }
}

/// A data set of the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Data {
    /// The name in recipes, and of the reader where there is one.
    name: &'static str,
    /// What is at the path that `data` has to be, if it is one.
    folder: Option<&'static str>,
    /// Training images.
    images: usize,
}

impl Data {
    const fn named(name: &'static str, images: usize) -> Self {
        Self { name, folder: None, images }
    }

    const fn folders(name: &'static str, title: &'static str, images: usize) -> Self {
        Self { name, folder: Some(title), images }
    }
}

/// Which of two sources that differ is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// The authors' code, which made the figures: decay in the loss of both passes, gradients cut to 5, Nesterov momentum.
    Code,
    /// The paper's text: decay of equation 1 beside SAM's loss, no cut, plain momentum.
    Text,
}

/// How a row was trained.
#[derive(Debug, Clone, PartialEq)]
struct Recipe {
    name: String,
    /// Where it stands in the paper.
    place: &'static str,
    /// The command that repeats it.
    command: &'static str,
    data: Data,
    model: String,
    /// Height and width that pictures are brought to.
    size: Option<usize>,
    epochs: usize,
    batch: usize,
    /// Images that share a perturbation, and a device's batch normalisation.
    m: usize,
    lr: f64,
    decay: f64,
    rho: f64,
    augment: &'static str,
    seeds: usize,
    /// Training images, where it is scaled.
    limit: Option<usize>,
    variant: Variant,
    /// What the command takes beside, by its flags.
    extra: &'static [(&'static str, &'static str)],
    /// What is printed for SAM and without it, in percent of errors.
    printed: Option<(&'static str, &'static str)>,
    notes: Vec<&'static str>,
}

impl Recipe {
    /// What CIFAR's recipes share.
    fn cifar(data: Data, model: &str, epochs: usize) -> Self {
        Self {
            name: String::new(),
            place: "",
            command: "compare",
            data,
            model: model.to_owned(),
            size: None,
            epochs,
            batch: 256,
            m: 32,
            lr: 0.1,
            decay: 5e-4,
            rho: 0.05,
            augment: "basic",
            seeds: 5,
            limit: None,
            variant: Variant::Code,
            extra: &[],
            printed: None,
            notes: Vec::new(),
        }
    }

    /// What `augment` is called by the command. The code has more sub-policies for CIFAR than the paper that it cites.
    fn augmentation(&self) -> &'static str {
        match (self.augment, self.data.name, self.variant) {
            ("autoaugment", "svhn", _) => "autoaugment-svhn",
            ("autoaugment", _, Variant::Code) => "autoaugment-cifar-95",
            ("autoaugment", _, Variant::Text) => "autoaugment-cifar",
            ("imagenet", ..) => "resized",
            ("imagenet-eval", ..) => "none",
            (other, ..) => other,
        }
    }

    /// How it is done. The code pads by reflection, erases one square of 16 pixels a batch, and has magnitudes that are meant for large
    /// images. The text cites the paper of cutout, whose square is of another size on each data set: half the width of CIFAR-10's.
    fn augment_details(&self) -> Vec<(&'static str, &'static str)> {
        let Ok(augment) = self.augmentation().parse::<Augment>() else { return Vec::new() };
        let (transforms, code) = (augment.transforms(), self.variant == Variant::Code);
        let erased_in = |data| !code && transforms.erases && self.data.name == data;
        let details = [
            (code && transforms.crops, "padding", "reflect"),
            (code && transforms.erases, "cutout-at", "batch"),
            (code && transforms.erases, "cutout-size", "16"),
            (code && transforms.policy.is_some(), "policy-scale", "sam"),
            (erased_in("cifar-100"), "cutout-size", "8"),
            (erased_in("svhn"), "cutout-size", "20"),
        ];
        let meant = details.into_iter().filter(|(meant, ..)| *meant);
        meant.map(|(_, flag, value)| (flag, value)).collect()
    }

    /// The name of its data set's reader. Of SVHN the paper trains on both training files.
    fn source(&self) -> &'static str {
        if self.data.name == "svhn" { "svhn-extra" } else { self.data.name }
    }

    /// The arguments that `command` takes for it, by flag and value; a switch has no value. `batch` stands in the place of its own.
    fn arguments(&self, command: &str, batch: Option<usize>) -> Vec<(&'static str, String)> {
        let batch = batch.unwrap_or(self.batch);
        let mut arguments = vec![("model", self.model.clone()), ("batch", batch.to_string())];
        let mut add = |flag, value: &dyn ToString| arguments.push((flag, value.to_string()));
        if self.data.folder.is_none() {
            add("data", &self.source());
        } else if self.augment.starts_with("imagenet") {
            add("fit", &"centre");
        }
        if let Some(size) = self.size {
            add("size", &format!("{size}x{size}"));
        }
        if let Some(limit) = self.limit {
            add("limit", &limit);
        }
        let finetune = command == "finetune";
        add(if finetune { "tune-epochs" } else { "epochs" }, &self.epochs);
        add(if finetune { "tune-lr" } else { "lr" }, &self.lr);
        add("weight-decay", &self.decay);
        add("augment", &self.augmentation());
        self.augment_details().iter().for_each(|(flag, value)| add(flag, value));
        match self.variant {
            Variant::Code => {
                add("decay-in", &"loss");
                add("clip-norm", &5);
            }
            Variant::Text => add("no-nesterov", &""),
        }
        // Each device normalises, and climbs, by itself.
        if batch > self.m {
            add("groups", &batch.div_ceil(self.m));
        }
        let climbs = !["ablate m", "grid", "ablate rho-default", "tune"].contains(&command);
        let in_groups = climbs
            && ![
                "ablate norm",
                "ablate inner-steps",
                "ablate second-order",
                "ablate variants",
                "predict-gap",
            ]
            .contains(&command);
        if climbs {
            add("rho", &self.rho);
        }
        if in_groups && batch > self.m {
            if command == "train" {
                add("optimizer", &"m-sharpness");
            }
            add("m", &self.m);
        }
        if command != "train" {
            add("seeds", &self.seeds);
        }
        if command == "compare" {
            add("label-noise", &0);
        }
        if command == self.command {
            self.extra.iter().for_each(|(flag, value)| add(flag, value));
        }
        arguments
    }

    /// The command line that repeats it.
    fn command_line(&self) -> String {
        let mut line = format!("sam {}", self.command);
        for (flag, value) in self.arguments(self.command, None) {
            let _ = write!(line, " --{flag}{}{value}", if value.is_empty() { "" } else { " " });
        }
        if let Some(title) = self.data.folder {
            let _ = write!(line, " --data '{title}'");
        }
        line
    }

    /// What this program or this machine must have, and does not come with.
    fn needs(&self) -> Vec<String> {
        let mut needs = Vec::new();
        if let Some(title) = self.data.folder {
            needs.push(format!("--data PATH, where the pictures of {title} are"));
        }
        if self.command == "finetune" {
            needs.push(format!("--init FILE, a checkpoint of {} trained on ImageNet", self.model));
        }
        // What is in none of the usual places; its error says where it is to be had.
        let here = |source: DataSource| source.ambiguities(None).map(drop);
        if let (None, Ok(Err(absent))) = (self.data.folder, self.source().parse().map(here)) {
            needs.push(in_flags(&absent.to_string()));
        }
        if let Err(unknown) = self.readable() {
            needs.push(unknown);
        }
        needs
    }

    /// Whether the command knows all names in it.
    fn readable(&self) -> Result<(), String> {
        let mut words = vec!["sam".to_owned()];
        words.extend(self.command.split(' ').map(str::to_owned));
        // Any folder there is.
        words.extend(self.data.folder.iter().flat_map(|_| ["--data".to_owned(), ".".to_owned()]));
        for (flag, value) in self.arguments(self.command, None) {
            words.push(format!("--{flag}"));
            words.extend((!value.is_empty()).then_some(value));
        }
        super::check(words).map_err(|error| {
            let line = error.lines().next().unwrap_or_default();
            format!("what this version does not have: {}", line.trim_start_matches("error: "))
        })
    }

    fn json(&self) -> Value {
        json!({
            "kind": "recipe", "name": self.name, "place": self.place, "follows": match self.variant {
                Variant::Code => "code",
                Variant::Text => "text",
            },
            "command": self.command_line(), "data": self.data.name, "model": self.model, "epochs": self.epochs, "batch": self.batch,
            "m": self.m, "lr": self.lr, "weight_decay": self.decay, "rho": self.rho, "augment": self.augmentation(),
            "seeds": self.seeds, "limit": self.limit, "printed": self.printed.map(|(sam, without)| [sam, without]),
            "needs": self.needs(), "notes": self.notes,
        })
    }
}

/// The recipe of that name.
fn find(name: &str) -> Result<Recipe, InvalidSetting> {
    table::all()
        .into_iter()
        .find(|recipe| recipe.name == name)
        .ok_or_else(|| InvalidSetting::new("recipe", "the name of one, as `sam recipe` lists them", name))
}

/// The share that a recipe is shrunk to.
fn check_scale(scale: Option<f64>) -> Result<(), InvalidSetting> {
    match scale {
        Some(scale) if !(scale > 0.0 && scale <= 1.0) => {
            Err(InvalidSetting::new("scale", "a share, above 0 to 1", scale))
        }
        _ => Ok(()),
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no such recipe.
pub fn run(args: &RecipeListArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    check_scale(args.scale)?;
    let part = args.name.as_deref().unwrap_or_default();
    let all = table::all();
    let exact = all.iter().find(|recipe| recipe.name == part);
    let chosen: Vec<&Recipe> = match exact {
        Some(recipe) => vec![recipe],
        None => all.iter().filter(|recipe| recipe.name.contains(part)).collect(),
    };
    if chosen.is_empty() {
        find(part)?;
    }
    let widest = chosen.iter().map(|recipe| recipe.name.len()).max().unwrap_or(0);
    for recipe in chosen {
        let scaled = args.scale.map(|scale| {
            let (recipe, changes) = recipe.scaled(scale);
            (recipe, format!("scaled by {scale}: {changes}"))
        });
        let (recipe, changes) =
            scaled.map_or((recipe.clone(), None), |(recipe, changes)| (recipe, Some(changes)));
        if call.as_json {
            let mut line = recipe.json();
            line["scale"] = json!(args.scale);
            line["scaled"] = json!(changes);
            print(line)?;
        } else if exact.is_none() {
            print(format_args!("{:<widest$}  {}", recipe.name, recipe.place))?;
        } else {
            print(described(&recipe, changes.as_deref()))?;
        }
    }
    Ok(())
}

fn described(recipe: &Recipe, changes: Option<&str>) -> String {
    let mut text = format!(
        "{}: {} of the paper, as its {}\n",
        recipe.name,
        recipe.place,
        match recipe.variant {
            Variant::Code => "code has it",
            Variant::Text => "text has it",
        }
    );
    if let Some(changes) = changes {
        let _ = writeln!(text, "  {changes}");
    }
    let _ = writeln!(text, "  {}", recipe.command_line());
    if let Some((sam, without)) = recipe.printed {
        let beside = if without.is_empty() { String::new() } else { format!("; without SAM {without}") };
        let _ = writeln!(text, "  printed, error in %: {sam}{beside}");
    }
    recipe.notes.iter().for_each(|note| text.push_str(&format!("  note: {note}\n")));
    recipe.needs().iter().for_each(|need| text.push_str(&format!("  needs: {need}\n")));
    text.trim_end().to_owned()
}
