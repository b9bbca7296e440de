//! EfficientNet (Tan and Le 2019) and EfficientNet-Lite, as in the SAM authors' code and TensorFlow's.

use super::Family;
use crate::{
    BatchNorm, DescriptionError, Graph, Initialization, Name, Op, Padding, Shape, Tensor,
    blocks::{conv, conv1x1},
};
use core::fmt;

/// A member by its place in the table of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EfficientNet(usize);

/// A row of the table of sizes.
struct Size {
    name: &'static str,
    width: f64,
    depth: f64,
    resolution: usize,
    dropout: f64,
}

const fn size(name: &'static str, width: f64, depth: f64, resolution: usize, dropout: f64) -> Size {
    Size { name, width, depth, resolution, dropout }
}

const SIZES: [Size; 16] = [
    size("efficientnet-b0", 1.0, 1.0, 224, 0.2),
    size("efficientnet-b1", 1.0, 1.1, 240, 0.2),
    size("efficientnet-b2", 1.1, 1.2, 260, 0.3),
    size("efficientnet-b3", 1.2, 1.4, 300, 0.3),
    size("efficientnet-b4", 1.4, 1.8, 380, 0.4),
    size("efficientnet-b5", 1.6, 2.2, 456, 0.4),
    size("efficientnet-b6", 1.8, 2.6, 528, 0.5),
    size("efficientnet-b7", 2.0, 3.1, 600, 0.5),
    size("efficientnet-b8", 2.2, 3.6, 672, 0.5),
    size("efficientnet-l2", 4.3, 5.3, 800, 0.5),
    // The resolution at which the SAM paper fine-tunes it.
    size("efficientnet-l2-475", 4.3, 5.3, 475, 0.5),
    size("efficientnet-lite0", 1.0, 1.0, 224, 0.2),
    size("efficientnet-lite1", 1.0, 1.1, 240, 0.2),
    size("efficientnet-lite2", 1.1, 1.2, 260, 0.3),
    size("efficientnet-lite3", 1.2, 1.4, 280, 0.3),
    size("efficientnet-lite4", 1.4, 1.8, 300, 0.3),
];

const NAMES: [&str; SIZES.len()] = {
    let mut names = [""; SIZES.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = SIZES[i].name;
        i += 1;
    }
    names
};

/// Blocks of one resolution.
#[derive(Clone, Copy)]
struct Stage {
    channels: f64,
    kernel: usize,
    repeats: f64,
    expansion: usize,
    stride: usize,
}

const fn stage(channels: f64, kernel: usize, repeats: f64, expansion: usize, stride: usize) -> Stage {
    Stage { channels, kernel, repeats, expansion, stride }
}

const STAGES: [Stage; 7] = [
    stage(16.0, 3, 1.0, 1, 1),
    stage(24.0, 3, 2.0, 6, 2),
    stage(40.0, 5, 2.0, 6, 2),
    stage(80.0, 3, 3.0, 6, 2),
    stage(112.0, 5, 3.0, 6, 1),
    stage(192.0, 5, 4.0, 6, 2),
    stage(320.0, 3, 1.0, 6, 1),
];
const STEM: f64 = 32.0;
const TOP: f64 = 1280.0;
/// Drop-connect's rate beyond the last block.
const DROP_CONNECT: f64 = 0.2;
const NORM: Op = Op::BatchNorm(BatchNorm::EFFICIENT_NET);

/// Channels of a block.
struct Block {
    inputs: usize,
    channels: usize,
    kernel: usize,
    expansion: usize,
    stride: usize,
    drop: f64,
}

impl EfficientNet {
    fn size(self) -> &'static Size {
        &SIZES[self.0]
    }

    /// Whether it is of the lite form: ReLU6, no squeeze-and-excitation, and neither stem nor top nor the number of blocks of
    /// the first and of the last stage grow.
    fn is_lite(self) -> bool {
        self.size().name.contains("lite")
    }

    fn activation(self) -> Op {
        if self.is_lite() { Op::Relu6 } else { Op::Swish }
    }

    /// Scaled channels: a multiple of 8 within a tenth of what they should be, or more.
    fn channels(self, base: f64) -> usize {
        let wide = base * self.size().width;
        let rounded = f64::max(8.0, libm::floor((wide + 4.0) / 8.0) * 8.0);
        (if rounded < 0.9 * wide { rounded + 8.0 } else { rounded }) as usize
    }

    /// Channels of the stem and of the top.
    fn end(self, base: f64) -> usize {
        if self.is_lite() { base as usize } else { self.channels(base) }
    }

    fn repeats(self, number: usize) -> usize {
        let base = STAGES[number].repeats;
        let fixed = self.is_lite() && (number == 0 || number + 1 == STAGES.len());
        (if fixed { base } else { libm::ceil(self.size().depth * base) }) as usize
    }

    /// Mean over pixels, two dense layers as convolutions, and their sigmoid times each channel.
    fn squeeze_excite(
        self,
        graph: &mut Graph,
        x: Tensor,
        inputs: usize,
        name: &impl Fn(&'static str) -> Name,
    ) -> Result<Tensor, DescriptionError> {
        let conv = |channels| Op::Conv {
            channels,
            kernel: 1,
            stride: 1,
            padding: Padding::Same,
            groups: 1,
            bias: true,
        };
        let channels = graph.shape(x).channels;
        let layers = [
            (name("squeeze"), Op::GlobalAvgPool),
            (name("squeeze_conv"), conv((inputs / 4).max(1))),
            (name("squeeze_activation"), self.activation()),
            (name("excite_conv"), conv(channels)),
            (name("excite"), Op::Sigmoid),
        ];
        let factors = graph.chain(x, layers)?;
        graph.push(name("scale"), Op::Scale, &[x, factors])
    }

    fn block(
        self,
        graph: &mut Graph,
        x: Tensor,
        block: &Block,
        name: impl Fn(&'static str) -> Name,
    ) -> Result<Tensor, DescriptionError> {
        let &Block { inputs, channels, kernel, expansion, stride, drop } = block;
        let (wide, activation) = (inputs * expansion, self.activation());
        let mut y = x;
        if expansion != 1 {
            let layers = [
                (name("expand"), conv1x1(wide, 1)),
                (name("expand_norm"), NORM),
                (name("expand_activation"), activation),
            ];
            y = graph.chain(y, layers)?;
        }
        let depthwise =
            Op::Conv { channels: wide, kernel, stride, padding: Padding::Same, groups: wide, bias: false };
        let layers = [
            (name("depthwise"), depthwise),
            (name("depthwise_norm"), NORM),
            (name("depthwise_activation"), activation),
        ];
        y = graph.chain(y, layers)?;
        if !self.is_lite() {
            y = self.squeeze_excite(graph, y, inputs, &name)?;
        }
        y = graph.chain(y, [(name("project"), conv1x1(channels, 1)), (name("project_norm"), NORM)])?;
        if stride != 1 || inputs != channels {
            return Ok(y);
        }
        if drop > 0.0 {
            y = graph.push(name("drop_connect"), Op::DropConnect { rate: drop }, &[y])?;
        }
        graph.push(name("add"), Op::Add, &[y, x])
    }
}

impl Family for EfficientNet {
    const NAMES: &'static str = "efficientnet-b0 to efficientnet-b8, efficientnet-l2, efficientnet-l2-475, efficientnet-lite0 to efficientnet-lite4";
    const MEMBERS: &'static [&'static str] = &NAMES;

    fn parse(name: &str) -> Option<Self> {
        NAMES.iter().position(|own| *own == name).map(Self)
    }

    fn initialization(&self) -> Initialization {
        Initialization::TruncatedFanOut
    }

    fn input(&self) -> (Shape, usize) {
        let resolution = self.size().resolution;
        (Shape::new(resolution, resolution, 3), 1000)
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let activation = self.activation();
        let stem = conv(self.end(STEM), 3, 2);
        let mut x = graph
            .chain(Tensor::INPUT, [("stem", stem), ("stem_norm", NORM), ("stem_activation", activation)])?;
        let blocks: usize = (0..STAGES.len()).map(|number| self.repeats(number)).sum();
        let mut before = 0;
        for (number, stage) in STAGES.into_iter().enumerate() {
            for block in 0..self.repeats(number) {
                let name = |local| Name::in_block(number + 1, block, local);
                let own = Block {
                    inputs: graph.shape(x).channels,
                    channels: self.channels(stage.channels),
                    kernel: stage.kernel,
                    expansion: stage.expansion,
                    stride: if block == 0 { stage.stride } else { 1 },
                    drop: DROP_CONNECT * before as f64 / blocks as f64,
                };
                x = self.block(graph, x, &own, name)?;
                before += 1;
            }
        }
        graph.chain(
            x,
            [
                ("top", conv1x1(self.end(TOP), 1)),
                ("top_norm", NORM),
                ("top_activation", activation),
                ("pool", Op::GlobalAvgPool),
                ("dropout", Op::Dropout { rate: self.size().dropout }),
                ("head", Op::Classify { classes }),
            ],
        )
    }
}

impl fmt::Display for EfficientNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.size().name)
    }
}
