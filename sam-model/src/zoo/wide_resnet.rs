//! Wide residual networks (Zagoruyko and Komodakis 2016).

use super::{Family, numbers};
use crate::{
    DescriptionError, Graph, Name, Op, Tensor,
    blocks::{conv1x1, conv3x3, stride},
};
use core::fmt;

/// 6n + 4 weight layers in three stages of 16k, 32k and 64k channels; normalisation and ReLU before each convolution, and
/// 1x1 projections where the shape changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WideResNet {
    depth: usize,
    width: usize,
}

impl WideResNet {
    /// Of that many weight layers and widening factor k; `None` unless the depth is 6n + 4 from 10 to 1000 and k 1 to 32.
    #[must_use]
    pub fn new(depth: usize, width: usize) -> Option<Self> {
        let valid = (10..=1000).contains(&depth) && depth % 6 == 4 && (1..=32).contains(&width);
        valid.then_some(Self { depth, width })
    }
}

impl Family for WideResNet {
    const NAMES: &'static str = "wrn-D-K (D = 10, 16, 22, 28, ... up to 1000, K = 1 to 32)";

    fn parse(name: &str) -> Option<Self> {
        let [depth, width] = numbers(name, "wrn")?;
        Self::new(depth, width)
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = graph.push("stem", conv3x3(16, 1), &[Tensor::INPUT])?;
        for (stage, base) in [16, 32, 64].into_iter().enumerate() {
            let channels = base * self.width;
            for block in 0..(self.depth - 4) / 6 {
                let name = |local| Name::in_block(stage + 1, block, local);
                let stride = stride(stage, block);
                let changes = graph.shape(x).channels != channels || stride != 1;
                let mut y = graph.chain(x, [(name("norm1"), Op::BatchNorm), (name("relu1"), Op::Relu)])?;
                if changes {
                    x = graph.push(name("projection"), conv1x1(channels, stride), &[y])?;
                }
                y = graph.chain(
                    y,
                    [
                        (name("conv1"), conv3x3(channels, stride)),
                        (name("norm2"), Op::BatchNorm),
                        (name("relu2"), Op::Relu),
                        (name("conv2"), conv3x3(channels, 1)),
                    ],
                )?;
                x = graph.push(name("add"), Op::Add, &[y, x])?;
            }
        }
        graph.chain(
            x,
            [
                ("norm", Op::BatchNorm),
                ("relu", Op::Relu),
                ("pool", Op::GlobalAvgPool),
                ("head", Op::Classify { classes }),
            ],
        )
    }
}

impl fmt::Display for WideResNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrn-{}-{}", self.depth, self.width)
    }
}
