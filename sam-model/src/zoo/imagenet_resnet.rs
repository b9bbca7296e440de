//! Residual networks for ImageNet (He et al. 2016, table 1), as in the SAM authors' code.

use super::{Family, ending, whole};
use crate::{
    DescriptionError, Graph, Init, Initialization, Name, Op, Padding, Role, Shape, Tensor,
    blocks::{FLAX_NORM, conv, conv1x1, stride},
};
use core::fmt;

/// Depths that the paper has, which are its networks' names.
pub const DEPTHS: [usize; 3] = [50, 101, 152];

/// Four stages of bottlenecks behind a stem of 7x7 and a max-pooling; the last scale of each block starts at zero, so that the
/// block is its shortcut at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageNetResNet {
    depth: usize,
    width: usize,
    first_version: bool,
}

impl ImageNetResNet {
    /// Channels of the stem in the paper.
    const WIDTH: usize = 64;

    /// Of 50, 101 or 152 weight layers and so many channels in the stem and the first stage's bottlenecks, 64 in the paper;
    /// `None` for other depths and widths beyond 1 to 512.
    #[must_use]
    pub fn new(depth: usize, width: usize) -> Option<Self> {
        let valid = DEPTHS.contains(&depth) && (1..=512).contains(&width);
        valid.then_some(Self { depth, width, first_version: false })
    }

    /// The same with the stride in the first convolution of a block, as in the paper, in the place of the second, as in its
    /// successors ("v1.5") and in the SAM authors' code.
    #[must_use]
    pub fn first_version(self) -> Self {
        Self { first_version: true, ..self }
    }

    const fn stages(&self) -> [usize; 4] {
        match self.depth {
            101 => [3, 4, 23, 3],
            152 => [3, 8, 36, 3],
            _ => [3, 4, 6, 3],
        }
    }

    fn block(
        &self,
        graph: &mut Graph,
        x: Tensor,
        (width, stride): (usize, usize),
        name: impl Fn(&'static str) -> Name,
    ) -> Result<Tensor, DescriptionError> {
        let (channels, strides) = (4 * width, if self.first_version { [stride, 1] } else { [1, stride] });
        let mut shortcut = x;
        if stride != 1 || graph.shape(x).channels != channels {
            let layers =
                [(name("projection"), conv1x1(channels, stride)), (name("projection_norm"), FLAX_NORM)];
            shortcut = graph.chain(x, layers)?;
        }
        let y = graph.chain(
            x,
            [
                (name("conv1"), conv1x1(width, strides[0])),
                (name("norm1"), FLAX_NORM),
                (name("relu1"), Op::Relu),
                (name("conv2"), conv(width, 3, strides[1])),
                (name("norm2"), FLAX_NORM),
                (name("relu2"), Op::Relu),
                (name("conv3"), conv1x1(channels, 1)),
                (name("norm3"), FLAX_NORM),
            ],
        )?;
        graph.start(y, Role::Scale, Init::Constant(0.0));
        let sum = graph.push(name("add"), Op::Add, &[y, shortcut])?;
        graph.push(name("relu3"), Op::Relu, &[sum])
    }
}

impl Family for ImageNetResNet {
    const NAMES: &'static str =
        "resnet-50, resnet-101, resnet-152 (behind it -wN for N = 1 to 512 channels at the start, and -v1)";
    const MEMBERS: &'static [&'static str] =
        &["resnet-50", "resnet-101", "resnet-152", "resnet-50-v1", "resnet-101-v1", "resnet-152-v1"];

    fn parse(name: &str) -> Option<Self> {
        let (name, first_version) = ending(name, "-v1");
        let size = name.strip_prefix("resnet-")?;
        let (depth, width) = match size.split_once("-w") {
            None => (size, Self::WIDTH),
            Some((depth, width)) => (depth, whole(width).filter(|&width| width != Self::WIDTH)?),
        };
        let own = Self::new(whole(depth)?, width)?;
        Some(if first_version { own.first_version() } else { own })
    }

    fn initialization(&self) -> Initialization {
        Initialization::LeCun
    }

    fn input(&self) -> (Shape, usize) {
        (Shape::new(224, 224, 3), 1000)
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let stem = Op::Conv {
            channels: self.width,
            kernel: 7,
            stride: 2,
            padding: Padding::Explicit(3),
            groups: 1,
            bias: false,
        };
        let pool = Op::MaxPool { size: 3, stride: 2, padding: Padding::Same };
        let stem = [("stem", stem), ("stem_norm", FLAX_NORM), ("stem_relu", Op::Relu), ("stem_pool", pool)];
        let mut x = graph.chain(Tensor::INPUT, stem)?;
        for (stage, blocks) in self.stages().into_iter().enumerate() {
            for block in 0..blocks {
                let name = |local| Name::in_block(stage + 1, block, local);
                x = self.block(graph, x, (self.width << stage, stride(stage, block)), name)?;
            }
        }
        graph.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes })])
    }
}

impl fmt::Display for ImageNetResNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resnet-{}", self.depth)?;
        if self.width != Self::WIDTH {
            write!(f, "-w{}", self.width)?;
        }
        f.write_str(if self.first_version { "-v1" } else { "" })
    }
}
