//! Networks as data: what an architecture pushes, which shapes an operation takes, how names are read.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use sam_model::{Architecture, Graph, HiddenSizes, Init, Name, Op, Role, Shape, ShapeError, Tensor};
use std::collections::BTreeSet;

/// Writes down what is pushed.
struct Record {
    shapes: Vec<Shape>,
    nodes: Vec<(String, Op, Vec<Tensor>)>,
}

impl Record {
    fn of(architecture: &str, image: Shape) -> Self {
        let mut record = Self { shapes: vec![image], nodes: vec![] };
        let logits = architecture.parse::<Architecture>().unwrap().describe(image, 10, &mut record).unwrap();
        assert_eq!(logits, Tensor(record.nodes.len()), "the logits are the last tensor");
        assert_eq!(record.shapes.last(), Some(&Shape::vector(10)));
        record
    }

    fn count(&self, matches: impl Fn(&Op) -> bool) -> usize {
        self.nodes.iter().filter(|(_, op, _)| matches(op)).count()
    }

    fn parameters(&self) -> usize {
        let parameters =
            self.nodes.iter().flat_map(|(_, op, inputs)| op.parameters(self.shapes[inputs[0].0]));
        parameters.map(|p| p.len()).sum()
    }
}

impl Graph for Record {
    type Error = ShapeError;
    fn push(&mut self, name: Name, op: Op, inputs: &[Tensor]) -> Result<Tensor, ShapeError> {
        assert!(inputs.iter().all(|t| t.0 < self.shapes.len()), "{name} reads a tensor that is not made yet");
        let shapes: BTreeSet<String> = inputs.iter().map(|t| self.shapes[t.0].to_string()).collect();
        assert_eq!(shapes.len(), 1, "{name} adds tensors of different shapes");
        self.shapes.push(op.output_shape(self.shapes[inputs[0].0])?);
        self.nodes.push((name.to_string(), op, inputs.to_vec()));
        Ok(Tensor(self.nodes.len()))
    }
}

const NAMES: [&str; 10] = [
    "mlp",
    "mlp-7",
    "mlp-128-64",
    "lenet",
    "resnet-8",
    "resnet-20",
    "resnet-32",
    "wrn-10-1",
    "wrn-16-4",
    "wrn-28-10",
];

/// The depth in a name counts as its paper does: He et al. the convolutions of the longest path and the dense layer,
/// Zagoruyko and Komodakis all convolutions, projections included.
#[test]
fn depths_are_what_the_names_say() {
    for (name, depth) in [("resnet-20", 20), ("resnet-32", 32), ("wrn-16-4", 16), ("wrn-28-10", 28)] {
        let record = Record::of(name, Shape::new(32, 32, 3));
        let counts = |(layer, op, _): &&(String, Op, Vec<Tensor>)| match op {
            Op::Conv { .. } => name.starts_with("wrn") || !layer.ends_with("projection"),
            Op::Classify { .. } => name.starts_with("resnet"),
            _ => false,
        };
        assert_eq!(record.nodes.iter().filter(counts).count(), depth, "{name}");
    }
}

#[test]
fn stages_halve_the_image_and_widen() {
    let record = Record::of("wrn-16-4", Shape::new(32, 32, 3));
    let sizes: BTreeSet<_> = record.shapes[1..].iter().map(|s| (s.height, s.channels)).collect();
    assert_eq!(sizes, BTreeSet::from([(32, 16), (32, 64), (16, 128), (8, 256), (1, 256), (1, 10)]));
    assert_eq!(record.count(|op| *op == Op::Add), 6);
}

#[test]
fn names_are_unique_and_stable() {
    for name in NAMES {
        let record = Record::of(name, Shape::new(32, 32, 3));
        let names: BTreeSet<_> = record.nodes.iter().map(|(name, ..)| name).collect();
        assert_eq!(names.len(), record.nodes.len(), "{name}");
    }
    let record = Record::of("wrn-10-1", Shape::new(28, 28, 1));
    let names: Vec<_> = record.nodes.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names[..4], ["stem", "stage1.0.norm1", "stage1.0.relu1", "stage1.0.conv1"]);
    assert_eq!(names[names.len() - 2..], ["pool", "head"]);
}

/// Counts by hand.
#[test]
fn parameters_are_counted() {
    let lenet = 9 * 32 + 32 + 9 * 32 * 64 + 64 + 7 * 7 * 64 * 128 + 128 + 128 * 10 + 10;
    assert_eq!(Record::of("lenet", Shape::new(28, 28, 1)).parameters(), lenet);
    let mlp = 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10;
    assert_eq!(Record::of("mlp", Shape::new(28, 28, 1)).parameters(), mlp);
    // The same network in PyTorch (bias-free convolutions, batch normalisation with scale and shift).
    assert_eq!(Record::of("wrn-16-1", Shape::new(28, 28, 1)).parameters(), 174_778);
}

#[test]
fn parameters_have_roles_shapes_and_starts() {
    let conv = Op::Conv { channels: 5, kernel: 3, stride: 1, padding: 1, bias: true };
    let parameters: Vec<_> = conv.parameters(Shape::new(8, 8, 2)).collect();
    assert_eq!(parameters.len(), 2);
    assert_eq!((parameters[0].role, parameters[0].shape()), (Role::Weight, &[3, 3, 2, 5][..]));
    assert_eq!(parameters[0].init, Init::He { fan_in: 18 });
    assert_eq!((parameters[1].role, parameters[1].shape()), (Role::Bias, &[5][..]));
    let norm: Vec<_> = Op::BatchNorm.parameters(Shape::new(8, 8, 2)).collect();
    assert_eq!((norm[0].role, norm[0].init, norm[0].len()), (Role::Scale, Init::Constant(1.0), 2));
    assert_eq!((norm[1].role, norm[1].init, norm[1].len()), (Role::Shift, Init::Constant(0.0), 2));
    assert_eq!(Op::Relu.parameters(Shape::new(8, 8, 2)).count(), 0);
}

proptest! {
    /// The number of positions of a window is what counting them gives.
    #[test]
    fn windows_are_counted(
        (height, width, channels) in (1usize..12, 1usize..12, 1usize..4),
        (kernel, stride, padding) in (1usize..5, 1usize..4, 0usize..4),
    ) {
        prop_assume!(padding < kernel);
        let count = |n: usize| (0..n + 2 * padding).filter(|at| at % stride == 0 && at + kernel <= n + 2 * padding).count();
        let op = Op::Conv { channels: 3, kernel, stride, padding, bias: false };
        let found = op.output_shape(Shape::new(height, width, channels));
        match (count(height), count(width)) {
            (0, _) | (_, 0) => prop_assert!(found.is_err()),
            (h, w) => prop_assert_eq!(found, Ok(Shape::new(h, w, 3))),
        }
    }

    #[test]
    fn names_survive_a_round_trip(hidden in proptest::collection::vec(1usize..=65_536, 1..=8), n in 1usize..20, k in 1usize..=32) {
        for architecture in [
            Architecture::Mlp { hidden: HiddenSizes::new(&hidden).unwrap() },
            Architecture::LeNet,
            Architecture::ResNet { depth: 6 * n + 2 },
            Architecture::WideResNet { depth: 6 * n + 4, width: k },
        ] {
            prop_assert_eq!(architecture.to_string().parse(), Ok(architecture));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,40}") {
        let _ = text.parse::<Architecture>();
    }
}

#[test]
fn other_names_are_refused() {
    for name in [
        "",
        "wrn",
        "wrn-16",
        "wrn-17-4",
        "wrn-16-0",
        "wrn-16-33",
        "wrn-4-1",
        "resnet",
        "resnet-21",
        "resnet-2",
        "lenet-5",
        "mlp-0",
        "mlp-",
        "mlp-65537",
        "mlp-1-2-3-4-5-6-7-8-9",
        "vgg-16",
        "wrn-16-4-1",
        "wrn--4",
        "mlp-99999999999999999999999",
    ] {
        assert!(name.parse::<Architecture>().is_err(), "{name:?}");
    }
}

#[test]
fn an_error_says_what_was_expected_and_found() {
    let error = Op::Dense { outputs: 3 }.output_shape(Shape::new(4, 5, 6)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Dense { outputs: 3 } takes a vector (flatten it first), but its input is 4x5x6"
    );
}
