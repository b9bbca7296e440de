//! Residual networks for small images (He et al. 2016, "Deep Residual Learning", section 4.2).

use super::{Family, numbers};
use crate::{
    DescriptionError, Graph, Name, Op, Tensor,
    blocks::{conv1x1, conv3x3, stride},
};
use core::fmt;

/// 6n + 2 weight layers in three stages of 16, 32 and 64 channels; ReLU after the addition, and 1x1 projections where the
/// shape changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResNet {
    depth: usize,
}

impl ResNet {
    /// Of that many weight layers; `None` unless it is 6n + 2 from 8 to 1202.
    #[must_use]
    pub fn new(depth: usize) -> Option<Self> {
        ((8..=1202).contains(&depth) && depth % 6 == 2).then_some(Self { depth })
    }
}

impl Family for ResNet {
    const NAMES: &'static str = "resnet-D (D = 8, 14, 20, 26, 32, ... up to 1202)";

    fn parse(name: &str) -> Option<Self> {
        let [depth] = numbers(name, "resnet")?;
        Self::new(depth)
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = graph.chain(
            Tensor::INPUT,
            [("stem", conv3x3(16, 1)), ("stem_norm", Op::BatchNorm), ("stem_relu", Op::Relu)],
        )?;
        for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
            for block in 0..(self.depth - 2) / 6 {
                let name = |local| Name::in_block(stage + 1, block, local);
                let stride = stride(stage, block);
                let mut shortcut = x;
                if stride != 1 {
                    let layers = [
                        (name("projection"), conv1x1(channels, stride)),
                        (name("projection_norm"), Op::BatchNorm),
                    ];
                    shortcut = graph.chain(x, layers)?;
                }
                let y = graph.chain(
                    x,
                    [
                        (name("conv1"), conv3x3(channels, stride)),
                        (name("norm1"), Op::BatchNorm),
                        (name("relu1"), Op::Relu),
                        (name("conv2"), conv3x3(channels, 1)),
                        (name("norm2"), Op::BatchNorm),
                    ],
                )?;
                x = graph.push(name("add"), Op::Add, &[y, shortcut])?;
                x = graph.push(name("relu2"), Op::Relu, &[x])?;
            }
        }
        graph.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes })])
    }
}

impl fmt::Display for ResNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resnet-{}", self.depth)
    }
}
