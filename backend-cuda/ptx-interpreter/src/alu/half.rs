//! Half precision and bfloat16, one or two in a register, each operation rounded exactly once.

use super::Function::{self, Binary, Ternary, Unary};
use super::{Ternary as TernaryFunction, float};
use crate::ast::Type;
use crate::column::{Lane, columns};
use crate::exact::{self, BF16, F16, F32, Format, Number, Rounding};
use crate::modifiers::Modifiers;

/// One half-precision number, by its value.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Half(f32);

/// One bfloat16, by its value.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Bfloat(f32);

/// A format of 16 bits.
pub(super) trait Short: Copy {
    const FORMAT: Format;

    fn number(bits: u16) -> Number {
        exact::decode(bits.into(), Self::FORMAT)
    }

    fn bits(number: Number) -> u16 {
        exact::encode(number, Self::FORMAT, Rounding::Nearest) as u16
    }

    fn value(bits: u16) -> f32 {
        f32::from_bits(exact::encode(Self::number(bits), F32, Rounding::Nearest) as u32)
    }

    /// Rounds a function's value.
    fn of(value: f64) -> u16 {
        Self::bits(exact::decode(value.to_bits(), exact::F64))
    }
}

macro_rules! short {
    ($($name:ident, $format:ident);*) => { $(
        impl Short for $name {
            const FORMAT: Format = $format;
        }
        impl Lane for $name {
            fn get(bits: u64) -> Self {
                Self(Self::value(bits as u16))
            }
            fn put(self) -> u64 {
                u64::from(Self::of(f64::from(self.0)))
            }
        }
    )* };
}

short!(Half, F16; Bfloat, BF16);

pub(super) fn function(name: &str, ty: Type, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    modifiers.take("rn");
    match ty {
        Type::F16 => scalar::<Half>(name, modifiers, false),
        Type::Bf16 => scalar::<Bfloat>(name, modifiers, false),
        Type::F16x2 => scalar::<Half>(name, modifiers, true),
        _ => scalar::<Bfloat>(name, modifiers, true),
    }
}

/// The same function of one number or of both halves of a register.
macro_rules! halves {
    ($pair:ident, $kind:ident, |$($a:ident),*| $body:expr) => {
        $kind(if $pair {
            columns!(|$($a: u32),*| {
                let low = { $(let $a = $a as u16;)* $body };
                let high = { $(let $a = ($a >> 16) as u16;)* $body };
                u32::from(high) << 16 | u32::from(low)
            })
        } else {
            columns!(|$($a: u16),*| $body)
        })
    };
}

fn scalar<S: Short>(name: &str, modifiers: &mut Modifiers<'_>, pair: bool) -> Option<Function> {
    Some(match name {
        "neg" => halves!(pair, Unary, |a| a ^ 0x8000),
        "abs" => halves!(pair, Unary, |a| a & 0x7fff),
        "ex2" if modifiers.take("approx") => halves!(pair, Unary, |a| S::of(f64::from(S::value(a)).exp2())),
        "tanh" if modifiers.take("approx") => halves!(pair, Unary, |a| S::of(f64::from(S::value(a)).tanh())),
        "add" => halves!(pair, Binary, |a, b| total::<S>(S::number(a), S::number(b))),
        "sub" => halves!(pair, Binary, |a, b| total::<S>(S::number(a), exact::negate(S::number(b)))),
        "mul" => halves!(pair, Binary, |a, b| S::bits(exact::multiply(S::number(a), S::number(b)))),
        "fma" if modifiers.take("relu") => halves!(pair, Ternary, |a, b, c| relu(fused::<S>(a, b, c))),
        "fma" => halves!(pair, Ternary, |a, b, c| fused::<S>(a, b, c)),
        "min" => halves!(pair, Binary, |a, b| S::of(float::smaller(S::value(a), S::value(b)).into())),
        "max" => halves!(pair, Binary, |a, b| S::of((-float::smaller(-S::value(a), -S::value(b))).into())),
        _ => return None,
    })
}

fn total<S: Short>(a: Number, b: Number) -> u16 {
    S::bits(exact::add(a, b, Rounding::Nearest))
}

fn fused<S: Short>(a: u16, b: u16, c: u16) -> u16 {
    total::<S>(exact::multiply(S::number(a), S::number(b)), S::number(c))
}

/// Negative numbers to zero; what is not a number stays.
fn relu(bits: u16) -> u16 {
    if bits & 0x8000 != 0 { 0 } else { bits }
}

/// The sum of the first two of three columns: what an atomic addition does.
pub fn sum(ty: Type) -> TernaryFunction {
    match ty {
        Type::F16 => columns!(|a: u16, b: u16, _c: u16| total::<Half>(Half::number(a), Half::number(b))),
        Type::Bf16 => {
            columns!(|a: u16, b: u16, _c: u16| total::<Bfloat>(Bfloat::number(a), Bfloat::number(b)))
        }
        Type::F16x2 => columns!(|a: u32, b: u32, _c: u32| both::<Half>(a, b)),
        _ => columns!(|a: u32, b: u32, _c: u32| both::<Bfloat>(a, b)),
    }
}

fn both<S: Short>(a: u32, b: u32) -> u32 {
    let half =
        |shift: u32| u32::from(total::<S>(S::number((a >> shift) as u16), S::number((b >> shift) as u16)));
    half(16) << 16 | half(0)
}
