//! Comparisons: sets of lanes from two columns.

use super::float::flush;
use super::half::{Bfloat, Half};
use crate::ast::Type;
use crate::column::{Column, Lane, Lanes, WARP};
use crate::modifiers::Modifiers;

/// The lanes where a comparison holds.
pub type Compare = fn(&Column, &Column) -> Lanes;

/// The comparison that `setp` or `set` names, of operands of type `ty`.
pub fn comparison(ty: Type, modifiers: &mut Modifiers<'_>) -> Option<Compare> {
    match ty {
        Type::B16 | Type::U16 => ordered::<u16>(modifiers),
        Type::B32 | Type::U32 => ordered::<u32>(modifiers),
        Type::B64 | Type::U64 => ordered::<u64>(modifiers),
        Type::S16 => ordered::<i16>(modifiers),
        Type::S32 => ordered::<i32>(modifiers),
        Type::S64 => ordered::<i64>(modifiers),
        Type::F32 if modifiers.take("ftz") => ordered::<Flushed>(modifiers),
        Type::F32 => ordered::<f32>(modifiers),
        Type::F64 => ordered::<f64>(modifiers),
        Type::F16 => ordered::<Half>(modifiers),
        Type::Bf16 => ordered::<Bfloat>(modifiers),
        _ => None,
    }
}

/// A single whose subnormals compare as zero.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Flushed(f32);

impl Lane for Flushed {
    fn get(bits: u64) -> Self {
        Self(flush(f32::get(bits)))
    }
    fn put(self) -> u64 {
        self.0.put()
    }
}

fn ordered<T: Lane + PartialOrd>(modifiers: &mut Modifiers<'_>) -> Option<Compare> {
    let names: [(&str, Compare); 18] = [
        ("eq", |a, b| set::<T>(a, b, |a, b| a == b)),
        ("ne", |a, b| set::<T>(a, b, |a, b| differ(a, b))),
        ("lt", |a, b| set::<T>(a, b, |a, b| a < b)),
        ("le", |a, b| set::<T>(a, b, |a, b| a <= b)),
        ("gt", |a, b| set::<T>(a, b, |a, b| a > b)),
        ("ge", |a, b| set::<T>(a, b, |a, b| a >= b)),
        ("lo", |a, b| set::<T>(a, b, |a, b| a < b)),
        ("ls", |a, b| set::<T>(a, b, |a, b| a <= b)),
        ("hi", |a, b| set::<T>(a, b, |a, b| a > b)),
        ("hs", |a, b| set::<T>(a, b, |a, b| a >= b)),
        // With `u`, a comparison also holds where an operand is not a number.
        ("equ", |a, b| !set::<T>(a, b, |a, b| differ(a, b))),
        ("neu", |a, b| !set::<T>(a, b, |a, b| a == b)),
        ("ltu", |a, b| !set::<T>(a, b, |a, b| a >= b)),
        ("leu", |a, b| !set::<T>(a, b, |a, b| a > b)),
        ("gtu", |a, b| !set::<T>(a, b, |a, b| a <= b)),
        ("geu", |a, b| !set::<T>(a, b, |a, b| a < b)),
        ("num", |a, b| set::<T>(a, b, |a, b| a.partial_cmp(&b).is_some())),
        ("nan", |a, b| set::<T>(a, b, |a, b| a.partial_cmp(&b).is_none())),
    ];
    modifiers.take_any(&names)
}

#[inline(always)]
fn set<T: Lane>(a: &Column, b: &Column, holds: impl Fn(T, T) -> bool) -> Lanes {
    (0..WARP).fold(0, |out, lane| out | u32::from(holds(T::get(a[lane]), T::get(b[lane]))) << lane)
}

/// Both are numbers, and not the same one.
#[inline(always)]
fn differ<T: PartialOrd>(a: T, b: T) -> bool {
    a.partial_cmp(&b).is_some_and(core::cmp::Ordering::is_ne)
}
