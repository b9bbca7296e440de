//! `cvt`: between all types, with all roundings.

use super::Unary;
use crate::ast::Type;
use crate::column::{Column, columns};
use crate::exact::{self, BF16, F16, F32, F64, Format, Number, Rounding};
use crate::modifiers::Modifiers;

/// A conversion, one value at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    to: Type,
    from: Type,
    rounding: Rounding,
    /// Round a float to an integral float.
    integral: bool,
    flush: bool,
    saturate: bool,
    relu: bool,
}

/// The conversion that `cvt`'s modifiers name; `None` if they name none. Takes them.
pub fn conversion(modifiers: &mut Modifiers<'_>) -> Option<Conversion> {
    let from = modifiers.take_type()?;
    let to = modifiers.take_type()?;
    let integral = ["rni", "rzi", "rmi", "rpi"].iter().any(|r| modifiers.rest().contains(r));
    let rounding = modifiers.take_rounding();
    let default = if to.float() { Rounding::Nearest } else { Rounding::TowardZero };
    Some(Conversion {
        to,
        from,
        rounding: rounding.unwrap_or(default),
        integral,
        flush: modifiers.take("ftz"),
        saturate: modifiers.take("sat") | modifiers.take("satfinite"),
        relu: modifiers.take("relu"),
    })
}

fn format(ty: Type) -> Option<Format> {
    Some(match ty {
        Type::F16 | Type::F16x2 => F16,
        Type::Bf16 | Type::Bf16x2 => BF16,
        Type::F32 | Type::Tf32 => F32,
        Type::F64 => F64,
        _ => return None,
    })
}

impl Conversion {
    /// Whether two sources make one pair: `cvt.rn.bf16x2.f32 d, high, low`.
    pub fn pairs(&self) -> bool {
        matches!(self.to, Type::F16x2 | Type::Bf16x2) && self.from == Type::F32
    }

    /// The type that is read.
    pub fn source(&self) -> Type {
        self.from
    }

    /// The type that is written.
    pub fn result(&self) -> Type {
        self.to
    }

    /// A function of whole columns where there is a short one.
    pub fn fast(&self) -> Option<Unary> {
        if self.flush || self.saturate || self.relu {
            return None;
        }
        Some(match (self.to.size(), self.from) {
            _ if self.to.float() || self.from.float() => match (self.to, self.from, self.rounding) {
                (Type::F64, Type::F32, _) if !self.integral => columns!(|a: f32| f64::from(a)),
                (Type::F32, Type::F64, Rounding::Nearest) if !self.integral => {
                    columns!(|a: f64| super::float::canonical(a as f32))
                }
                (Type::F32, Type::S32, Rounding::Nearest) => columns!(|a: i32| a as f32),
                (Type::F32, Type::U32, Rounding::Nearest) => columns!(|a: u32| a as f32),
                (Type::F64, Type::S32, Rounding::Nearest) => columns!(|a: i32| f64::from(a)),
                (Type::F64, Type::U32, Rounding::Nearest) => columns!(|a: u32| f64::from(a)),
                (Type::F64, Type::S64, Rounding::Nearest) => columns!(|a: i64| a as f64),
                _ => return None,
            },
            (8, Type::S32) => columns!(|a: i32| i64::from(a)),
            (8, Type::U32) => columns!(|a: u32| u64::from(a)),
            (8, Type::U64 | Type::S64) => columns!(|a: u64| a),
            (4, Type::U32 | Type::S32 | Type::U64 | Type::S64) => columns!(|a: u32| a),
            (4, Type::U16) => columns!(|a: u16| u32::from(a)),
            (4, Type::S16) => columns!(|a: i16| i32::from(a)),
            (2, ty) if ty.size() >= 2 => columns!(|a: u16| a),
            _ => return None,
        })
    }

    /// Converts a column; `other` is the low half where [`Conversion::pairs`].
    pub fn apply(&self, a: &Column, other: &Column) -> Column {
        core::array::from_fn(|lane| {
            if self.pairs() { self.one(a[lane]) << 16 | self.one(other[lane]) } else { self.one(a[lane]) }
        })
    }

    /// One value; signed results are sign-extended.
    pub fn one(&self, bits: u64) -> u64 {
        let number = match format(self.from) {
            Some(format) => exact::decode(self.flushed(self.from, bits & mask(8 * format.bytes())), format),
            None => exact::integer(extend(bits, self.from)),
        };
        let Some(format) = format(self.to) else { return self.integer(number) };
        let number = match number {
            // What has no negative exponent is integral already.
            Number::Finite(negative, ..0, _) if self.integral => {
                match exact::to_integer(number, self.rounding) {
                    None => number,
                    Some(0) => Number::Finite(negative, 0, 0),
                    Some(value) => exact::integer(value),
                }
            }
            _ => number,
        };
        let rounding = if self.integral { Rounding::Nearest } else { self.rounding };
        let bits = if self.to == Type::Tf32 {
            // Ten bits of fraction in the place of twenty-three.
            exact::encode(number, exact::TF32, rounding) << 13
        } else {
            exact::encode(number, format, rounding)
        };
        self.clamped(self.flushed(self.to, bits), format)
    }

    fn flushed(&self, ty: Type, bits: u64) -> u64 {
        if self.flush && ty == Type::F32 && bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits }
    }

    /// `.sat` and `.relu`.
    fn clamped(&self, bits: u64, format: Format) -> u64 {
        let negative = bits >> (8 * format.bytes() - 1) & 1 == 1;
        let one = exact::encode(exact::integer(1), format, Rounding::Nearest);
        match exact::decode(bits, format) {
            Number::Nan if self.saturate => 0,
            Number::Nan => bits,
            _ if negative && (self.saturate || self.relu) => 0,
            _ if self.saturate && bits > one => one,
            _ => bits,
        }
    }

    /// Out of range gives the nearest integer of the type, NaN gives zero; between integers, the low bits.
    fn integer(&self, number: Number) -> u64 {
        let Some(value) = exact::to_integer(number, self.rounding) else { return 0 };
        let width = 8 * self.to.size();
        let (low, high) = if self.to.signed() {
            (-1i128 << (width - 1), (1i128 << (width - 1)) - 1)
        } else {
            (0, (1i128 << width) - 1)
        };
        if self.from.float() || self.saturate {
            return value.clamp(low, high) as u64;
        }
        extend(value as u64, self.to) as u64
    }
}

fn mask(bits: usize) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// The integer that the low bits stand for.
fn extend(bits: u64, ty: Type) -> i128 {
    let unused = 64 - 8 * ty.size();
    if ty.signed() {
        i128::from((bits << unused) as i64 >> unused)
    } else {
        i128::from(bits << unused >> unused)
    }
}
