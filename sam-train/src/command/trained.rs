//! `sam evaluate`, `sam predict` and `sam export`: what is done with a network after training.

use std::{
    collections::HashMap,
    io::BufReader,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{Args, ValueEnum};
use ndarray::Array2;
use sam_model::Description;
use serde_json::json;

use super::{
    Call, load,
    output::{print, prose, tabled},
};
use crate::{
    analysis::model::Model,
    data::{DataError, DataSource, Dataset, ImageSet, Standardizer, own},
    experiment::{ExperimentError, train::RunDirectory},
    export::{graph, onnx, pytorch, tensorboard},
    files::{self, FileError},
    json,
    report::{
        classification::{Classification, softmax},
        epochs::csv,
    },
    training::{
        checkpoint::Checkpoint, config::Config, data_facts::DataFacts, learner::LearnerError, state::State,
    },
};

/// Errors of a trained network on the test set, or on data of your own: in all, of each class, and how well its confidence fits.
///
/// The test set is that of the run, read from where it was. --data takes other files with the same classes, all images of them.
#[derive(Debug, Clone, Args)]
pub struct EvaluateArgs {
    /// The directory of a run, or a checkpoint in one.
    run: PathBuf,

    /// Folder or file of other images with the same classes, read as the run's were.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
}

/// The classes that a trained network takes pictures for, with their probabilities.
///
/// Pictures are brought to the size that the network was trained on, as its own were.
#[derive(Debug, Clone, Args)]
pub struct PredictArgs {
    /// The directory of a run, or a checkpoint in one.
    run: PathBuf,

    /// PNG and JPEG files.
    #[arg(required = true)]
    images: Vec<PathBuf>,
}

/// A trained network for other programs.
///
/// safetensors: weights and running statistics by PyTorch's names and in its layouts, with the classes and what bytes are standardised by
/// in its metadata. onnx: the whole network, which takes bytes as float32 (images, channels, rows, columns) and gives logits. csv and
/// tensorboard: not the network, but what each epoch gave.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// The directory of a run, or a checkpoint in one.
    run: PathBuf,

    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What it is [default: onnx or csv if the file is called so, else safetensors]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

const EXAMPLES: &str = "\
Examples:
  sam export runs/lenet --out lenet.onnx
  sam export runs/lenet --out lenet.safetensors
  sam export runs/lenet --out lenet.csv
  sam export runs/lenet --out logs/events.out.tfevents.lenet --format tensorboard";

/// What a network is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tensors for PyTorch.
    Safetensors,
    /// A network.
    Onnx,
    /// What each epoch gave, as a table.
    Csv,
    /// What each epoch gave, as a file of events for TensorBoard.
    Tensorboard,
}

/// A finished or unfinished run, and what it knows of its data.
struct Trained {
    config: Config,
    state: State,
    facts: DataFacts,
    /// The data itself, where it had to be read.
    dataset: Option<Dataset>,
}

impl Trained {
    fn open(run: &Path) -> Result<Self, ExperimentError> {
        let (directory, checkpoint) = match run.is_dir() {
            true => (RunDirectory::new(run), RunDirectory::new(run).checkpoint()),
            false => (RunDirectory::new(run.parent().unwrap_or(Path::new(""))), run.to_owned()),
        };
        if !files::present(&directory.config()) {
            return Err(ExperimentError::NoRun { path: run.to_owned() });
        }
        let config = Config::load(&directory.config())?;
        let Checkpoint { position, state } = Checkpoint::load(&checkpoint)?;
        if let Some(facts) = position.facts.filter(DataFacts::is_whole) {
            return Ok(Self { config, state, facts, dataset: None });
        }
        // A checkpoint written before says nothing of its data.
        let dataset = load(&config.run.data, &config.machine)?;
        let facts = DataFacts::of(&dataset, &dataset.standardizer()?);
        Ok(Self { config, state, facts, dataset: Some(dataset) })
    }

    /// The images that the run was evaluated on.
    fn test_set(&mut self) -> Result<ImageSet, ExperimentError> {
        let dataset = match self.dataset.take() {
            Some(dataset) => dataset,
            None => load(&self.config.run.data, &self.config.machine)?,
        };
        Ok(dataset.test)
    }

    fn description(&self) -> Result<Description, ExperimentError> {
        let (shape, classes) = (self.facts.shape(), self.facts.classes.len());
        Ok(self.config.run.describe(shape, classes).map_err(LearnerError::backend)?)
    }

    /// A row of logits for each image of `set`.
    fn logits(&self, set: &ImageSet) -> Result<Array2<f32>, ExperimentError> {
        let Self { config, state, facts, .. } = self;
        let (description, standardizer) = (self.description()?, facts.standardizer());
        let mut model = Model::<f32>::of(&config.run, &description, &standardizer, set, set.labels.clone())?;
        let weights = model.weights(state)?;
        Ok(model.logits(&weights, facts.classes.len()).map_err(LearnerError::backend)?)
    }

    /// All images of other files, with the numbers that their classes have here.
    fn other(&self, path: &Path) -> Result<ImageSet, ExperimentError> {
        let of_run = self.config.run.data.files.as_ref();
        let settings = of_run.cloned().unwrap_or_else(|| own::FileSettings::of(path));
        let shape = self.facts.shape();
        let size = own::PixelSize { height: shape.height, width: shape.width };
        let settings = own::FileSettings { size: Some(size), grey: shape.channels == 1, ..settings };
        let found = own::read(path, &settings)?;
        super::tell(&found);
        let unusable = |expected: String, found: String| DataError::Unusable {
            path: path.to_owned(),
            expected: expected.into(),
            found,
            advice: "evaluate on data of the kind that the network was trained on".into(),
        };
        if found.scaled_by_content {
            let found = "other numbers, which are scaled by the smallest and the largest of their own file";
            return Err(unusable("numbers from 0 to 255 or from 0 to 1".into(), found.into()).into());
        }
        let Dataset { shape: other, class_names, train, test, .. } = found.dataset;
        if other != shape {
            return Err(unusable(format!("images of {shape:?}"), format!("{other:?}")).into());
        }
        let number = |name: &String| self.facts.classes.iter().position(|own| own == name);
        let numbers = class_names
            .iter()
            .map(|name| {
                number(name).ok_or_else(|| unusable("classes of the run".into(), format!("the class {name}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let labels = train.labels.iter().chain(&test.labels).map(|&label| numbers[usize::from(label)] as u16);
        let pixels = [train.pixels.all()?, test.pixels.all()?].concat();
        Ok(ImageSet { labels: labels.collect(), pixels: pixels.into() })
    }

    /// What another program needs to know besides the weights.
    fn metadata(&self, standardizer: &Standardizer) -> HashMap<String, String> {
        let Self { config, facts, .. } = self;
        let lines: Vec<[f32; 2]> =
            standardizer.tables().iter().map(|t| [(t[255] - t[0]) / 255.0, t[0]]).collect();
        let shape = facts.shape();
        HashMap::from([
            ("format".to_owned(), "pt".to_owned()),
            ("model".to_owned(), config.run.model.to_string()),
            ("classes".to_owned(), json::line(&facts.classes)),
            ("image".to_owned(), format!("{}x{}x{}", shape.height, shape.width, shape.channels)),
            // Of each channel: value = byte * first + second.
            ("standardise".to_owned(), json::line(&lines)),
        ])
    }
}

/// Runs `sam evaluate`.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn evaluate(args: &EvaluateArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let mut trained = Trained::open(&args.run)?;
    let set = match &args.data {
        Some(path) => trained.other(path)?,
        None => trained.test_set()?,
    };
    let found = Classification::of(trained.logits(&set)?.view(), &set.labels, &trained.facts.classes);
    if call.as_json {
        let mut line = serde_json::to_value(&found).unwrap_or_default();
        line["kind"] = "evaluate".into();
        print(line)?;
        return Ok(());
    }
    let data = match &args.data {
        Some(path) => path.display().to_string(),
        None => format!("the {} set of {}", trained.config.run.data.evaluated_on(), trained.facts.name),
    };
    tabled(&found.table(format!("{} on {data}", trained.config.run.model)))?;
    prose(found.sentence())?;
    Ok(())
}

/// Runs `sam predict`.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn predict(args: &PredictArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    const SHOWN: usize = 3;
    let trained = Trained::open(&args.run)?;
    let shape = trained.facts.shape();
    let takes_pictures =
        trained.config.run.data.name != DataSource::Digits && [1, 3].contains(&shape.channels);
    if !takes_pictures || (shape.height, shape.width) == (1, 1) {
        let unusable = DataError::Unusable {
            path: args.run.clone(),
            expected: "a run on images of bytes in 1 or 3 channels".into(),
            found: format!("one on {}", trained.config.run.data.title()),
            advice: "name a run on pictures".into(),
        };
        return Err(unusable.into());
    }
    let fit = trained.config.run.data.files.as_ref().map_or_else(own::Fit::default, |files| files.fit);
    let mut pixels = Vec::new();
    for path in &args.images {
        let file = files::open(path).map_err(FileError::of(path, "read"))?;
        let picture = own::show_picture(BufReader::new(file), shape, fit);
        pixels.extend(picture.map_err(|reason| DataError::Unusable {
            path: path.clone(),
            expected: "a picture".into(),
            found: format!("what cannot be read as one ({reason})"),
            advice: "leave it out or mend it".into(),
        })?);
    }
    let set = ImageSet { pixels: pixels.into(), labels: vec![0; args.images.len()] };
    let logits = trained.logits(&set)?;
    let names = &trained.facts.classes;
    for (path, row) in args.images.iter().zip(logits.outer_iter()) {
        let row: Vec<f64> = row.iter().map(|&logit| logit.into()).collect();
        let shares = softmax(&row);
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        if call.as_json {
            let image = path.display().to_string();
            print(
                json!({"kind": "predict", "image": image, "class": names[order[0]], "logits": row, "probabilities": shares}),
            )?;
            continue;
        }
        let answers =
            order.iter().take(SHOWN).map(|&class| format!("{} {:.1} %", names[class], 100.0 * shares[class]));
        print(format_args!("{}: {}", path.display(), answers.collect::<Vec<_>>().join(", ")))?;
    }
    Ok(())
}

/// Runs `sam export`.
///
/// # Errors
/// [`ExperimentError`], when the file cannot be written.
pub fn export(args: &ExportArgs) -> Result<(), ExperimentError> {
    let named = |ending| args.out.extension().is_some_and(|own| own == ending);
    let of_name = match () {
        () if named("onnx") => Format::Onnx,
        () if named("csv") => Format::Csv,
        () => Format::Safetensors,
    };
    let format = args.format.unwrap_or(of_name);
    if let Format::Csv | Format::Tensorboard = format {
        let directory = RunDirectory::new(&args.run);
        if !files::present(&directory.config()) {
            return Err(ExperimentError::NoRun { path: args.run.clone() });
        }
        let epochs = super::diff::epochs(&directory)?;
        let content = match format {
            Format::Csv => csv(&epochs),
            _ => {
                let evaluated_on = Config::load(&directory.config())?.run.data.evaluated_on();
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                tensorboard::encode(&epochs, evaluated_on, now.map_or(0.0, |time| time.as_secs_f64()))
            }
        };
        files::replace(&args.out, &content)?;
        return Ok(print(args.out.display())?);
    }
    let trained = Trained::open(&args.run)?;
    let Trained { state, facts, .. } = &trained;
    let (description, standardizer) = (trained.description()?, facts.standardizer());
    let mut metadata = trained.metadata(&standardizer);
    let content = match format {
        Format::Onnx => onnx::encode(&description, state, &standardizer, &metadata),
        _ => {
            metadata.insert("graph".to_owned(), graph::encode(&description).to_string());
            pytorch::tensors(&description, state).and_then(|tensors| pytorch::encode(&tensors, metadata))
        }
    };
    let content = content.map_err(LearnerError::backend)?;
    files::replace(&args.out, &content)?;
    print(args.out.display())?;
    Ok(())
}
