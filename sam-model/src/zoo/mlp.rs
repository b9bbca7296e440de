//! Multi-layer perceptrons.

use super::Family;
use crate::{DescriptionError, Graph, Initialization, Name, Op, Tensor};
use core::fmt;

/// Dense layers with ReLU between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mlp {
    sizes: [u32; Self::MOST],
    count: usize,
}

impl Mlp {
    /// Most hidden layers.
    pub const MOST: usize = 8;

    /// With hidden layers of these sizes, first to last; `None` unless there are one to eight, each from 1 to 65,536.
    #[must_use]
    pub fn new(hidden: &[usize]) -> Option<Self> {
        if !(1..=Self::MOST).contains(&hidden.len()) {
            return None;
        }
        let mut sizes = [0; Self::MOST];
        for (to, &from) in sizes.iter_mut().zip(hidden) {
            *to = u32::try_from(from).ok().filter(|size| (1..=65_536).contains(size))?;
        }
        Some(Self { sizes, count: hidden.len() })
    }

    fn hidden(&self) -> impl Iterator<Item = usize> + '_ {
        self.sizes[..self.count].iter().map(|&n| n as usize)
    }
}

impl Family for Mlp {
    const NAMES: &'static str = "mlp, mlp-H1-H2 (one to eight hidden sizes up to 65536)";
    const MEMBERS: &'static [&'static str] = &["mlp"];

    fn parse(name: &str) -> Option<Self> {
        let sizes = name.strip_prefix("mlp")?;
        if sizes.is_empty() {
            return Self::new(&[256, 128]);
        }
        let mut hidden = [0; Self::MOST];
        let mut count = 0;
        for size in sizes.strip_prefix('-')?.split('-') {
            *hidden.get_mut(count)? = size.parse().ok()?;
            count += 1;
        }
        Self::new(&hidden[..count])
    }

    fn initialization(&self) -> Initialization {
        Initialization::HeFanIn
    }

    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError> {
        let mut x = Tensor::INPUT;
        if graph.shape(x).pixels() != 1 {
            x = graph.push("flatten", Op::Flatten, &[x])?;
        }
        for (i, outputs) in self.hidden().enumerate() {
            let layers = [("dense", Op::Dense { outputs }), ("relu", Op::Relu)];
            x = graph.chain(x, layers.map(|(local, op)| (Name::numbered(local, i + 1), op)))?;
        }
        graph.push("head", Op::Classify { classes }, &[x])
    }
}

impl fmt::Display for Mlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mlp")?;
        if self.hidden().eq([256, 128]) {
            return Ok(());
        }
        self.hidden().try_for_each(|n| write!(f, "-{n}"))
    }
}
