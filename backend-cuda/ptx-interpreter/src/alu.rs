//! Arithmetic and logic: for each instruction, a function of whole columns.

mod bits;
mod compare;
mod convert;
mod float;
mod float64;
mod half;
mod integer;

use crate::ast::Type;
use crate::column::Column;
use crate::modifiers::Modifiers;

pub(crate) use bits::{bfi, lop3};
pub use compare::{Compare, comparison};
pub use convert::{Conversion, conversion};
pub use half::sum as half_sum;

/// One source.
pub type Unary = fn(&Column) -> Column;
/// Two sources.
pub type Binary = fn(&Column, &Column) -> Column;
/// Three sources.
pub type Ternary = fn(&Column, &Column, &Column) -> Column;

/// What an instruction computes.
#[derive(Debug, Clone, Copy)]
pub enum Function {
    /// See [`Unary`].
    Unary(Unary),
    /// See [`Binary`].
    Binary(Binary),
    /// See [`Ternary`].
    Ternary(Ternary),
}

/// The function of an instruction named `name`, with the type that its immediate operands have; `None` if no
/// family has it. Takes the modifiers that it understands.
pub fn function(name: &str, modifiers: &mut Modifiers<'_>) -> Option<(Function, Type)> {
    let ty = modifiers.take_type()?;
    let function = match ty {
        Type::F32 => float::function(name, modifiers),
        Type::F64 => float64::function(name, modifiers),
        Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2 => half::function(name, ty, modifiers),
        _ => integer::function(name, ty, modifiers).or_else(|| bits::function(name, ty, modifiers)),
    };
    Some((function?, ty))
}
