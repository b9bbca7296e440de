//! What a description refuses, and what it says of the networks that it takes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use sam_model::{Architecture, Description, DescriptionError, Graph, Op, Padding, Shape, Tensor};

const IMAGE: Shape = Shape::new(5, 4, 2);
const CONV: Op =
    Op::Conv { channels: 3, kernel: 3, stride: 1, padding: Padding::Explicit(1), groups: 1, bias: false };

fn head(graph: &mut Graph, x: Tensor) -> Result<Tensor, DescriptionError> {
    graph.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes: 4 })])
}

/// What the description of a network with four classes says when it refuses.
#[track_caller]
fn refusal(describe: impl FnOnce(&mut Graph) -> Result<Tensor, DescriptionError>) -> String {
    Description::new(IMAGE, 4, describe).unwrap_err().to_string()
}

#[test]
fn a_layer_that_nobody_reads_is_refused() {
    let found = refusal(|g| {
        let x = g.push("stem", CONV, &[Tensor::INPUT])?;
        g.push("dead", CONV, &[x])?;
        head(g, x)
    });
    assert_eq!(found, "layer dead: expected another to read its output, found none; leave it out");
}

#[test]
fn logits_that_are_not_the_last_tensor_are_refused() {
    let found = refusal(|g| {
        let logits = head(g, Tensor::INPUT)?;
        g.push("late", Op::Relu, &[logits])?;
        Ok(logits)
    });
    assert_eq!(found, "expected the logits, a vector of 4 values, as the last tensor made, found 1x1x4");
}

#[test]
fn logits_of_another_shape_are_refused() {
    let found = refusal(|g| g.push("conv", CONV, &[Tensor::INPUT]));
    assert_eq!(found, "expected the logits, a vector of 4 values, as the last tensor made, found 5x4x3");
}

#[test]
fn a_network_without_operations_is_refused() {
    let found = Description::new(Shape::vector(4), 4, |_| Ok(Tensor::INPUT));
    assert_eq!(found.unwrap_err(), DescriptionError::Logits { classes: 4, found: Shape::vector(4) });
}

#[test]
fn fewer_than_two_classes_and_more_than_labels_can_name_are_refused() {
    let mlp: Architecture = "mlp-3".parse().unwrap();
    for classes in [0, 1, 65_537, usize::MAX] {
        let found = mlp.describe(IMAGE, classes).unwrap_err();
        assert_eq!(found.to_string(), format!("expected 2 to 65536 classes, found {classes}"));
    }
    for classes in [2, 65_536] {
        assert_eq!(mlp.describe(IMAGE, classes).unwrap().classes(), classes);
    }
}

#[test]
fn a_name_given_twice_is_refused() {
    let found = refusal(|g| {
        let x = g.push("conv", CONV, &[Tensor::INPUT])?;
        let x = g.push("conv", CONV, &[x])?;
        head(g, x)
    });
    assert_eq!(found, "layer conv: expected a name of its own, found it given to a layer before; rename one");
}

#[test]
fn a_tensor_that_was_not_made_before_is_refused() {
    let found = refusal(|g| g.push("conv", CONV, &[Tensor(1)]));
    assert_eq!(found, "layer conv: expected tensors made before it, found number 1");
}

#[test]
fn a_wrong_number_of_inputs_is_refused() {
    let one = refusal(|g| g.push("add", Op::Add, &[Tensor::INPUT]));
    assert_eq!(one, "layer add: Add takes two tensors, but its input is 5x4x2");
    let two = refusal(|g| g.push("relu", Op::Relu, &[Tensor::INPUT; 2]));
    assert_eq!(two, "layer relu: Relu takes one tensor, but its inputs are 5x4x2, 5x4x2");
    let none = refusal(|g| g.push("relu", Op::Relu, &[]));
    assert_eq!(none, "layer relu: Relu takes at least one tensor, but it has no input");
}

#[test]
fn operations_say_what_they_take() {
    let refused = |op: Op, inputs: &[Shape]| op.signature(inputs).unwrap_err().to_string();
    let conv = |channels, kernel, stride, padding| {
        let padding = Padding::Explicit(padding);
        Op::Conv { channels, kernel, stride, padding, groups: 1, bias: true }
    };
    let none = Padding::Explicit(0);
    let grouped = |channels, groups| Op::Conv {
        channels,
        kernel: 1,
        stride: 1,
        padding: Padding::Same,
        groups,
        bias: false,
    };
    for (op, inputs, expected) in [
        (
            Op::Dense { outputs: 3 },
            &[Shape::new(4, 5, 6)][..],
            "takes a vector (flatten it first), but its input is 4x5x6",
        ),
        (Op::Dense { outputs: 0 }, &[Shape::vector(6)], "takes at least one output"),
        (Op::Classify { classes: 0 }, &[Shape::vector(6)], "takes at least one output"),
        (conv(0, 3, 1, 1), &[IMAGE], "takes at least one output channel"),
        (conv(1, 3, 1, 3), &[IMAGE], "takes a padding smaller than the kernel"),
        (conv(1, 0, 1, 0), &[IMAGE], "takes a padding smaller than the kernel"),
        (conv(1, 6, 1, 0), &[IMAGE], "takes an image at least as large as the kernel"),
        (conv(1, 3, 0, 1), &[IMAGE], "and a stride of at least 1"),
        (
            Op::MaxPool { size: 5, stride: 1, padding: none },
            &[IMAGE],
            "takes an image at least as large as the window",
        ),
        (
            Op::AvgPool { size: 0, stride: 1, padding: none },
            &[IMAGE],
            "takes an image at least as large as the window",
        ),
        (Op::AvgPool { size: 2, stride: 0, padding: none }, &[IMAGE], "and a stride of at least 1"),
        (grouped(4, 0), &[IMAGE], "takes groups that divide the input channels and the output channels"),
        (grouped(3, 2), &[IMAGE], "takes groups that divide the input channels and the output channels"),
        (grouped(3, 3), &[IMAGE], "takes groups that divide the input channels and the output channels"),
        (
            Op::MaxPool { size: 2, stride: 1, padding: Padding::Explicit(2) },
            &[IMAGE],
            "takes a padding smaller than the window",
        ),
        (Op::Subsample { stride: 0, shift: 0 }, &[IMAGE], "takes a stride of at least 1"),
        (
            Op::PadChannels { channels: 1 },
            &[IMAGE],
            "takes at least as many channels altogether as the input has",
        ),
        (Op::Concat, &[IMAGE, Shape::new(5, 5, 2)], "takes two images of one size"),
        (
            Op::Scale,
            &[IMAGE, Shape::vector(3)],
            "takes an image and a vector with a value for each of its channels",
        ),
        (Op::ShakeShake, &[IMAGE, Shape::vector(2)], "takes two tensors of one shape"),
        (Op::Dropout { rate: 1.0 }, &[IMAGE], "takes a rate from 0 to below 1"),
        (Op::DropConnect { rate: f64::NAN }, &[IMAGE], "takes a rate from 0 to below 1"),
        (Op::ShakeDrop { keep: 1.5 }, &[IMAGE], "takes a share from 0 to 1"),
        (
            Op::Add,
            &[IMAGE, Shape::new(5, 4, 3)],
            "takes two tensors of one shape, but its inputs are 5x4x2, 5x4x3",
        ),
        (Op::Relu, &[Shape::new(5, 0, 3)], "takes a tensor with at least one value"),
        (Op::Flatten, &[Shape::new(usize::MAX, 2, 3)], "takes tensors whose values can be counted"),
    ] {
        let found = refused(op, inputs);
        assert!(found.starts_with(&format!("{op:?} ")) && found.contains(expected), "{found}");
    }
}

#[test]
fn what_cannot_be_addressed_is_refused() {
    let wide = |outputs| {
        Description::new(Shape::vector(1 << 20), 4, |g| {
            let x = g.push("wide", Op::Dense { outputs }, &[Tensor::INPUT])?;
            head(g, x)
        })
    };
    for outputs in [usize::MAX, usize::MAX >> 20] {
        assert_eq!(wide(outputs).unwrap_err(), DescriptionError::TooLarge { layer: "wide".to_owned() });
    }
    assert!(wide(1 << 20).is_ok());
}

#[test]
fn an_error_has_the_operations_as_its_source() {
    let error = Description::new(Shape::new(2, 2, 2), 4, |g| {
        g.push(
            "conv",
            Op::Conv {
                channels: 1,
                kernel: 3,
                stride: 1,
                padding: Padding::Explicit(0),
                groups: 1,
                bias: false,
            },
            &[Tensor::INPUT],
        )
    })
    .unwrap_err();
    let source = core::error::Error::source(&error).unwrap().to_string();
    assert_eq!(error.to_string(), format!("layer conv: {source}"));
}

/// Operations that keep the shape, each on tensors chosen among those before, then the sum of all that nobody read.
fn network(choices: &[(u8, usize, usize)]) -> Description {
    Description::new(IMAGE, 4, |g| {
        let mut made = vec![Tensor::INPUT];
        let mut unread = Vec::new();
        let mut push = |g: &mut Graph, op, inputs: &[Tensor], unread: &mut Vec<Tensor>| {
            let tensor = g.push(sam_model::Name::numbered("op", made.len()), op, inputs)?;
            unread.retain(|tensor| !inputs.contains(tensor));
            unread.push(tensor);
            made.push(tensor);
            Ok::<_, DescriptionError>(made.clone())
        };
        let mut tensors = vec![Tensor::INPUT];
        for &(op, a, b) in choices {
            let inputs = [tensors[a % tensors.len()], tensors[b % tensors.len()]];
            tensors = match op {
                0 => push(
                    g,
                    Op::Conv {
                        channels: 2,
                        kernel: 3,
                        stride: 1,
                        padding: Padding::Explicit(1),
                        groups: 1,
                        bias: true,
                    },
                    &inputs[..1],
                    &mut unread,
                )?,
                1 => push(g, Op::BATCH_NORM, &inputs[..1], &mut unread)?,
                2 => push(g, Op::Relu, &inputs[..1], &mut unread)?,
                _ => push(g, Op::Add, &inputs, &mut unread)?,
            };
        }
        while let [a, b, ..] = unread[..] {
            push(g, Op::Add, &[a, b], &mut unread)?;
        }
        head(g, unread.first().copied().unwrap_or(Tensor::INPUT))
    })
    .unwrap()
}

proptest! {
    /// Against the definitions, by going through all nodes.
    #[test]
    fn readers_and_makers_are_found(choices in proptest::collection::vec((0u8..4, any::<usize>(), any::<usize>()), 0..12)) {
        let network = network(&choices);
        prop_assert_eq!(network.tensors(), network.nodes().len() + 1);
        for tensor in 0..network.tensors() {
            let mut readers = Vec::new();
            for (i, node) in network.nodes().iter().enumerate() {
                readers.extend(node.inputs.iter().filter(|&&input| input == tensor).map(|_| i));
            }
            prop_assert_eq!(network.consumers(tensor), readers.as_slice());
            prop_assert_eq!(network.sole_consumer(tensor), (readers.len() == 1).then(|| readers[0]));
            prop_assert_eq!(network.producer(tensor).is_none(), tensor == 0);
            prop_assert!(readers.iter().all(|&reader| reader >= tensor));
        }
        let mut trained = vec![false; network.tensors()];
        for (i, node) in network.nodes().iter().enumerate() {
            trained[i + 1] = !node.parameters.is_empty() || node.inputs.iter().any(|&input| trained[input]);
            prop_assert_eq!(network.is_trained(i + 1), trained[i + 1]);
            let shapes: Vec<_> = node.inputs.iter().map(|&input| network.shape(input)).collect();
            prop_assert_eq!(node.op.signature(&shapes).unwrap().output, network.shape(i + 1));
        }
    }
}
