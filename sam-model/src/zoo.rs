//! Families of networks, one a file; [`Architecture`](crate::Architecture) is their table.

mod lenet;
mod mlp;
mod resnet;
mod wide_resnet;

pub use lenet::LeNet;
pub use mlp::Mlp;
pub use resnet::ResNet;
pub use wide_resnet::WideResNet;

use crate::{DescriptionError, Graph, Tensor};
use core::fmt::Display;

/// What the table of architectures wants of a family; a member displays as the name that it is parsed from.
pub trait Family: Sized + Display {
    /// The names it answers to, for error texts.
    const NAMES: &'static str;

    /// The member of that name.
    fn parse(name: &str) -> Option<Self>;

    /// Pushes the member's operations and returns its logits.
    fn describe(&self, classes: usize, graph: &mut Graph) -> Result<Tensor, DescriptionError>;
}

/// The numbers of a name that is made of the family's, a dash, and N numbers with dashes between.
fn numbers<const N: usize>(name: &str, family: &str) -> Option<[usize; N]> {
    let mut parts = name.strip_prefix(family)?.strip_prefix('-')?.split('-');
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}
