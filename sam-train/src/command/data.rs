//! `sam data`: what a data set holds, before it is trained on.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{
    Call,
    args::{DataChoice, FileArgs},
    columns,
    draw::contact_sheet,
    output::print,
    tell,
};
use crate::{
    data::{DataError, ImageSet, own::Found},
    experiment::ExperimentError,
    files,
    report::markdown::Table,
    training::settings::{DataSettings, InvalidSetting},
};

/// What a data set holds: images, their size, classes and how many each has, and some of them as a picture.
///
/// NAME is that of a data set that `sam train` knows. PATH is a folder with a folder of PNG or JPEG pictures for each class, or
/// with train and test folders of such; a CSV file or a folder of train.csv and test.csv; a folder of .npy files or a .npz file
/// with `x_train`, `y_train`, `x_test` and `y_test`; a folder of IDX files (MNIST, EMNIST, QMNIST and their like) or of CIFAR's binary
/// files, or one of several such in a folder.
///
/// What was decided or is ambiguous, and each file that cannot be read, is a line on stderr.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct InspectArgs {
    /// The data set's name, or the path of a folder or a file.
    #[arg(value_name = "NAME|PATH")]
    data: DataChoice,

    #[command(flatten)]
    files: FileArgs,

    /// Directory of a data set by name [default: `$SAM_DATA`, then /usr/share/datasets]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Draw the first training images of each class into this PNG file.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  sam data digits --sheet digits.png
  sam data photos --size 32x32 --sheet photos.png
  sam data table.csv --label species
  sam data emnist/emnist-letters-train-images-idx3-ubyte.gz";

impl InspectArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }

    fn settings(&self) -> (DataSettings, Option<&Path>) {
        match &self.data {
            DataChoice::Named(source) => (DataSettings::new(*source), self.data_dir.as_deref()),
            DataChoice::Files(path) => {
                let files = Some(self.files.settings(path));
                let settings = DataSettings { files, ..DataSettings::new(crate::data::DataSource::Files) };
                (settings, Some(path))
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when the data set cannot be used or the picture not be written.
pub fn run(args: &InspectArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let (settings, directory) = args.settings();
    let found = settings.load(directory)?;
    tell(&found);
    if let Some(path) = &args.sheet {
        files::replace(path, &contact_sheet::png(&found.dataset)?)?;
    }
    match call.as_json {
        true => print(line(&found))?,
        false => print(text(&found)?)?,
    }
    if let Some(path) = &args.sheet {
        print(format_args!("Picture: {}", path.display()))?;
    }
    Ok(())
}

/// How many images each class has.
fn counts(set: &ImageSet, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    set.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    counts
}

fn line(found: &Found) -> Value {
    let Found { dataset, format, notes, broken, .. } = found;
    let [train, test] = [&dataset.train, &dataset.test].map(|set| counts(set, dataset.classes));
    let shape = dataset.shape;
    json!({
        "kind": "data",
        "name": dataset.name,
        "format": format,
        "height": shape.height,
        "width": shape.width,
        "channels": shape.channels,
        "classes": dataset.class_names,
        "train": train,
        "test": test,
        "notes": notes,
        "broken": broken.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn text(found: &Found) -> Result<String, DataError> {
    let Found { dataset, format, .. } = found;
    let [train, test] = [&dataset.train, &dataset.test].map(|set| counts(set, dataset.classes));
    let shape = dataset.shape;
    let kind = match (shape.height, shape.width, shape.channels) {
        (1, 1, columns) => format!("rows of {columns} numbers"),
        (height, width, 1) => format!("grey images of {height}x{width}"),
        (height, width, channels) => format!("images of {height}x{width} in {channels} channels"),
    };
    let (count, tested) = (dataset.train.len(), dataset.test.len());
    let most = train.iter().max().copied().unwrap_or(0);
    let least = train.iter().min().copied().unwrap_or(0);
    let mut table = Table::new(
        format!("{}, {format}: {kind}, {count} to train on and {tested} to test on", dataset.name),
        &["class", "training images", "test images", "share (%)"],
    );
    for ((name, train), test) in dataset.class_names.iter().zip(&train).zip(&test) {
        let share = format!("{:.1}", 100.0 * *train as f64 / count as f64);
        table.row(vec![name.clone(), train.to_string(), test.to_string(), share]);
    }
    let balance = match least {
        0 => format!("a class has no training image, the largest {most}"),
        _ => format!(
            "the largest class has {:.1} times the training images of the smallest",
            most as f64 / least as f64
        ),
    };
    let always = 100.0 - 100.0 * most as f64 / count as f64;
    let columns = columns::of_stdout();
    let sentences = format!(
        "{} classes; {balance}. To answer the largest class always is wrong for {always:.1} % of the training images.\n\
         Fingerprint: sha256 {}",
        dataset.classes,
        dataset.fingerprint()?
    );
    Ok(format!("{}\n{}", columns::table(&table, columns), columns::line(&sentences, columns)))
}
