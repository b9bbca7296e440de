//! A LeNet (LeCun et al. 1998) of today.

use super::Family;
use crate::{DescriptionError, Graph, Initialization, Name, Op, Padding, Tensor};
use core::fmt;

/// Two convolutions of 3x3 with 32 and 64 channels, each with ReLU and max-pooling, and two dense layers, 128 wide between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeNet;

impl Family for LeNet {
    const NAMES: &'static str = "lenet";
    const MEMBERS: &'static [&'static str] = &["lenet"];

    fn parse(name: &str) -> Option<Self> {
        (name == "lenet").then_some(Self)
    }

    fn initialization(&self) -> Initialization {
        Initialization::HeFanIn
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = Tensor::INPUT;
        for (number, channels) in [(1, 32), (2, 64)] {
            let padding = Padding::Explicit(1);
            let conv = Op::Conv { channels, kernel: 3, stride: 1, padding, groups: 1, bias: true };
            let pool = Op::MaxPool { size: 2, stride: 2, padding: Padding::Explicit(0) };
            let layers = [("conv", conv), ("relu", Op::Relu), ("pool", pool)];
            x = graph.chain(x, layers.map(|(local, op)| (Name::numbered(local, number), op)))?;
        }
        graph.chain(
            x,
            [
                ("flatten", Op::Flatten),
                ("dense", Op::Dense { outputs: 128 }),
                ("relu3", Op::Relu),
                ("head", Op::Classify { classes }),
            ],
        )
    }
}

impl fmt::Display for LeNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lenet")
    }
}
