//! Families of networks, one a file; [`Architecture`](crate::Architecture) is their table.

mod efficientnet;
mod imagenet_resnet;
mod lenet;
mod mlp;
mod pyramidnet;
mod resnet;
mod shake_shake;
mod wide_resnet;

pub use efficientnet::EfficientNet;
pub use imagenet_resnet::ImageNetResNet;
pub use lenet::LeNet;
pub use mlp::Mlp;
pub use pyramidnet::{Blocks, PyramidNet, Widths};
pub use resnet::ResNet;
pub use shake_shake::ShakeShake;
pub use wide_resnet::{Shortcuts, WideResNet};

use crate::{DescriptionError, Graph, Initialization, Shape, Tensor};
use core::fmt::Display;

/// What the table of architectures wants of a family; a member displays as the name that it is parsed from.
pub trait Family: Sized + Display {
    /// The names it answers to, for error texts.
    const NAMES: &'static str;

    /// Names of the members that are trained in papers, or that are usual.
    const MEMBERS: &'static [&'static str];

    /// The member of that name.
    fn parse(name: &str) -> Option<Self>;

    /// Pushes the member's operations and returns its logits.
    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError>;

    /// How its weights start where nothing is said.
    fn initialization(&self) -> Initialization {
        Initialization::HeFanOut
    }

    /// The images that it was made for, and how many classes these have.
    fn input(&self) -> (Shape, usize) {
        (Shape::new(32, 32, 3), 10)
    }
}

/// The numbers of a name that is made of the family's, a dash, and N numbers with dashes between.
fn numbers<const N: usize>(name: &str, family: &str) -> Option<[usize; N]> {
    let mut parts = name.strip_prefix(family)?.strip_prefix('-')?.split('-');
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = whole(parts.next()?)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A number as it displays: without a sign and without zeros before it.
fn whole(text: &str) -> Option<usize> {
    let number = text.parse().ok()?;
    (text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0')))
        .then_some(number)
}

/// A name without its ending, and whether it had it.
fn ending<'a>(name: &'a str, ending: &str) -> (&'a str, bool) {
    name.strip_suffix(ending).map_or((name, false), |name| (name, true))
}
