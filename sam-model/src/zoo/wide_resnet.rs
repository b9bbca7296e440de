//! Wide residual networks (Zagoruyko and Komodakis 2016).

use super::{Family, ending, numbers};
use crate::{
    DescriptionError, Graph, Init, Initialization, Name, Op, Padding, Role, Tensor,
    blocks::{FLAX_NORM, conv, conv1x1, conv3x3, mean_of_squares, stride},
};
use core::fmt;

/// 6n + 4 weight layers in three stages of 16k, 32k and 64k channels; normalisation and ReLU before each convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WideResNet {
    depth: usize,
    width: usize,
    shortcuts: Shortcuts,
    normalised: bool,
}

/// How a block's input reaches its output where the shape changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shortcuts {
    /// Averaged over squares of the stride, channels of zeros appended: the SAM authors' code, whose first block normalises
    /// its input for both branches, and none of the others for the shortcut.
    ZeroPadded,
    /// Normalised as for the convolutions and convolved with 1x1: Zagoruyko and Komodakis.
    Projections,
}

impl WideResNet {
    /// Of that many weight layers and widening factor k; `None` unless the depth is 6n + 4 from 10 to 1000 and k 1 to 32.
    #[must_use]
    pub fn new(depth: usize, width: usize, shortcuts: Shortcuts) -> Option<Self> {
        let valid = (10..=1000).contains(&depth) && depth % 6 == 4 && (1..=32).contains(&width);
        valid.then_some(Self { depth, width, shortcuts, normalised: true })
    }

    /// With a bias for each convolution in the place of batch normalisation, as for the Hessian's spectra in section 4.2 of
    /// Foret et al. 2021. Neither paper nor code says more, so the rest is this project's choice: shortcuts padded with zeros,
    /// and the second convolution of each block zero at first (Zhang et al. 2019, "Fixup"), for otherwise each block
    /// would double the variance.
    #[must_use]
    pub fn without_norms(self) -> Self {
        Self { normalised: false, shortcuts: Shortcuts::ZeroPadded, ..self }
    }

    /// Whether it has batch normalisation.
    #[must_use]
    pub const fn is_normalised(&self) -> bool {
        self.normalised
    }

    fn conv3x3(&self, channels: usize, stride: usize) -> Op {
        match self.shortcuts {
            Shortcuts::Projections => conv3x3(channels, stride),
            Shortcuts::ZeroPadded if self.normalised => conv(channels, 3, stride),
            Shortcuts::ZeroPadded => {
                Op::Conv { channels, kernel: 3, stride, padding: Padding::Same, groups: 1, bias: true }
            }
        }
    }

    /// Normalisation, where there is any, and ReLU.
    fn activate<N: Into<Name>>(
        &self,
        graph: &mut Graph,
        x: Tensor,
        [norm, relu]: [N; 2],
    ) -> Result<Tensor, DescriptionError> {
        let op = match self.shortcuts {
            Shortcuts::Projections => Op::BATCH_NORM,
            Shortcuts::ZeroPadded => FLAX_NORM,
        };
        let x = if self.normalised { graph.push(norm, op, &[x])? } else { x };
        graph.push(relu, Op::Relu, &[x])
    }

    fn block(
        &self,
        graph: &mut Graph,
        x: Tensor,
        (channels, stride): (usize, usize),
        is_first: bool,
        name: impl Fn(&'static str) -> Name,
    ) -> Result<Tensor, DescriptionError> {
        let before = graph.shape(x);
        let activated = self.activate(graph, x, ["norm1", "relu1"].map(&name))?;
        let mut shortcut = x;
        match self.shortcuts {
            Shortcuts::Projections => {
                if before.channels != channels || stride != 1 {
                    shortcut = graph.push(name("projection"), conv1x1(channels, stride), &[activated])?;
                }
            }
            Shortcuts::ZeroPadded => {
                if is_first {
                    shortcut = activated;
                }
                if stride != 1 {
                    shortcut = graph.push(name("pool"), mean_of_squares(stride), &[shortcut])?;
                }
                if before.channels != channels {
                    shortcut = graph.push(name("pad"), Op::PadChannels { channels }, &[shortcut])?;
                }
            }
        }
        let y = graph.push(name("conv1"), self.conv3x3(channels, stride), &[activated])?;
        let y = self.activate(graph, y, ["norm2", "relu2"].map(&name))?;
        let y = graph.push(name("conv2"), self.conv3x3(channels, 1), &[y])?;
        if !self.normalised {
            graph.start(y, Role::Weight, Init::Constant(0.0));
        }
        graph.push(name("add"), Op::Add, &[y, shortcut])
    }
}

impl Family for WideResNet {
    const NAMES: &'static str =
        "wrn-D-K, wrn-D-K-projection, wrn-D-K-nobn (D = 10, 16, 22, 28, ... up to 1000, K = 1 to 32)";
    const MEMBERS: &'static [&'static str] = &[
        "wrn-16-1",
        "wrn-16-4",
        "wrn-28-2",
        "wrn-28-10",
        "wrn-40-2",
        "wrn-40-10",
        "wrn-28-10-projection",
        "wrn-40-10-nobn",
    ];

    fn parse(name: &str) -> Option<Self> {
        let (name, nobn) = ending(name, "-nobn");
        let (name, projection) = ending(name, "-projection");
        let [depth, width] = numbers(name, "wrn")?;
        match [nobn, projection] {
            [false, false] => Self::new(depth, width, Shortcuts::ZeroPadded),
            [false, true] => Self::new(depth, width, Shortcuts::Projections),
            [true, false] => Self::new(depth, width, Shortcuts::ZeroPadded).map(Self::without_norms),
            [true, true] => None,
        }
    }

    fn initialization(&self) -> Initialization {
        match self.shortcuts {
            Shortcuts::Projections => Initialization::HeFanIn,
            Shortcuts::ZeroPadded => Initialization::HeFanOut,
        }
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = graph.push("stem", self.conv3x3(16, 1), &[Tensor::INPUT])?;
        for (stage, base) in [16, 32, 64].into_iter().enumerate() {
            for block in 0..(self.depth - 4) / 6 {
                let name = |local| Name::in_block(stage + 1, block, local);
                let shape = (base * self.width, stride(stage, block));
                x = self.block(graph, x, shape, stage == 0 && block == 0, name)?;
            }
        }
        x = self.activate(graph, x, ["norm", "relu"])?;
        graph.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes })])
    }
}

impl fmt::Display for WideResNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrn-{}-{}", self.depth, self.width)?;
        f.write_str(match (self.normalised, self.shortcuts) {
            (false, _) => "-nobn",
            (true, Shortcuts::Projections) => "-projection",
            (true, Shortcuts::ZeroPadded) => "",
        })
    }
}
