//! Networks by name: what an architecture pushes, how names are read; and what operations take, make and own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use sam_model::{
    Architecture, Blocks, Description, ImageNetResNet, Init, LeNet, Mlp, Node, Op, Padding, PyramidNet,
    ResNet, Role, ShakeShake, Shape, Shortcuts, WideResNet, Widths,
};
use std::collections::BTreeSet;

fn described(architecture: &str, image: Shape) -> Description {
    architecture.parse::<Architecture>().unwrap().describe(image, 10).unwrap()
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

#[test]
fn networks_end_in_their_logits() {
    for name in NAMES {
        let network = described(name, Shape::new(32, 32, 3));
        assert_eq!((network.image(), network.classes()), (Shape::new(32, 32, 3), 10), "{name}");
        assert_eq!(network.nodes().last().unwrap().op, Op::Classify { classes: 10 }, "{name}");
    }
}

/// The depth in a name counts as its paper does: He et al. the convolutions of the longest path and the dense layer,
/// Zagoruyko and Komodakis all convolutions, projections included.
#[test]
fn depths_are_what_the_names_say() {
    for (name, depth) in
        [("resnet-20", 20), ("resnet-32", 32), ("wrn-16-4-projection", 16), ("wrn-28-10-projection", 28)]
    {
        let network = described(name, Shape::new(32, 32, 3));
        let counts = |node: &&Node| match node.op {
            Op::Conv { .. } => name.starts_with("wrn") || !node.name.to_string().ends_with("projection"),
            Op::Classify { .. } => name.starts_with("resnet"),
            _ => false,
        };
        assert_eq!(network.nodes().iter().filter(counts).count(), depth, "{name}");
    }
}

#[test]
fn stages_halve_the_image_and_widen() {
    let network = described("wrn-16-4-projection", Shape::new(32, 32, 3));
    let shapes = (1..network.tensors()).map(|tensor| network.shape(tensor));
    let sizes: BTreeSet<_> = shapes.map(|s| (s.height, s.channels)).collect();
    assert_eq!(sizes, BTreeSet::from([(32, 16), (32, 64), (16, 128), (8, 256), (1, 256), (1, 10)]));
    assert_eq!(network.nodes().iter().filter(|node| node.op == Op::Add).count(), 6);
}

#[test]
fn names_of_operations_are_stable() {
    let network = described("wrn-10-1", Shape::new(28, 28, 1));
    let names: Vec<_> = network.nodes().iter().map(|node| node.name.to_string()).collect();
    assert_eq!(names[..4], ["stem", "stage1.0.norm1", "stage1.0.relu1", "stage1.0.conv1"]);
    assert_eq!(names[names.len() - 2..], ["pool", "head"]);
    let network = described("resnet-8", Shape::new(28, 28, 1));
    let names: Vec<_> = network.nodes().iter().map(|node| node.name.to_string()).collect();
    assert_eq!(names[..4], ["stem", "stem_norm", "stem_relu", "stage1.0.conv1"]);
    assert!(names.iter().any(|name| name == "stage2.0.projection_norm"));
}

/// Counts by hand.
#[test]
fn parameters_are_counted() {
    let parameters = |name, image| described(name, image).parameters().len();
    let lenet = 9 * 32 + 32 + 9 * 32 * 64 + 64 + 7 * 7 * 64 * 128 + 128 + 128 * 10 + 10;
    assert_eq!(parameters("lenet", Shape::new(28, 28, 1)), lenet);
    let mlp = 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10;
    assert_eq!(parameters("mlp", Shape::new(28, 28, 1)), mlp);
    // The same network in PyTorch (bias-free convolutions, batch normalisation with scale and shift).
    assert_eq!(parameters("wrn-16-1-projection", Shape::new(28, 28, 1)), 174_778);
}

#[test]
fn parameters_have_roles_shapes_and_starts() {
    let conv =
        Op::Conv { channels: 5, kernel: 3, stride: 1, padding: Padding::Explicit(1), groups: 1, bias: true };
    let parameters = conv.signature(&[Shape::new(8, 8, 2)]).unwrap().parameters;
    assert_eq!(parameters.len(), 2);
    assert_eq!((parameters[0].role, parameters[0].shape.as_slice()), (Role::Weight, &[3, 3, 2, 5][..]));
    assert_eq!(parameters[0].init, Init::He { fan_in: 18 });
    assert_eq!((parameters[1].role, parameters[1].shape.as_slice()), (Role::Bias, &[5][..]));
    let norm = Op::BATCH_NORM.signature(&[Shape::new(8, 8, 2)]).unwrap();
    let owned = norm.parameters.iter().chain(&norm.statistics);
    let owned: Vec<_> = owned.map(|own| (own.role, own.init, own.shape.as_slice())).collect();
    let vector = |role, value| (role, Init::Constant(value), [2].as_slice());
    let expected = [
        vector(Role::Scale, 1.0),
        vector(Role::Shift, 0.0),
        vector(Role::RunningMean, 0.0),
        vector(Role::RunningVariance, 1.0),
    ];
    assert_eq!(owned, expected);
    assert!(Op::Relu.signature(&[Shape::new(8, 8, 2)]).unwrap().parameters.is_empty());
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
        let padding = Padding::Explicit(padding);
        let op = Op::Conv { channels: 3, kernel, stride, padding, groups: 1, bias: false };
        let found = op.signature(&[Shape::new(height, width, channels)]);
        match (count(height), count(width)) {
            (0, _) | (_, 0) => prop_assert!(found.is_err()),
            (h, w) => prop_assert_eq!(found.unwrap().output, Shape::new(h, w, 3)),
        }
    }

    /// As many windows as steps begin within the image, the last of which ends where the padding behind does; and the
    /// padding is shared evenly, the odd one behind.
    #[test]
    fn same_windows_cover_the_image(extent in 1usize..40, size in 1usize..8, stride in 1usize..5) {
        let found = Padding::Same.windows(extent, size, stride).unwrap();
        prop_assert_eq!(found.count, (0..extent).filter(|at| at % stride == 0).count());
        let end = (found.count - 1) * stride + size;
        prop_assert_eq!(end.max(extent), found.before + extent + found.behind);
        prop_assert!(found.behind == found.before || found.behind == found.before + 1);
    }

    #[test]
    fn names_survive_a_round_trip(hidden in proptest::collection::vec(1usize..=65_536, 1..=8), n in 1usize..20, k in 1usize..=32) {
        for architecture in [
            Architecture::Mlp(Mlp::new(&hidden).unwrap()),
            Architecture::LeNet(LeNet),
            Architecture::ResNet(ResNet::new(6 * n + 2).unwrap()),
            Architecture::WideResNet(WideResNet::new(6 * n + 4, k, Shortcuts::ZeroPadded).unwrap()),
            Architecture::WideResNet(WideResNet::new(6 * n + 4, k, Shortcuts::Projections).unwrap()),
            Architecture::WideResNet(WideResNet::new(6 * n + 4, k, Shortcuts::Projections).unwrap().without_norms()),
            Architecture::ResNet(ResNet::new(6 * n + 2).unwrap().without_shortcuts()),
            Architecture::ShakeShake(ShakeShake::new(6 * n + 2, 2 * k).unwrap()),
            Architecture::PyramidNet(PyramidNet::new(18 * n + 2, k, Blocks::Basic, Widths::Rounded).unwrap()),
            Architecture::PyramidNet(PyramidNet::new(9 * n + 2, k, Blocks::Bottleneck, Widths::Truncated).unwrap()),
            Architecture::PyramidNet(
                PyramidNet::new(9 * n + 2, k, Blocks::Bottleneck, Widths::Rounded).unwrap().with_shake_drop(),
            ),
            Architecture::ImageNetResNet(ImageNetResNet::new(101, k).unwrap()),
            Architecture::ImageNetResNet(ImageNetResNet::new(152, 64).unwrap().first_version()),
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
    assert_eq!(
        "vgg-16".parse::<Architecture>().unwrap_err().to_string(),
        "expected mlp, mlp-H1-H2 (one to eight hidden sizes up to 65536), lenet, resnet-D, resnet-D-noshort (D = 8, 14, 20, \
         26, 32, ... up to 1202; resnet-50-cifar and resnet-152-cifar, for the plain names are those of ImageNet's), \
         wrn-D-K, wrn-D-K-projection, wrn-D-K-nobn (D = 10, 16, 22, 28, ... up to 1000, K = 1 to 32), shake-shake-D-2xWd \
         (D = 8, 14, 20, 26, ... up to 1202, W even, 2 to 1024; the papers' D is 26), pyramidnet-D, pyramidnet-D-A \
         (D = 9n + 2 with bottlenecks or 6n + 2 with basic blocks, up to 1100; A = 1 to 1024, 200 where it is left out; \
         behind it -basic or -bottleneck, -rounded or -truncated, and -shakedrop), resnet-50, resnet-101, resnet-152 \
         (behind it -wN for N = 1 to 512 channels at the start, and -v1) or efficientnet-b0 to efficientnet-b8, \
         efficientnet-l2, efficientnet-l2-475, efficientnet-lite0 to efficientnet-lite4"
    );
}
