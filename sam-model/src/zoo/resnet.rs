//! Residual networks for small images (He et al. 2016, "Deep Residual Learning", section 4.2).

use super::{Family, ending, imagenet_resnet::DEPTHS, numbers};
use crate::{
    DescriptionError, Graph, Initialization, Name, Op, Tensor,
    blocks::{conv1x1, conv3x3, stride},
};
use core::fmt;

/// 6n + 2 weight layers in three stages of 16, 32 and 64 channels; ReLU after the addition, and 1x1 projections where the
/// shape changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResNet {
    depth: usize,
    shortcuts: bool,
}

impl ResNet {
    /// Of that many weight layers; `None` unless it is 6n + 2 from 8 to 1202.
    #[must_use]
    pub fn new(depth: usize) -> Option<Self> {
        ((8..=1202).contains(&depth) && depth % 6 == 2).then_some(Self { depth, shortcuts: true })
    }

    /// The same without shortcuts and their projections, as in figure 1 of Foret et al. 2021 (from Li et al. 2018).
    #[must_use]
    pub fn without_shortcuts(self) -> Self {
        Self { shortcuts: false, ..self }
    }

    fn shortcut(
        graph: &mut Graph,
        x: Tensor,
        (channels, stride): (usize, usize),
        name: impl Fn(&'static str) -> Name,
    ) -> Result<Tensor, DescriptionError> {
        if stride == 1 {
            return Ok(x);
        }
        let layers =
            [(name("projection"), conv1x1(channels, stride)), (name("projection_norm"), Op::BATCH_NORM)];
        graph.chain(x, layers)
    }
}

impl Family for ResNet {
    const NAMES: &'static str = "resnet-D, resnet-D-noshort (D = 8, 14, 20, 26, 32, ... up to 1202; resnet-50-cifar and \
                                 resnet-152-cifar, for the plain names are those of ImageNet's)";
    const MEMBERS: &'static [&'static str] =
        &["resnet-20", "resnet-32", "resnet-56", "resnet-110", "resnet-56-noshort"];

    fn parse(name: &str) -> Option<Self> {
        let (name, noshort) = ending(name, "-noshort");
        let (name, cifar) = ending(name, "-cifar");
        let [depth] = numbers(name, "resnet")?;
        let own = Self::new(depth).filter(|_| cifar == DEPTHS.contains(&depth))?;
        Some(if noshort { own.without_shortcuts() } else { own })
    }

    fn initialization(&self) -> Initialization {
        Initialization::HeFanIn
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = graph.chain(
            Tensor::INPUT,
            [("stem", conv3x3(16, 1)), ("stem_norm", Op::BATCH_NORM), ("stem_relu", Op::Relu)],
        )?;
        for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
            for block in 0..(self.depth - 2) / 6 {
                let name = |local| Name::in_block(stage + 1, block, local);
                let stride = stride(stage, block);
                let mut shortcut = None;
                if self.shortcuts {
                    shortcut = Some(Self::shortcut(graph, x, (channels, stride), name)?);
                }
                let mut y = graph.chain(
                    x,
                    [
                        (name("conv1"), conv3x3(channels, stride)),
                        (name("norm1"), Op::BATCH_NORM),
                        (name("relu1"), Op::Relu),
                        (name("conv2"), conv3x3(channels, 1)),
                        (name("norm2"), Op::BATCH_NORM),
                    ],
                )?;
                if let Some(shortcut) = shortcut {
                    y = graph.push(name("add"), Op::Add, &[y, shortcut])?;
                }
                x = graph.push(name("relu2"), Op::Relu, &[y])?;
            }
        }
        graph.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes })])
    }
}

impl fmt::Display for ResNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resnet-{}", self.depth)?;
        if DEPTHS.contains(&self.depth) {
            f.write_str("-cifar")?;
        }
        f.write_str(if self.shortcuts { "" } else { "-noshort" })
    }
}
