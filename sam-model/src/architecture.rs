use crate::{Graph, Name, Op, Shape, Tensor};
use core::{fmt, str::FromStr};

/// A family of networks and its size.
///
/// | text | network |
/// |---|---|
/// | `mlp`, `mlp-128-64` | dense layers with ReLU; hidden sizes 256 and 128, or those given (1 to 8 of them) |
/// | `lenet` | conv 32, max-pool, conv 64, max-pool (3x3 filters), dense 128: a LeNet (LeCun et al. 1998) of today |
/// | `resnet-D` | He et al. 2016, section 4.2: 6n+2 layers of 16, 32, 64 channels, 1x1 projections where the shape changes |
/// | `wrn-D-K` | Zagoruyko and Komodakis 2016: pre-activation WideResNet of 6n+4 layers, K times as wide |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// Dense layers with ReLU between.
    Mlp {
        /// Sizes of the hidden layers, first to last.
        hidden: HiddenSizes,
    },
    /// Two convolutions with max-pooling, two dense layers.
    LeNet,
    /// Post-activation residual network for small images.
    ResNet {
        /// Weight layers: 6n + 2.
        depth: usize,
    },
    /// Pre-activation wide residual network.
    WideResNet {
        /// Weight layers: 6n + 4.
        depth: usize,
        /// Widening factor k.
        width: usize,
    },
}

/// Sizes of an MLP's hidden layers: one to eight, each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HiddenSizes {
    sizes: [u32; Self::MOST],
    count: usize,
}

impl HiddenSizes {
    /// Most hidden layers.
    pub const MOST: usize = 8;

    /// The given sizes; `None` unless there are one to eight, each from 1 to 65,536.
    #[must_use]
    pub fn new(hidden: &[usize]) -> Option<Self> {
        let mut sizes = [0; Self::MOST];
        let valid =
            (1..=Self::MOST).contains(&hidden.len()) && hidden.iter().all(|n| (1..=65_536).contains(n));
        for (to, &from) in sizes.iter_mut().zip(hidden) {
            *to = u32::try_from(from).ok()?;
        }
        valid.then_some(Self { sizes, count: hidden.len() })
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.sizes.iter().take(self.count).map(|&n| n as usize)
    }
}

impl Architecture {
    /// Describes the network for images of shape `image` and returns its logits, a vector of `classes` values.
    ///
    /// # Errors
    /// The graph's, when the image is too small for the network.
    pub fn describe<G: Graph>(
        &self,
        image: Shape,
        classes: usize,
        graph: &mut G,
    ) -> Result<Tensor, G::Error> {
        match *self {
            Self::Mlp { hidden } => mlp(image, hidden, classes, graph),
            Self::LeNet => lenet(classes, graph),
            Self::ResNet { depth } => resnet(depth.saturating_sub(2) / 6, classes, graph),
            Self::WideResNet { depth, width } => {
                wide_resnet(depth.saturating_sub(4) / 6, width, classes, graph)
            }
        }
    }
}

fn mlp<G: Graph>(image: Shape, hidden: HiddenSizes, classes: usize, g: &mut G) -> Result<Tensor, G::Error> {
    let mut x = Tensor::INPUT;
    if image.pixels() != 1 {
        x = g.push(Name::new("flatten"), Op::Flatten, &[x])?;
    }
    for (i, outputs) in hidden.iter().enumerate() {
        x = g.push(Name::numbered("dense", i + 1), Op::Dense { outputs }, &[x])?;
        x = g.push(Name::numbered("relu", i + 1), Op::Relu, &[x])?;
    }
    g.push(Name::new("head"), Op::Classify { classes }, &[x])
}

fn lenet<G: Graph>(classes: usize, g: &mut G) -> Result<Tensor, G::Error> {
    let mut x = Tensor::INPUT;
    for (i, channels) in [32, 64].into_iter().enumerate() {
        let conv = Op::Conv { channels, kernel: 3, stride: 1, padding: 1, bias: true };
        x = g.push(Name::numbered("conv", i + 1), conv, &[x])?;
        x = g.push(Name::numbered("relu", i + 1), Op::Relu, &[x])?;
        x = g.push(Name::numbered("pool", i + 1), Op::MaxPool { size: 2, stride: 2 }, &[x])?;
    }
    x = g.push(Name::new("flatten"), Op::Flatten, &[x])?;
    x = g.push(Name::new("dense"), Op::Dense { outputs: 128 }, &[x])?;
    x = g.push(Name::new("relu3"), Op::Relu, &[x])?;
    g.push(Name::new("head"), Op::Classify { classes }, &[x])
}

const fn conv3x3(channels: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel: 3, stride, padding: 1, bias: false }
}

const fn projection(channels: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel: 1, stride, padding: 0, bias: false }
}

fn resnet<G: Graph>(blocks: usize, classes: usize, g: &mut G) -> Result<Tensor, G::Error> {
    let mut x = g.push(Name::new("stem"), conv3x3(16, 1), &[Tensor::INPUT])?;
    x = g.push(Name::new("stem_norm"), Op::BatchNorm, &[x])?;
    x = g.push(Name::new("stem_relu"), Op::Relu, &[x])?;
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..blocks {
            let name = |local| Name::in_block(stage + 1, block, local);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let mut shortcut = x;
            if stride != 1 {
                shortcut = g.push(name("projection"), projection(channels, stride), &[x])?;
                shortcut = g.push(name("projection_norm"), Op::BatchNorm, &[shortcut])?;
            }
            let mut y = g.push(name("conv1"), conv3x3(channels, stride), &[x])?;
            y = g.push(name("norm1"), Op::BatchNorm, &[y])?;
            y = g.push(name("relu1"), Op::Relu, &[y])?;
            y = g.push(name("conv2"), conv3x3(channels, 1), &[y])?;
            y = g.push(name("norm2"), Op::BatchNorm, &[y])?;
            x = g.push(name("add"), Op::Add, &[y, shortcut])?;
            x = g.push(name("relu2"), Op::Relu, &[x])?;
        }
    }
    x = g.push(Name::new("pool"), Op::GlobalAvgPool, &[x])?;
    g.push(Name::new("head"), Op::Classify { classes }, &[x])
}

fn wide_resnet<G: Graph>(blocks: usize, width: usize, classes: usize, g: &mut G) -> Result<Tensor, G::Error> {
    let mut x = g.push(Name::new("stem"), conv3x3(16, 1), &[Tensor::INPUT])?;
    let mut before = 16;
    for (stage, base) in [16, 32, 64].into_iter().enumerate() {
        let channels = base * width;
        for block in 0..blocks {
            let name = |local| Name::in_block(stage + 1, block, local);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let mut y = g.push(name("norm1"), Op::BatchNorm, &[x])?;
            y = g.push(name("relu1"), Op::Relu, &[y])?;
            if before != channels || stride != 1 {
                x = g.push(name("projection"), projection(channels, stride), &[y])?;
            }
            y = g.push(name("conv1"), conv3x3(channels, stride), &[y])?;
            y = g.push(name("norm2"), Op::BatchNorm, &[y])?;
            y = g.push(name("relu2"), Op::Relu, &[y])?;
            y = g.push(name("conv2"), conv3x3(channels, 1), &[y])?;
            x = g.push(name("add"), Op::Add, &[y, x])?;
            before = channels;
        }
    }
    x = g.push(Name::new("norm"), Op::BatchNorm, &[x])?;
    x = g.push(Name::new("relu"), Op::Relu, &[x])?;
    x = g.push(Name::new("pool"), Op::GlobalAvgPool, &[x])?;
    g.push(Name::new("head"), Op::Classify { classes }, &[x])
}

/// A text names no architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseArchitectureError;

impl fmt::Display for ParseArchitectureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected mlp, mlp-H1-H2 (one to eight hidden sizes up to 65536), lenet, resnet-D (D = 8, 14, 20, 26, \
             32, ... up to 1202) or wrn-D-K (D = 10, 16, 22, 28, ... up to 1000, K = 1 to 32)",
        )
    }
}

impl core::error::Error for ParseArchitectureError {}

impl FromStr for Architecture {
    type Err = ParseArchitectureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| digits.parse::<usize>().map_err(|_| ParseArchitectureError);
        let mut parts = text.split('-');
        let family = parts.next().unwrap_or("");
        let mut sizes = [0; HiddenSizes::MOST];
        let mut count = 0;
        for part in parts {
            *sizes.get_mut(count).ok_or(ParseArchitectureError)? = number(part)?;
            count += 1;
        }
        let sizes = sizes.get(..count).unwrap_or(&[]);
        match (family, sizes) {
            ("mlp", []) => HiddenSizes::new(&[256, 128]).map(|hidden| Self::Mlp { hidden }),
            ("mlp", sizes) => HiddenSizes::new(sizes).map(|hidden| Self::Mlp { hidden }),
            ("lenet", []) => Some(Self::LeNet),
            ("resnet", &[depth @ 8..=1202]) if depth % 6 == 2 => Some(Self::ResNet { depth }),
            ("wrn", &[depth @ 10..=1000, width @ 1..=32]) if depth % 6 == 4 => {
                Some(Self::WideResNet { depth, width })
            }
            _ => None,
        }
        .ok_or(ParseArchitectureError)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mlp { hidden } if hidden.iter().eq([256, 128]) => f.write_str("mlp"),
            Self::Mlp { hidden } => {
                f.write_str("mlp")?;
                hidden.iter().try_for_each(|n| write!(f, "-{n}"))
            }
            Self::LeNet => f.write_str("lenet"),
            Self::ResNet { depth } => write!(f, "resnet-{depth}"),
            Self::WideResNet { depth, width } => write!(f, "wrn-{depth}-{width}"),
        }
    }
}
