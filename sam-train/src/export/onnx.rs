//! A network as an ONNX model (operators of version 17, <https://onnx.ai/onnx/operators>).
//!
//! Its input `pixels` is float32 `[images, channels, rows, columns]` with the data set's bytes as they are: the model standardises
//! them itself. Its output `logits` is `[images, classes]`.

use std::collections::HashMap;

use sam_model::{Description, Node, Op, Padding, Shape};

use super::{ExportError, protobuf::Message, pytorch};
use crate::{
    data::Standardizer,
    training::state::{State, Tensor},
};

const IR_VERSION: i64 = 8;
const OPERATORS: i64 = 17;
/// Types of numbers in the format.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// The model file of `state`, the network of `description`, with `metadata`.
///
/// # Errors
/// As [`pytorch::tensors`].
pub fn encode(
    description: &Description,
    state: &State,
    standardizer: &Standardizer,
    metadata: &HashMap<String, String>,
) -> Result<Vec<u8>, ExportError> {
    let mut graph = Graph::default();
    for tensor in pytorch::tensors(description, state)? {
        let dims: Vec<i64> = tensor.shape.iter().map(|&dim| dim as i64).collect();
        graph.floats(&tensor.name, &dims, &tensor.values);
        graph.known.insert(tensor.name.clone(), tensor);
    }
    graph.standardise(standardizer);
    for node in description.nodes() {
        graph.add(description, node);
    }
    let image = description.image();
    let [input, output] = [
        ("pixels", vec![image.channels, image.height, image.width]),
        ("logits", vec![description.classes()]),
    ]
    .map(|(name, dims)| value_info(name, &dims));
    let last = graph.values.len() - 1;
    let logits = graph.as_vector(last);
    graph.node("Identity", "logits", &[&logits], Vec::new());
    let graph = Message::default()
        .messages(1, &graph.nodes)
        .bytes(2, "network")
        .messages(5, &graph.initializers)
        .message(11, &input)
        .message(12, &output);
    let operators = Message::default().bytes(1, "").int(2, OPERATORS);
    let mut names: Vec<_> = metadata.iter().collect();
    names.sort();
    let entries: Vec<Message> =
        names.into_iter().map(|(name, value)| Message::default().bytes(1, name).bytes(2, value)).collect();
    let model = Message::default().int(1, IR_VERSION).bytes(2, "sam-train").message(7, &graph);
    Ok(model.message(8, &operators).messages(14, &entries).into_bytes())
}

fn value_info(name: &str, dims: &[usize]) -> Message {
    let fixed = dims.iter().map(|&dim| Message::default().int(1, dim as i64));
    let dims: Vec<Message> = [Message::default().bytes(2, "images")].into_iter().chain(fixed).collect();
    let shape = Message::default().messages(1, &dims);
    let tensor = Message::default().int(1, FLOAT).message(2, &shape);
    Message::default().bytes(1, name).message(2, &Message::default().message(1, &tensor))
}

/// A tensor of our network in the model: its name there, and whether it is a vector without rows and columns.
#[derive(Debug, Clone)]
struct Value {
    name: String,
    is_vector: bool,
}

/// A graph that grows.
#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    /// By the number of our tensor.
    values: Vec<Value>,
    known: HashMap<String, Tensor>,
    made: usize,
}

impl Graph {
    fn floats(&mut self, name: &str, dims: &[i64], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, dims, FLOAT, &bytes);
    }

    /// A list of whole numbers under a name of its own, which is returned.
    fn ints(&mut self, values: &[i64]) -> String {
        let name = self.fresh("list");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(&name, &[values.len() as i64], INT64, &bytes);
        name
    }

    fn initializer(&mut self, name: &str, dims: &[i64], kind: i64, bytes: &[u8]) {
        let message = dims.iter().fold(Message::default(), |message, &dim| message.int(1, dim));
        self.initializers.push(message.int(2, kind).bytes(8, name).bytes(9, bytes));
    }

    /// A name that no layer has: theirs have no slash.
    fn fresh(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}/{}", self.made)
    }

    fn node(&mut self, op: &str, output: &str, inputs: &[&str], attributes: Vec<Message>) {
        let message = inputs.iter().fold(Message::default(), |message, input| message.bytes(1, input));
        let message = message.bytes(2, output).bytes(3, output).bytes(4, op);
        self.nodes.push(message.messages(5, &attributes));
    }

    /// The operation under a name of its own, which is returned.
    fn between(&mut self, op: &str, inputs: &[&str], attributes: Vec<Message>) -> String {
        let name = self.fresh(op);
        self.node(op, &name, inputs, attributes);
        name
    }

    fn as_vector(&mut self, tensor: usize) -> String {
        let Value { name, is_vector } = self.values[tensor].clone();
        if is_vector { name } else { self.between("Flatten", &[&name], vec![int("axis", 1)]) }
    }

    fn as_image(&mut self, tensor: usize) -> String {
        let Value { name, is_vector } = self.values[tensor].clone();
        if !is_vector {
            return name;
        }
        let axes = self.ints(&[2, 3]);
        self.between("Unsqueeze", &[&name, &axes], Vec::new())
    }

    /// A byte's standardised value is a line in the byte.
    fn standardise(&mut self, standardizer: &Standardizer) {
        let tables = standardizer.tables();
        let channels = tables.len() as i64;
        let slope: Vec<f32> = tables.iter().map(|table| (table[255] - table[0]) / 255.0).collect();
        let offset: Vec<f32> = tables.iter().map(|table| table[0]).collect();
        self.floats("standardise/slope", &[1, channels, 1, 1], &slope);
        self.floats("standardise/offset", &[1, channels, 1, 1], &offset);
        let scaled = self.between("Mul", &["pixels", "standardise/slope"], Vec::new());
        let name = self.between("Add", &[&scaled, "standardise/offset"], Vec::new());
        self.values.push(Value { name, is_vector: false });
    }

    fn add(&mut self, description: &Description, node: &Node) {
        // No layer's name has a slash, and neither the input's nor the output's.
        let name = format!("{}/output", node.name);
        let first = node.inputs[0];
        let input = description.shape(first);
        let own = |part: &str| format!("{}.{part}", node.name);
        let mut is_vector = self.values[first].is_vector;
        match node.op {
            Op::Flatten => {
                let x = self.as_vector(first);
                self.node("Identity", &name, &[&x], Vec::new());
                is_vector = true;
            }
            Op::Dense { .. } | Op::Classify { .. } => {
                let x = self.as_vector(first);
                let inputs = self.with_bias(&x, &own("weight"), &own("bias"));
                let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                self.node("Gemm", &name, &inputs, vec![int("transB", 1)]);
                is_vector = true;
            }
            Op::Conv { kernel, stride, padding, groups, .. } => {
                let x = self.as_image(first);
                let inputs = self.with_bias(&x, &own("weight"), &own("bias"));
                let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                let mut attributes = windows(input, kernel, stride, padding);
                attributes.push(int("group", groups as i64));
                self.node("Conv", &name, &inputs, attributes);
                is_vector = false;
            }
            Op::BatchNorm(settings) => {
                let x = self.values[first].name.clone();
                let parts = ["weight", "bias", "running_mean", "running_var"].map(own);
                let inputs = [&x, &parts[0], &parts[1], &parts[2], &parts[3]].map(String::as_str);
                let epsilon = attribute("epsilon", 1).float(2, settings.epsilon as f32);
                self.node("BatchNormalization", &name, &inputs, vec![epsilon]);
            }
            Op::Relu => self.alike("Relu", &name, first),
            Op::Sigmoid => self.alike("Sigmoid", &name, first),
            Op::Dropout { .. } | Op::DropConnect { .. } => self.alike("Identity", &name, first),
            Op::Relu6 => {
                let (least, most) = (self.constant(0.0), self.constant(6.0));
                let x = self.values[first].name.clone();
                self.node("Clip", &name, &[&x, &least, &most], Vec::new());
            }
            Op::Swish => {
                let x = self.values[first].name.clone();
                let gate = self.between("Sigmoid", &[&x], Vec::new());
                self.node("Mul", &name, &[&x, &gate], Vec::new());
            }
            Op::MaxPool { size, stride, padding } => {
                let x = self.as_image(first);
                self.node("MaxPool", &name, &[&x], windows(input, size, stride, padding));
                is_vector = false;
            }
            Op::AvgPool { size, stride, padding } => {
                let x = self.as_image(first);
                let mut attributes = windows(input, size, stride, padding);
                attributes.push(int("count_include_pad", 1));
                self.node("AveragePool", &name, &[&x], attributes);
                is_vector = false;
            }
            Op::GlobalAvgPool => {
                let x = self.as_image(first);
                let mean = self.between("GlobalAveragePool", &[&x], Vec::new());
                self.node("Flatten", &name, &[&mean], vec![int("axis", 1)]);
                is_vector = true;
            }
            Op::Subsample { stride, shift } => {
                let x = self.as_image(first);
                self.subsample(&name, &x, input, stride, shift);
                is_vector = false;
            }
            Op::PadChannels { channels } => {
                let x = self.as_image(first);
                let pads = self.ints(&[0, 0, 0, 0, 0, (channels - input.channels) as i64, 0, 0]);
                self.node("Pad", &name, &[&x, &pads], Vec::new());
                is_vector = false;
            }
            Op::Concat | Op::Add | Op::Scale | Op::ShakeShake => {
                let (a, b) = (self.as_image(first), self.as_image(node.inputs[1]));
                is_vector = false;
                match node.op {
                    Op::Concat => self.node("Concat", &name, &[&a, &b], vec![int("axis", 1)]),
                    Op::Add => self.node("Add", &name, &[&a, &b], Vec::new()),
                    Op::Scale => self.node("Mul", &name, &[&a, &b], Vec::new()),
                    _ => {
                        let (sum, half) = (self.between("Add", &[&a, &b], Vec::new()), self.constant(0.5));
                        self.node("Mul", &name, &[&sum, &half], Vec::new());
                    }
                }
            }
            Op::ShakeDrop { keep } => {
                let (x, keep) = (self.values[first].name.clone(), self.constant(keep as f32));
                self.node("Mul", &name, &[&x, &keep], Vec::new());
            }
        }
        self.values.push(Value { name, is_vector });
    }

    /// An operation on each value.
    fn alike(&mut self, op: &str, name: &str, tensor: usize) {
        let x = self.values[tensor].name.clone();
        self.node(op, name, &[&x], Vec::new());
    }

    fn constant(&mut self, value: f32) -> String {
        let name = self.fresh("constant");
        self.floats(&name, &[], &[value]);
        name
    }

    /// The inputs of a product, with its bias if it has one.
    fn with_bias(&self, x: &str, weight: &str, bias: &str) -> Vec<String> {
        let bias = self.known.contains_key(bias).then_some(bias);
        [x, weight].into_iter().chain(bias).map(str::to_owned).collect()
    }

    /// Every `stride`th pixel from `shift` on, and zeros where the image has no more.
    fn subsample(&mut self, name: &str, x: &str, input: Shape, stride: usize, shift: usize) {
        let [starts, ends, axes, steps] =
            [[shift as i64; 2], [i64::from(i32::MAX); 2], [2, 3], [stride as i64; 2]]
                .map(|list| self.ints(&list));
        let taken = self.between("Slice", &[x, &starts, &ends, &axes, &steps], Vec::new());
        let missing =
            |extent: usize| (extent.div_ceil(stride) - extent.saturating_sub(shift).div_ceil(stride)) as i64;
        let pads = self.ints(&[0, 0, 0, 0, 0, 0, missing(input.height), missing(input.width)]);
        self.node("Pad", name, &[&taken, &pads], Vec::new());
    }
}

fn attribute(name: &str, kind: i64) -> Message {
    Message::default().bytes(1, name).int(20, kind)
}

fn int(name: &str, value: i64) -> Message {
    attribute(name, 2).int(3, value)
}

fn ints(name: &str, values: &[usize]) -> Message {
    values.iter().fold(attribute(name, 7), |message, &value| message.int(8, value as i64))
}

/// How windows lie on an image of shape `input`.
fn windows(input: Shape, size: usize, stride: usize, padding: Padding) -> Vec<Message> {
    let along = |extent| padding.windows(extent, size, stride).map_or((0, 0), |w| (w.before, w.behind));
    let ((top, bottom), (left, right)) = (along(input.height), along(input.width));
    vec![
        ints("kernel_shape", &[size; 2]),
        ints("strides", &[stride; 2]),
        ints("pads", &[top, left, bottom, right]),
    ]
}
