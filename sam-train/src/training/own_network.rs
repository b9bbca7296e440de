//! Networks of one's own: a TOML file of layers and blocks, checked line by line.

use std::{collections::BTreeMap, fmt, ops::Range};

use sam_model::{
    BatchNorm, Description, DescriptionError, Graph, ImageShape, Initialization, Name, Op, Padding, Tensor,
};
use serde::Deserialize;
use toml::Spanned;

/// Layers altogether, repetitions counted: more is a slip.
const MOST_LAYERS: usize = 10_000;
/// Blocks within blocks.
const DEEPEST: usize = 8;

/// A network by the text of its file, which a run keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnNetwork {
    name: String,
    text: String,
    file: File,
}

/// What is wrong with the file of a network, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct NetworkFileError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected, and what was found.
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The images that `sam models` shows it on; training takes the data's.
    input: Option<[usize; 3]>,
    classes: Option<usize>,
    layer: Vec<Spanned<Layer>>,
}

/// A layer or a block: which fields it has depends on `op`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Layer {
    op: String,
    name: Option<String>,
    from: Option<Sources>,
    channels: Option<usize>,
    outputs: Option<usize>,
    kernel: Option<usize>,
    size: Option<usize>,
    stride: Option<usize>,
    shift: Option<usize>,
    padding: Option<Border>,
    groups: Option<usize>,
    bias: Option<bool>,
    rate: Option<f64>,
    keep: Option<f64>,
    times: Option<usize>,
    layers: Option<Vec<Spanned<Layer>>>,
    shortcut: Option<Vec<Spanned<Layer>>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Sources {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Border {
    Pixels(usize),
    Word(String),
}

/// What a word for an operation needs and may have.
struct Word {
    op: &'static str,
    needs: &'static [&'static str],
    may: &'static [&'static str],
    inputs: usize,
}

const fn word(
    op: &'static str,
    needs: &'static [&'static str],
    may: &'static [&'static str],
    inputs: usize,
) -> Word {
    Word { op, needs, may, inputs }
}

const WORDS: &[Word] = &[
    word("conv", &["channels", "kernel"], &["stride", "padding", "groups", "bias"], 1),
    word("dense", &["outputs"], &[], 1),
    word("classify", &[], &[], 1),
    word("batch-norm", &[], &[], 1),
    word("relu", &[], &[], 1),
    word("relu6", &[], &[], 1),
    word("swish", &[], &[], 1),
    word("sigmoid", &[], &[], 1),
    word("max-pool", &["size"], &["stride", "padding"], 1),
    word("average-pool", &["size"], &["stride", "padding"], 1),
    word("mean", &[], &[], 1),
    word("flatten", &[], &[], 1),
    word("subsample", &["stride"], &["shift"], 1),
    word("pad-channels", &["channels"], &[], 1),
    word("dropout", &["rate"], &[], 1),
    word("drop-connect", &["rate"], &[], 1),
    word("shake-drop", &["keep"], &[], 1),
    word("add", &[], &[], 2),
    word("concat", &[], &[], 2),
    word("scale", &[], &[], 2),
    word("shake-shake", &[], &[], 2),
    word("residual", &["layers"], &["shortcut"], 1),
    word("repeat", &["times", "layers"], &[], 1),
];

impl Layer {
    /// The fields that are there, but for those that every layer may have.
    fn fields(&self) -> impl Iterator<Item = &'static str> {
        let Self {
            channels, outputs, kernel, size, stride, shift, padding, groups, bias, rate, keep, ..
        } = self;
        let Self { times, layers, shortcut, .. } = self;
        [
            ("channels", channels.is_some()),
            ("outputs", outputs.is_some()),
            ("kernel", kernel.is_some()),
            ("size", size.is_some()),
            ("stride", stride.is_some()),
            ("shift", shift.is_some()),
            ("padding", padding.is_some()),
            ("groups", groups.is_some()),
            ("bias", bias.is_some()),
            ("rate", rate.is_some()),
            ("keep", keep.is_some()),
            ("times", times.is_some()),
            ("layers", layers.is_some()),
            ("shortcut", shortcut.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
    }

    fn sources(&self) -> Vec<&str> {
        match &self.from {
            None => Vec::new(),
            Some(Sources::One(name)) => vec![name],
            Some(Sources::Several(names)) => names.iter().map(String::as_str).collect(),
        }
    }

    fn border(&self, usual: usize) -> Padding {
        match &self.padding {
            None => Padding::Explicit(usual),
            Some(Border::Pixels(pixels)) => Padding::Explicit(*pixels),
            Some(Border::Word(_)) => Padding::Same,
        }
    }

    /// The operation, and its word in names of tensors; none for a block.
    fn op(&self, classes: usize) -> Option<(&'static str, Op)> {
        let of = |value: Option<usize>, usual: usize| value.unwrap_or(usual);
        let size = of(self.size, 1);
        let rate = self.rate.unwrap_or(0.0);
        Some(match self.op.as_str() {
            "conv" => {
                let kernel = of(self.kernel, 1);
                let op = Op::Conv {
                    channels: of(self.channels, 1),
                    kernel,
                    stride: of(self.stride, 1),
                    padding: self.border(kernel / 2),
                    groups: of(self.groups, 1),
                    bias: self.bias.unwrap_or(true),
                };
                ("conv", op)
            }
            "dense" => ("dense", Op::Dense { outputs: of(self.outputs, 1) }),
            "classify" => ("head", Op::Classify { classes }),
            "batch-norm" => ("norm", Op::BatchNorm(BatchNorm::PYTORCH)),
            "relu" => ("relu", Op::Relu),
            "relu6" => ("relu6_", Op::Relu6),
            "swish" => ("swish", Op::Swish),
            "sigmoid" => ("sigmoid", Op::Sigmoid),
            "max-pool" => {
                ("pool", Op::MaxPool { size, stride: of(self.stride, size), padding: self.border(0) })
            }
            "average-pool" => {
                ("mean_pool", Op::AvgPool { size, stride: of(self.stride, size), padding: self.border(0) })
            }
            "mean" => ("mean", Op::GlobalAvgPool),
            "flatten" => ("flatten", Op::Flatten),
            "subsample" => {
                ("subsample", Op::Subsample { stride: of(self.stride, 1), shift: of(self.shift, 0) })
            }
            "pad-channels" => ("pad", Op::PadChannels { channels: of(self.channels, 1) }),
            "dropout" => ("dropout", Op::Dropout { rate }),
            "drop-connect" => ("drop", Op::DropConnect { rate }),
            "shake-drop" => ("shakedrop", Op::ShakeDrop { keep: self.keep.unwrap_or(1.0) }),
            "add" => ("add", Op::Add),
            "concat" => ("concat", Op::Concat),
            "scale" => ("scale", Op::Scale),
            "shake-shake" => ("shake", Op::ShakeShake),
            _ => return None,
        })
    }
}

impl OwnNetwork {
    /// The network called `name` of a file's `text`.
    ///
    /// # Errors
    /// [`NetworkFileError`] for the first line that means nothing. Whether it fits an image is asked by [`OwnNetwork::describe`].
    pub fn parse(name: &str, text: &str) -> Result<Self, NetworkFileError> {
        let file: File = toml::from_str(text).map_err(|error| NetworkFileError {
            line: line_of(text, &error.span().unwrap_or(0..0)),
            what: error.message().to_owned(),
        })?;
        let mut check = Check { text, known: Vec::new(), count: 0 };
        check.layers(&file.layer, 0, 1)?;
        if file.layer.is_empty() {
            return Err(check.error(&(0..0), "expected at least one [[layer]], found none"));
        }
        Ok(Self { name: name.to_owned(), text: text.to_owned(), file })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of its file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The images that it is shown on where no data is given, and how many classes these have.
    pub fn input(&self) -> (ImageShape, usize) {
        let [height, width, channels] = self.file.input.unwrap_or([32, 32, 3]);
        (ImageShape::new(height, width, channels), self.file.classes.unwrap_or(10))
    }

    /// Whether it has batch normalisation.
    pub fn is_normalised(&self) -> bool {
        fn within(layers: &[Spanned<Layer>]) -> bool {
            let blocks = |layer: &Layer| {
                [&layer.layers, &layer.shortcut].into_iter().flatten().any(|layers| within(layers))
            };
            layers.iter().any(|layer| layer.get_ref().op == "batch-norm" || blocks(layer.get_ref()))
        }
        within(&self.file.layer)
    }

    /// The network for images of shape `image` in `classes` classes. A layer of logits is added if its file does not end in one.
    ///
    /// # Errors
    /// [`NetworkFileError`], when a layer does not fit what it reads, with its line.
    pub fn describe(
        &self,
        image: ImageShape,
        classes: usize,
        initialization: Initialization,
    ) -> Result<Description, NetworkFileError> {
        let mut line = 1;
        let described = Description::new(image, classes, |graph| {
            graph.initialize(initialization);
            let mut builder =
                Builder { graph, classes, counts: BTreeMap::new(), labels: BTreeMap::new(), at: 0..0 };
            let mut last = builder.layers(Tensor::INPUT, &self.file.layer);
            let ends = self.file.layer.last().is_some_and(|layer| layer.get_ref().op == "classify");
            if let (Ok(tensor), false) = (&last, ends) {
                last = builder.push("head", Op::Classify { classes }, &[*tensor]);
            }
            line = line_of(&self.text, &builder.at);
            last
        });
        described.map_err(|error| NetworkFileError { line, what: error.to_string() })
    }
}

impl fmt::Display for OwnNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The line that a part of `text` begins in, from 1.
fn line_of(text: &str, part: &Range<usize>) -> usize {
    text.get(..part.start).unwrap_or(text).matches('\n').count() + 1
}

/// What can be said of a file without an image.
struct Check<'a> {
    text: &'a str,
    /// Names of layers so far.
    known: Vec<String>,
    count: usize,
}

impl Check<'_> {
    fn error(&self, at: &Range<usize>, what: impl Into<String>) -> NetworkFileError {
        NetworkFileError { line: line_of(self.text, at), what: what.into() }
    }

    fn layers(
        &mut self,
        layers: &[Spanned<Layer>],
        depth: usize,
        times: usize,
    ) -> Result<(), NetworkFileError> {
        for layer in layers {
            self.layer(layer.get_ref(), &layer.span(), depth, times)?;
        }
        Ok(())
    }

    fn layer(
        &mut self,
        layer: &Layer,
        at: &Range<usize>,
        depth: usize,
        times: usize,
    ) -> Result<(), NetworkFileError> {
        let Some(word) = WORDS.iter().find(|word| word.op == layer.op) else {
            let words = WORDS.iter().map(|word| word.op).collect::<Vec<_>>().join(", ");
            return Err(self.error(at, format!("op: expected one of {words}, found {:?}", layer.op)));
        };
        let op = word.op;
        if let Some(missing) = word.needs.iter().find(|&&need| layer.fields().all(|field| field != need)) {
            return Err(self.error(at, format!("{op}: expected {missing}, found none")));
        }
        let foreign = layer.fields().find(|field| !word.needs.contains(field) && !word.may.contains(field));
        if let Some(field) = foreign {
            let own = [word.needs, word.may].concat().join(", ");
            let own = if own.is_empty() { "no field of its own".to_owned() } else { own };
            return Err(self.error(at, format!("{op}: expected {own}, found {field}")));
        }
        if let Some(Border::Word(found)) = &layer.padding
            && found != "same"
        {
            return Err(
                self.error(at, format!("{op}: expected padding in pixels, or \"same\", found {found:?}"))
            );
        }
        let sources = layer.sources();
        let wanted = if word.inputs == 2 { "two names in from" } else { "one name in from at most" };
        if sources.len() != word.inputs && !(word.inputs == 1 && sources.is_empty()) {
            return Err(self.error(at, format!("{op}: expected {wanted}, found {}", sources.len())));
        }
        if let Some(unknown) = sources.iter().find(|&&name| name != "input" && !self.knows(name)) {
            return Err(
                self.error(at, format!("{op}: expected the name of a layer before it, found {unknown:?}"))
            );
        }
        let times = times.saturating_mul(layer.times.unwrap_or(1));
        self.count = self.count.saturating_add(times);
        if layer.times == Some(0) || self.count > MOST_LAYERS || depth > DEEPEST {
            let expected = format!(
                "times from 1 up, {MOST_LAYERS} layers in all and {DEEPEST} blocks in each other at most"
            );
            return Err(self.error(at, format!("{op}: expected {expected}, found more or none")));
        }
        for part in [&layer.layers, &layer.shortcut].into_iter().flatten() {
            self.layers(part, depth + 1, times)?;
        }
        if let Some(name) = &layer.name {
            if name == "input" || self.knows(name) {
                return Err(
                    self.error(at, format!("name: expected one that no other layer has, found {name:?}"))
                );
            }
            if times > 1 {
                return Err(
                    self.error(at, format!("name: expected none in what is repeated, found {name:?}"))
                );
            }
            self.known.push(name.clone());
        }
        Ok(())
    }

    fn knows(&self, name: &str) -> bool {
        self.known.iter().any(|known| known == name)
    }
}

/// A network under description.
struct Builder<'a> {
    graph: &'a mut Graph,
    classes: usize,
    /// How many layers of each word there are: their names are numbered.
    counts: BTreeMap<&'static str, usize>,
    labels: BTreeMap<&'a str, Tensor>,
    /// The layer under description.
    at: Range<usize>,
}

impl<'a> Builder<'a> {
    fn push(&mut self, word: &'static str, op: Op, inputs: &[Tensor]) -> Result<Tensor, DescriptionError> {
        let count = self.counts.entry(word).or_insert(0);
        *count += 1;
        let name = if word == "head" { Name::new(word) } else { Name::numbered(word, *count) };
        self.graph.push(name, op, inputs)
    }

    fn layers(&mut self, first: Tensor, layers: &'a [Spanned<Layer>]) -> Result<Tensor, DescriptionError> {
        layers.iter().try_fold(first, |x, layer| self.layer(x, layer.get_ref(), layer.span()))
    }

    fn layer(&mut self, x: Tensor, layer: &'a Layer, at: Range<usize>) -> Result<Tensor, DescriptionError> {
        self.at = at.clone();
        let source = |name: &str| self.labels.get(name).copied().unwrap_or(Tensor::INPUT);
        let named: Vec<Tensor> = layer.sources().into_iter().map(source).collect();
        let inputs = if named.is_empty() { vec![x] } else { named };
        let (x, inner) = (inputs[0], layer.layers.as_deref().unwrap_or_default());
        let made = match (layer.op(self.classes), layer.op.as_str()) {
            (Some((word, op)), _) => self.push(word, op, &inputs)?,
            (None, "repeat") => (0..layer.times.unwrap_or(1)).try_fold(x, |x, _| self.layers(x, inner))?,
            (None, _) => {
                let main = self.layers(x, inner)?;
                let shortcut = self.layers(x, layer.shortcut.as_deref().unwrap_or_default())?;
                self.at = at;
                self.push("add", Op::Add, &[main, shortcut])?
            }
        };
        if let Some(name) = &layer.name {
            self.labels.insert(name, made);
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESIDUAL: &str = "\
input = [8, 8, 1]

[[layer]]
op = \"conv\"
channels = 16
kernel = 3
bias = false

[[layer]]
op = \"repeat\"
times = 2

[[layer.layers]]
op = \"residual\"
layers = [
    { op = \"batch-norm\" },
    { op = \"relu\" },
    { op = \"conv\", channels = 16, kernel = 3 },
]

[[layer]]
op = \"mean\"
name = \"pooled\"

[[layer]]
op = \"dense\"
outputs = 8
from = \"pooled\"
";

    fn describe(text: &str, image: ImageShape) -> Result<Description, NetworkFileError> {
        OwnNetwork::parse("n", text)?.describe(image, 5, Initialization::HeFanIn)
    }

    #[test]
    fn blocks_are_laid_out_layer_by_layer_and_the_head_is_added() {
        let network = describe(RESIDUAL, ImageShape::new(8, 8, 1)).unwrap();
        let names: Vec<String> = network.nodes().iter().map(|node| node.name.to_string()).collect();
        let expected = [
            "conv1", "norm1", "relu1", "conv2", "add1", "norm2", "relu2", "conv3", "add2", "mean1", "dense1",
            "head",
        ];
        assert_eq!(names, expected);
        let conv = 3 * 3 * 16 * 16 + 16;
        assert_eq!(network.parameters().len(), 9 * 16 + 2 * (2 * 16 + conv) + (16 * 8 + 8) + (8 * 5 + 5));
        assert_eq!(network.classes(), 5);
    }

    #[test]
    fn what_means_nothing_is_named_with_its_line() {
        let change = |from: &str, to: &str| {
            describe(&RESIDUAL.replace(from, to), ImageShape::new(8, 8, 1)).unwrap_err()
        };
        for (from, to, line, words) in [
            ("op = \"mean\"", "op = \"average\"", 21, "expected one of conv, dense"),
            (
                "kernel = 3\nbias",
                "kernel = 3\nrate = 0.5\nbias",
                3,
                "conv: expected channels, kernel, stride",
            ),
            ("channels = 16\nkernel = 3", "channels = 16", 3, "conv: expected kernel, found none"),
            ("channels = 16\nkernel", "channels = -16\nkernel", 5, "invalid value"),
            ("outputs = 8", "outputs = 8\nwidth = 2", 28, "unknown field `width`"),
            ("from = \"pooled\"", "from = \"pool\"", 25, "a layer before it, found \"pool\""),
            ("times = 2", "times = 0", 9, "times from 1 up"),
            ("times = 2", "times = 100000", 9, "10000 layers"),
            ("{ op = \"relu\" },", "{ op = \"relu\", name = \"r\" },", 17, "none in what is repeated"),
            ("channels = 16, kernel = 3 }", "channels = 8, kernel = 3 }", 14, "Add takes"),
            ("[[layer]]\nop = \"mean\"", "[[layer]\nop = \"mean\"", 21, ""),
        ] {
            let error = change(from, to);
            assert!(error.what.contains(words), "{error}");
            assert!(error.line.abs_diff(line) <= 1, "{line}: {error}");
        }
        assert!(describe("", ImageShape::new(8, 8, 1)).unwrap_err().what.contains("layer"));
        assert!(describe("layer = []", ImageShape::new(8, 8, 1)).unwrap_err().what.contains("at least one"));
    }
}
