//! Shake-Shake networks (Gastaldi 2017), as in the SAM authors' code.

use super::{Family, whole};
use crate::{
    DescriptionError, Graph, Name, Op, Tensor,
    blocks::{FLAX_NORM, conv, conv1x1, stride},
};
use core::fmt;

/// 6n + 2 weight layers in three stages of w, 2w and 4w channels. A block is the random mixture of two branches, each of
/// ReLU, convolution, normalisation, twice, beside its input; where the shape changes the shortcut is two convolutions
/// of 1x1, the second of the image shifted by a pixel. Gastaldi's own code has a ReLU before those, the SAM authors' has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShakeShake {
    depth: usize,
    width: usize,
}

impl ShakeShake {
    /// Of that many weight layers and so many channels in the first stage; `None` unless the depth is 6n + 2 from 8 to 1202
    /// and the width even, 2 to 1024.
    #[must_use]
    pub fn new(depth: usize, width: usize) -> Option<Self> {
        let valid = (8..=1202).contains(&depth) && depth % 6 == 2;
        (valid && (2..=1024).contains(&width) && width % 2 == 0).then_some(Self { depth, width })
    }

    fn shortcut(
        graph: &mut Graph,
        x: Tensor,
        (channels, stride): (usize, usize),
        name: impl Fn(&'static str) -> Name,
    ) -> Result<Tensor, DescriptionError> {
        if graph.shape(x).channels == channels {
            return Ok(x);
        }
        let path = |graph: &mut Graph, shift, [slice, conv]: [&'static str; 2]| {
            let mut y = x;
            if stride != 1 || shift != 0 {
                y = graph.push(name(slice), Op::Subsample { stride, shift }, &[x])?;
            }
            graph.push(name(conv), conv1x1(channels / 2, 1), &[y])
        };
        let first = path(graph, 0, ["slice1", "projection1"])?;
        let second = path(graph, 1, ["slice2", "projection2"])?;
        let both = graph.push(name("concat"), Op::Concat, &[first, second])?;
        graph.push(name("projection_norm"), FLAX_NORM, &[both])
    }
}

impl Family for ShakeShake {
    const NAMES: &'static str =
        "shake-shake-D-2xWd (D = 8, 14, 20, 26, ... up to 1202, W even, 2 to 1024; the papers' D is 26)";
    const MEMBERS: &'static [&'static str] =
        &["shake-shake-26-2x32d", "shake-shake-26-2x64d", "shake-shake-26-2x96d", "shake-shake-26-2x112d"];

    fn parse(name: &str) -> Option<Self> {
        let (depth, width) = name.strip_prefix("shake-shake-")?.strip_suffix('d')?.split_once("-2x")?;
        Self::new(whole(depth)?, whole(width)?)
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = graph.chain(Tensor::INPUT, [("stem", conv(16, 3, 1)), ("stem_norm", FLAX_NORM)])?;
        for stage in 0..3 {
            let channels = self.width << stage;
            for block in 0..(self.depth - 2) / 6 {
                let name = |local| Name::in_block(stage + 1, block, local);
                let stride = stride(stage, block);
                let branch = |graph: &mut Graph, [relu1, conv1, norm1, relu2, conv2, norm2]: [_; 6]| {
                    let layers = [
                        (relu1, Op::Relu),
                        (conv1, conv(channels, 3, stride)),
                        (norm1, FLAX_NORM),
                        (relu2, Op::Relu),
                        (conv2, conv(channels, 3, 1)),
                        (norm2, FLAX_NORM),
                    ];
                    graph.chain(x, layers.map(|(local, op)| (name(local), op)))
                };
                let a = ["a_relu1", "a_conv1", "a_norm1", "a_relu2", "a_conv2", "a_norm2"];
                let b = ["b_relu1", "b_conv1", "b_norm1", "b_relu2", "b_conv2", "b_norm2"];
                let (a, b) = (branch(graph, a)?, branch(graph, b)?);
                let mixed = graph.push(name("mix"), Op::ShakeShake, &[a, b])?;
                let shortcut = Self::shortcut(graph, x, (channels, stride), name)?;
                x = graph.push(name("add"), Op::Add, &[mixed, shortcut])?;
            }
        }
        graph.chain(x, [("relu", Op::Relu), ("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes })])
    }
}

impl fmt::Display for ShakeShake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shake-shake-{}-2x{}d", self.depth, self.width)
    }
}
