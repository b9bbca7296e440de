//! Pyramidal residual networks (Han, Kim and Kim 2017), with ShakeDrop (Yamada et al. 2018) or without.

use super::{Family, ending, whole};
use crate::{
    DescriptionError, Graph, Name, Op, Tensor,
    blocks::{FLAX_NORM, conv, conv1x1, mean_of_squares, stride},
};
use core::fmt;

/// Three stages of residual blocks, each block a little wider than the one before: block l of N has a width of
/// `16 + alpha l / N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PyramidNet {
    depth: usize,
    alpha: usize,
    blocks: Blocks,
    widths: Widths,
    shake_drop: bool,
}

/// What a block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocks {
    /// Two convolutions of 3x3: the depth is 6n + 2.
    Basic,
    /// 1x1, 3x3 and 1x1 to four times the width: the depth is 9n + 2.
    Bottleneck,
}

/// How widths become whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Widths {
    /// To the nearest, halves to the even one: the SAM authors' code.
    Rounded,
    /// Down: Han et al.
    Truncated,
}

impl PyramidNet {
    /// What is left of the last block by ShakeDrop.
    const LAST_KEPT: f64 = 0.5;

    /// Of that many weight layers and that much wider at the end than the 16 channels of the start, without ShakeDrop; `None`
    /// unless the depth suits the blocks and is 8 to 1100, and alpha is 1 to 1024.
    #[must_use]
    pub fn new(depth: usize, alpha: usize, blocks: Blocks, widths: Widths) -> Option<Self> {
        let suits = (8..=1100).contains(&depth) && depth % (3 * blocks.convolutions()) == 2;
        let own = Self { depth, alpha, blocks, widths, shake_drop: false };
        (suits && (1..=1024).contains(&alpha)).then_some(own)
    }

    /// With ShakeDrop: of N blocks the l-th is kept with probability `1 - l / 2N`.
    #[must_use]
    pub fn with_shake_drop(self) -> Self {
        Self { shake_drop: true, ..self }
    }

    /// What a name means that says only a depth: the bottlenecks and rounded widths of the SAM authors where the depth allows,
    /// but of 110 layers the basic blocks and truncated widths of Han et al.
    const fn usual(depth: usize) -> (Blocks, Widths) {
        if depth % 9 == 2 && depth != 110 {
            (Blocks::Bottleneck, Widths::Rounded)
        } else {
            (Blocks::Basic, Widths::Truncated)
        }
    }

    fn blocks_in_all(&self) -> usize {
        (self.depth - 2) / self.blocks.convolutions()
    }

    /// Of block `number`, counted from 1. The sum is one of many equal terms, as in the authors' code.
    fn width(&self, number: usize) -> usize {
        let step = self.alpha as f64 / self.blocks_in_all() as f64;
        let width = (0..number).fold(16.0, |width, _| width + step);
        match self.widths {
            Widths::Rounded => libm::rint(width) as usize,
            Widths::Truncated => width as usize,
        }
    }

    fn block(
        &self,
        graph: &mut Graph,
        x: Tensor,
        (number, stride): (usize, usize),
        name: impl Fn(&'static str) -> Name,
    ) -> Result<Tensor, DescriptionError> {
        let width = self.width(number);
        let layers = match self.blocks {
            Blocks::Basic => &[
                ("norm1", FLAX_NORM),
                ("conv1", conv(width, 3, stride)),
                ("norm2", FLAX_NORM),
                ("relu1", Op::Relu),
                ("conv2", conv(width, 3, 1)),
                ("norm3", FLAX_NORM),
            ][..],
            Blocks::Bottleneck => &[
                ("norm1", FLAX_NORM),
                ("conv1", conv1x1(width, 1)),
                ("norm2", FLAX_NORM),
                ("relu1", Op::Relu),
                ("conv2", conv(width, 3, stride)),
                ("norm3", FLAX_NORM),
                ("relu2", Op::Relu),
                ("conv3", conv1x1(4 * width, 1)),
                ("norm4", FLAX_NORM),
            ],
        };
        let mut y = graph.chain(x, layers.iter().map(|&(local, op)| (name(local), op)))?;
        if self.shake_drop {
            let share = number as f64 / self.blocks_in_all() as f64;
            let keep = 1.0 - share * (1.0 - Self::LAST_KEPT);
            y = graph.push(name("shake_drop"), Op::ShakeDrop { keep }, &[y])?;
        }
        let mut shortcut = x;
        if stride != 1 {
            shortcut = graph.push(name("pool"), mean_of_squares(stride), &[shortcut])?;
        }
        let channels = graph.shape(y).channels;
        if graph.shape(shortcut).channels != channels {
            shortcut = graph.push(name("pad"), Op::PadChannels { channels }, &[shortcut])?;
        }
        graph.push(name("add"), Op::Add, &[y, shortcut])
    }
}

impl Blocks {
    const fn convolutions(self) -> usize {
        match self {
            Self::Basic => 2,
            Self::Bottleneck => 3,
        }
    }
}

impl Family for PyramidNet {
    const NAMES: &'static str = "pyramidnet-D, pyramidnet-D-A (D = 9n + 2 with bottlenecks or 6n + 2 with basic blocks, up to \
                                 1100; A = 1 to 1024, 200 where it is left out; behind it -basic or -bottleneck, -rounded \
                                 or -truncated, and -shakedrop)";
    const MEMBERS: &'static [&'static str] = &[
        "pyramidnet-11-200",
        "pyramidnet-110-270",
        "pyramidnet-110-200-bottleneck-rounded",
        "pyramidnet-272-200",
        "pyramidnet-272-200-shakedrop",
        "pyramidnet-272-200-truncated",
    ];

    fn parse(name: &str) -> Option<Self> {
        let (name, shake_drop) = ending(name, "-shakedrop");
        let (name, rounded) = ending(name, "-rounded");
        let (name, truncated) = ending(name, "-truncated");
        let (name, basic) = ending(name, "-basic");
        let (name, bottleneck) = ending(name, "-bottleneck");
        let mut parts = name.strip_prefix("pyramidnet-")?.split('-');
        let depth = whole(parts.next()?)?;
        let alpha = parts.next().map_or(Some(200), whole)?;
        let (mut blocks, mut widths) = Self::usual(depth);
        match [basic, bottleneck] {
            [true, true] => return None,
            [true, false] => blocks = Blocks::Basic,
            [false, true] => blocks = Blocks::Bottleneck,
            [false, false] => {}
        }
        match [rounded, truncated] {
            [true, true] => return None,
            [true, false] => widths = Widths::Rounded,
            [false, true] => widths = Widths::Truncated,
            [false, false] => {}
        }
        let own = Self::new(depth, alpha, blocks, widths).filter(|_| parts.next().is_none())?;
        Some(if shake_drop { own.with_shake_drop() } else { own })
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = graph.chain(Tensor::INPUT, [("stem", conv(16, 3, 1)), ("stem_norm", FLAX_NORM)])?;
        let blocks = self.blocks_in_all() / 3;
        for (stage, block) in (0..3).flat_map(|stage| (0..blocks).map(move |block| (stage, block))) {
            let number = stage * blocks + block + 1;
            let name = |local| Name::in_block(stage + 1, block, local);
            x = self.block(graph, x, (number, stride(stage, block)), name)?;
        }
        graph.chain(
            x,
            [
                ("norm", FLAX_NORM),
                ("relu", Op::Relu),
                ("pool", Op::GlobalAvgPool),
                ("head", Op::Classify { classes }),
            ],
        )
    }
}

impl fmt::Display for PyramidNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { depth, alpha, blocks, widths, shake_drop } = *self;
        write!(f, "pyramidnet-{depth}-{alpha}")?;
        let usual = Self::usual(depth);
        if blocks != usual.0 {
            f.write_str(match blocks {
                Blocks::Basic => "-basic",
                Blocks::Bottleneck => "-bottleneck",
            })?;
        }
        if widths != usual.1 {
            f.write_str(match widths {
                Widths::Rounded => "-rounded",
                Widths::Truncated => "-truncated",
            })?;
        }
        f.write_str(if shake_drop { "-shakedrop" } else { "" })
    }
}
