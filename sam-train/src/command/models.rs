//! `sam models`.

use clap::Args;
use sam_backend_ndarray::Activations;
use sam_backend_ndarray::Network;
use sam_model::{Architecture, Description, ImageShape, Op};
use serde::Serialize;

use super::{Call, columns, output::print};
use crate::{
    experiment::ExperimentError,
    json,
    report::markdown::Table,
    training::{learner::LearnerError, settings},
};

/// The networks that can be trained: parameters, multiply-adds, memory and input; or the layers of one.
///
/// Counts are for the images that a network was made for: 32x32x3 and 10 classes of CIFAR-10, or its own resolution and 1000
/// classes of ImageNet. Multiply-adds are those of convolutions and dense layers in the forward pass of one image, memory is
/// what one image's activations and their gradients take in training. Other sizes of a family have names too, as the
/// error for an unknown one says.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ModelsArgs {
    /// Show the layers of this network, by its name or by the .toml file of its layers.
    #[arg(value_name = "NAME|FILE")]
    name: Option<settings::Model>,
}

const EXAMPLES: &str = "\
Examples:
  sam models
  sam models shake-shake-26-2x96d
  sam models net.toml
  sam models --json";

/// A network in a table.
#[derive(Debug, Serialize)]
struct Model {
    kind: &'static str,
    name: String,
    parameters: usize,
    multiply_adds: u64,
    /// Running statistics of its normalisations.
    statistics: usize,
    /// Bytes of one image's activations and their gradients.
    bytes_per_image: u128,
    input: [usize; 3],
    classes: usize,
}

impl Model {
    fn new(network: &settings::Model) -> Result<(Self, Description), ExperimentError> {
        let (image, classes) = network.input();
        let described =
            network.describe(image, classes, network.initialization()).map_err(LearnerError::backend)?;
        let bytes = |batch| Network::<f32>::size_of(&described, batch, Activations::Kept).buffer_bytes;
        let (one, two) = (bytes(1), bytes(2));
        let model = Self {
            kind: "model",
            name: network.to_string(),
            parameters: described.parameters().len(),
            multiply_adds: described.multiply_adds(),
            statistics: described.statistics().len(),
            bytes_per_image: two - one,
            input: [image.height, image.width, image.channels],
            classes,
        };
        Ok((model, described))
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when stdout cannot be written.
pub fn run(args: &ModelsArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    if let Some(network) = &args.name {
        let (model, described) = Model::new(network)?;
        print(if call.as_json {
            json::line(&model)
        } else {
            layers(&model, &described, columns::of_stdout())
        })?;
        return Ok(());
    }
    let mut lines = Vec::new();
    for name in Architecture::names() {
        // The names are the table's own, so each is a network's.
        if let Ok(network) = name.parse() {
            lines.push(Model::new(&settings::Model::Named(network))?.0);
        }
    }
    if call.as_json {
        print(lines.iter().map(json::line).collect::<Vec<_>>().join("\n"))?;
    } else {
        print(table(&lines, columns::of_stdout()))?;
    }
    Ok(())
}

fn table(models: &[Model], columns: Option<usize>) -> String {
    let head = ["network", "parameters", "multiply-adds", "MiB/image", "input", "classes"].map(str::to_owned);
    let row = |model: &Model| {
        let [h, w, c] = model.input;
        let mib = model.bytes_per_image as f64 / f64::from(1 << 20);
        [
            model.name.clone(),
            model.parameters.to_string(),
            model.multiply_adds.to_string(),
            format!("{mib:.2}"),
            format!("{h}x{w}x{c}"),
            model.classes.to_string(),
        ]
    };
    fitted(
        [head].into_iter().chain(models.iter().map(row)).collect(),
        [true, false, false, false, true, false],
        columns,
    )
}

fn layers(model: &Model, described: &Description, columns: Option<usize>) -> String {
    let Model { name, parameters, multiply_adds, bytes_per_image, input: [h, w, c], classes, .. } = model;
    let mib = *bytes_per_image as f64 / f64::from(1 << 20);
    let mut rows = vec![["layer", "operation", "output", "parameters", "multiply-adds"].map(str::to_owned)];
    for (i, node) in described.nodes().iter().enumerate() {
        let own: usize = node.parameters.iter().map(|own| own.shape.iter().product::<usize>()).sum();
        rows.push([
            node.name.to_string(),
            operation(node.op, described.shape(node.inputs[0])),
            described.shape(i + 1).to_string(),
            own.to_string(),
            node.multiply_adds.to_string(),
        ]);
    }
    let whole = format!(
        "{name} on {h}x{w}x{c}, {classes} classes: {parameters} parameters, {multiply_adds} multiply-adds, {mib:.2} MiB an \
         image in training"
    );
    let rows = fitted(rows, [true, true, false, false, false], columns);
    format!("{}\n{rows}", columns::line(&whole, columns))
}

/// The rows behind the first, which names their columns, as a table if it fits into so many columns, else as a list.
fn fitted<const N: usize>(rows: Vec<[String; N]>, left: [bool; N], columns: Option<usize>) -> String {
    let mut all = rows.iter().cloned().map(Vec::from);
    let names = all.next().unwrap_or_default();
    let list = Table { title: String::new(), columns: names, rows: all.collect() };
    columns::fitting(aligned(rows, left), &list, columns)
}

/// Rows in columns as wide as their entries, to the left where `left` says so.
fn aligned<const N: usize>(rows: Vec<[String; N]>, left: [bool; N]) -> String {
    let mut widths = [0; N];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, entry)| *width = (*width).max(entry.chars().count()));
    }
    let line = |row: &[String; N]| {
        let entry = |(entry, (&width, &left)): (&String, (&usize, &bool))| match left {
            true => format!("{entry:<width$}"),
            false => format!("{entry:>width$}"),
        };
        let entries: Vec<String> = row.iter().zip(widths.iter().zip(&left)).map(entry).collect();
        entries.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// An operation as papers write it.
fn operation(op: Op, input: ImageShape) -> String {
    match op {
        Op::Conv { kernel, stride, groups, bias, .. } => {
            let kind = match groups {
                1 => String::new(),
                _ if groups == input.channels => " depthwise".to_owned(),
                _ => format!(", {groups} groups"),
            };
            let bias = if bias { ", bias" } else { "" };
            format!("conv {kernel}x{kernel} / {stride}{kind}{bias}")
        }
        Op::MaxPool { size, stride, .. } => format!("max-pool {size}x{size} / {stride}"),
        Op::AvgPool { size, stride, .. } => format!("average pool {size}x{size} / {stride}"),
        Op::Subsample { stride, shift } => format!("every pixel {stride} apart, from {shift}"),
        Op::Dropout { rate } => format!("dropout {rate}"),
        Op::DropConnect { rate } => format!("drop-connect {rate:.4}"),
        Op::ShakeDrop { keep } => format!("ShakeDrop, kept {keep:.4}"),
        Op::BatchNorm(_) => "batch norm".to_owned(),
        Op::GlobalAvgPool => "mean of pixels".to_owned(),
        Op::Dense { .. } | Op::Classify { .. } => "dense".to_owned(),
        Op::Flatten => "flatten".to_owned(),
        Op::Relu => "ReLU".to_owned(),
        Op::Relu6 => "ReLU6".to_owned(),
        Op::Swish => "swish".to_owned(),
        Op::Sigmoid => "sigmoid".to_owned(),
        Op::PadChannels { .. } => "zeros as channels".to_owned(),
        Op::Concat => "concatenation".to_owned(),
        Op::Scale => "channels times".to_owned(),
        Op::Add => "sum".to_owned(),
        Op::ShakeShake => "Shake-Shake".to_owned(),
    }
}
