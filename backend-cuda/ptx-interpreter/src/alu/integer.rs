//! Integers of 16, 32 and 64 bits.

use super::Function::{self, Binary, Ternary, Unary};
use crate::ast::Type;
use crate::column::columns;
use crate::modifiers::Modifiers;

pub(super) fn function(name: &str, ty: Type, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    match ty {
        Type::U16 | Type::B16 => common::<u16>(name, modifiers).or_else(|| unsigned16(name, modifiers)),
        Type::S16 => common::<i16>(name, modifiers).or_else(|| signed16(name, modifiers)),
        Type::U32 | Type::B32 => common::<u32>(name, modifiers).or_else(|| unsigned32(name, modifiers)),
        Type::S32 => common::<i32>(name, modifiers).or_else(|| signed32(name, modifiers)),
        Type::U64 | Type::B64 => common::<u64>(name, modifiers).or_else(|| unsigned64(name, modifiers)),
        Type::S64 => common::<i64>(name, modifiers).or_else(|| signed64(name, modifiers)),
        _ => None,
    }
}

/// What all integer types have, computed in 128 bits where a product needs them.
trait Integer: crate::column::Lane + Ord + 'static {
    const BITS: u32;
    const SIGNED: bool;
    fn wide(self) -> i128;
    fn low(value: i128) -> Self;
    fn quotient(self, by: Self) -> Self;
    fn remainder(self, by: Self) -> Self;
}

macro_rules! integer {
    ($($t:ty),*) => { $(impl Integer for $t {
        const BITS: u32 = <$t>::BITS;
        const SIGNED: bool = <$t>::MIN != 0;
        #[inline(always)]
        fn wide(self) -> i128 {
            self as i128
        }
        #[inline(always)]
        fn low(value: i128) -> Self {
            value as $t
        }
        /// Division by zero gives all ones, as the device does.
        #[inline(always)]
        fn quotient(self, by: Self) -> Self {
            if by == 0 { !0 } else { self.wrapping_div(by) }
        }
        #[inline(always)]
        fn remainder(self, by: Self) -> Self {
            if by == 0 { self } else { self.wrapping_rem(by) }
        }
    })* };
}

integer!(u16, i16, u32, i32, u64, i64);

fn common<T: Integer>(name: &str, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    Some(match name {
        "mul" if modifiers.take("hi") => {
            Binary(columns!(|a: T, b: T| T::low((a.wide().wrapping_mul(b.wide())) >> T::BITS)))
        }
        "mad" if modifiers.take("hi") => Ternary(columns!(|a: T, b: T, c: T| T::low(
            (a.wide().wrapping_mul(b.wide()) >> T::BITS).wrapping_add(c.wide())
        ))),
        "div" => Binary(columns!(|a: T, b: T| a.quotient(b))),
        "rem" => Binary(columns!(|a: T, b: T| a.remainder(b))),
        "min" => Binary(columns!(|a: T, b: T| a.min(b))),
        "max" => Binary(columns!(|a: T, b: T| a.max(b))),
        "sad" => Ternary(columns!(|a: T, b: T, c: T| T::low((a.wide() - b.wide()).abs() + c.wide()))),
        "abs" if T::SIGNED => Unary(columns!(|a: T| T::low(a.wide().abs()))),
        _ => return None,
    })
}

/// Operations whose low bits do not care about the sign, and those with a type of twice the width.
macro_rules! width {
    ($name:ident, $t:ty, $wide:ty) => {
        fn $name(name: &str, modifiers: &mut Modifiers<'_>) -> Option<Function> {
            let saturating = modifiers.take("sat");
            Some(match name {
                "add" if saturating => Binary(columns!(|a: $t, b: $t| a.saturating_add(b))),
                "sub" if saturating => Binary(columns!(|a: $t, b: $t| a.saturating_sub(b))),
                _ if saturating => return None,
                "add" => Binary(columns!(|a: $t, b: $t| a.wrapping_add(b))),
                "sub" => Binary(columns!(|a: $t, b: $t| a.wrapping_sub(b))),
                "mul" if modifiers.take("wide") => {
                    Binary(columns!(|a: $t, b: $t| (a as $wide).wrapping_mul(b as $wide)))
                }
                "mul" if modifiers.take("lo") => Binary(columns!(|a: $t, b: $t| a.wrapping_mul(b))),
                "mad" if modifiers.take("wide") => Ternary(columns!(|a: $t, b: $t, c: $wide| (a as $wide)
                    .wrapping_mul(b as $wide)
                    .wrapping_add(c))),
                "mad" if modifiers.take("lo") => {
                    Ternary(columns!(|a: $t, b: $t, c: $t| a.wrapping_mul(b).wrapping_add(c)))
                }
                "neg" => Unary(columns!(|a: $t| a.wrapping_neg())),
                "shr" => Binary(columns!(|a: $t, b: u32| a
                    >> b.min(<$t>::BITS - 1)
                    >> u32::from(b >= <$t>::BITS && <$t>::MIN == 0))),
                _ => return None,
            })
        }
    };
}

width!(unsigned16, u16, u32);
width!(signed16, i16, i32);
width!(unsigned32, u32, u64);
width!(signed32, i32, i64);
width!(unsigned64, u64, u64);
width!(signed64, i64, i64);
