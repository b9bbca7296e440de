//! EfficientNet-Lite0 with the weights that Google has published: `golden/lite0.py` made the numbers, says where the weights
//! come from, and writes them into the file that `$SAM_LITE0_WEIGHTS` names.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, Array4};
use sam_backend_ndarray::Network;
use sam_model::{Architecture, Description, ImageShape, Op, Tensor};
use std::collections::HashMap;

const IMAGE: ImageShape = ImageShape::new(224, 224, 3);

fn image() -> Array4<f32> {
    Array4::from_shape_fn((1, 224, 224, 3), |(_, y, x, c)| {
        ((7 * y + 13 * x + 29 * c) % 256) as f32 / 128.0 - 127.0 / 128.0
    })
}

/// The network up to a layer, then the mean of each of its channels in the place of the logits.
fn channel_means(whole: &Description, last: usize, parameters: &[f32], statistics: &[f32]) -> f64 {
    let channels = whole.shape(last + 1).channels;
    let part = Description::new(IMAGE, channels, |graph| {
        for node in &whole.nodes()[..=last] {
            let inputs: Vec<Tensor> = node.inputs.iter().map(|&input| Tensor(input)).collect();
            graph.push(node.name, node.op, &inputs)?;
        }
        graph.chain(
            Tensor(last + 1),
            [("mean", Op::GlobalAvgPool), ("channels", Op::Classify { classes: channels })],
        )
    })
    .unwrap();
    let mut own = parameters[..whole.parameters().of_node(last).end].to_vec();
    own.extend((0..channels * channels).map(|i| f32::from(u8::from(i % (channels + 1) == 0))));
    own.resize(part.parameters().len(), 0.0);
    let means = logits(&part, &own, &statistics[..part.statistics().len()]);
    means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / channels as f64
}

fn logits(description: &Description, parameters: &[f32], statistics: &[f32]) -> Vec<f32> {
    let mut network = Network::<f32>::build(description, 1, 2).unwrap();
    network.set_statistics(statistics).unwrap();
    let mut logits = Array2::zeros((1, description.classes()));
    network.logits(parameters, image().view(), logits.view_mut()).unwrap();
    logits.into_raw_vec_and_offset().0
}

#[test]
#[ignore = "needs the published weights, which golden/lite0.py fetches and converts"]
fn lite0_makes_of_an_image_what_it_does_in_pytorch() {
    let path = std::env::var("SAM_LITE0_WEIGHTS").unwrap();
    let bytes = std::fs::read(path).unwrap();
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let network: Architecture = "efficientnet-lite0".parse().unwrap();
    let whole = network.describe(IMAGE, 1000).unwrap();
    let (parameters, statistics) = values.split_at(whole.parameters().len());
    assert_eq!(statistics.len(), whole.statistics().len());

    let rows = include_str!("golden/lite0.csv").lines().skip(1);
    let golden: HashMap<_, f64> = rows
        .map(|row| row.split_once(',').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect();
    let near = |name: &str, found: f64| {
        let expected = golden[name];
        assert!(
            (found - expected).abs() < 1e-4 * expected.abs().max(1.0),
            "{name}: {found} instead of {expected}"
        );
    };

    // Each block ends with its addition or with the normalisation of its projection.
    let names: Vec<String> = whole.nodes().iter().map(|node| node.name.to_string()).collect();
    near(
        "stem",
        channel_means(
            &whole,
            names.iter().position(|n| n == "stem_activation").unwrap(),
            parameters,
            statistics,
        ),
    );
    let ends = names.iter().enumerate().filter(|(i, name)| {
        name.ends_with(".add")
            || (name.ends_with(".project_norm")
                && !names[i + 1..].iter().take(2).any(|n| n.ends_with(".add")))
    });
    let ends: Vec<usize> = ends.map(|(i, _)| i).collect();
    assert_eq!(ends.len(), 16);
    for (block, end) in ends.into_iter().enumerate() {
        near(&format!("block{block}"), channel_means(&whole, end, parameters, statistics));
    }
    let top = names.iter().position(|n| n == "top_activation").unwrap();
    near("pool", channel_means(&whole, top, parameters, statistics));

    let logits = logits(&whole, parameters, statistics);
    (0..5).for_each(|i| near(&format!("logit{i}"), f64::from(logits[i])));
    let largest = (0..1000).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
    near("largest", f64::from(logits[largest]));
    assert_eq!(largest as f64, golden["class"]);
    // The sum of a thousand.
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit)).sum();
    assert!((sum - golden["sum"]).abs() < 1e-2, "{sum}");
}
