//! Bits: logic, shifts, fields, counts and permutations.

use super::Function::{self, Binary, Ternary, Unary};
use crate::ast::Type;
use crate::column::{Lane, columns};
use crate::modifiers::Modifiers;

pub(super) fn function(name: &str, ty: Type, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    // Values are zero-extended, so logic is the same for all widths but for what `not` sets.
    Some(match (name, ty.size()) {
        ("and", _) => Binary(columns!(|a: u64, b: u64| a & b)),
        ("or", _) => Binary(columns!(|a: u64, b: u64| a | b)),
        ("xor", _) => Binary(columns!(|a: u64, b: u64| a ^ b)),
        ("not", 2) => Unary(columns!(|a: u16| !a)),
        ("not", 4) => Unary(columns!(|a: u32| !a)),
        ("not", 8) => Unary(columns!(|a: u64| !a)),
        ("cnot", 2) => Unary(columns!(|a: u16| u16::from(a == 0))),
        ("cnot", 4) => Unary(columns!(|a: u32| u32::from(a == 0))),
        ("cnot", 8) => Unary(columns!(|a: u64| u64::from(a == 0))),
        ("shl", 2) => Binary(columns!(|a: u16, b: u32| a.checked_shl(b).unwrap_or(0))),
        ("shl", 4) => Binary(columns!(|a: u32, b: u32| a.checked_shl(b).unwrap_or(0))),
        ("shl", 8) => Binary(columns!(|a: u64, b: u32| a.checked_shl(b).unwrap_or(0))),
        ("shf", 4) => return shf(modifiers),
        ("popc", 4) => Unary(columns!(|a: u32| a.count_ones())),
        ("popc", 8) => Unary(columns!(|a: u64| a.count_ones())),
        ("clz", 4) => Unary(columns!(|a: u32| a.leading_zeros())),
        ("clz", 8) => Unary(columns!(|a: u64| a.leading_zeros())),
        ("brev", 4) => Unary(columns!(|a: u32| a.reverse_bits())),
        ("brev", 8) => Unary(columns!(|a: u64| a.reverse_bits())),
        ("bfind", _) => return bfind(ty, modifiers),
        ("bfe", _) => match ty {
            Type::U32 => Ternary(columns!(|a: u32, b: u8, c: u8| bfe(a.into(), 32, b, c, false) as u32)),
            Type::S32 => Ternary(columns!(|a: u32, b: u8, c: u8| bfe(a.into(), 32, b, c, true) as u32)),
            Type::U64 => Ternary(columns!(|a: u64, b: u8, c: u8| bfe(a, 64, b, c, false))),
            Type::S64 => Ternary(columns!(|a: u64, b: u8, c: u8| bfe(a, 64, b, c, true))),
            _ => return None,
        },
        ("dp4a", 4) => return dp4a(ty, modifiers),
        ("prmt", 4) => return prmt(modifiers),
        ("bmsk", 4) => match (modifiers.take("clamp"), modifiers.take("wrap")) {
            (true, false) => Binary(columns!(|a: u32, b: u32| mask(b.min(32)).checked_shl(a).unwrap_or(0))),
            (false, true) => Binary(columns!(|a: u32, b: u32| mask(b & 31) << (a & 31))),
            _ => return None,
        },
        _ => return None,
    })
}

fn mask(bits: u32) -> u32 {
    1u32.checked_shl(bits).unwrap_or(0).wrapping_sub(1)
}

/// Funnel shifts of the 64 bits `b:a`.
fn shf(modifiers: &mut Modifiers<'_>) -> Option<Function> {
    let left = modifiers.take("l");
    if !left && !modifiers.take("r") {
        return None;
    }
    let wrap = modifiers.take("wrap");
    if !wrap && !modifiers.take("clamp") {
        return None;
    }
    Some(Ternary(match (left, wrap) {
        (true, true) => columns!(|a: u32, b: u32, c: u32| ((pair(a, b) << (c & 31)) >> 32) as u32),
        (true, false) => {
            columns!(|a: u32, b: u32, c: u32| ((u128::from(pair(a, b)) << c.min(32)) >> 32) as u32)
        }
        (false, true) => columns!(|a: u32, b: u32, c: u32| (pair(a, b) >> (c & 31)) as u32),
        (false, false) => columns!(|a: u32, b: u32, c: u32| (pair(a, b) >> c.min(32)) as u32),
    }))
}

#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Position of the highest bit that differs from the sign; all ones if there is none.
fn bfind(ty: Type, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    let amount = modifiers.take("shiftamt");
    Some(Unary(match (ty, amount) {
        (Type::U32, false) => columns!(|a: u32| highest(a.into(), 32, false)),
        (Type::U32, true) => columns!(|a: u32| highest(a.into(), 32, true)),
        (Type::S32, false) => columns!(|a: i32| highest((a ^ a >> 31).put(), 32, false)),
        (Type::S32, true) => columns!(|a: i32| highest((a ^ a >> 31).put(), 32, true)),
        (Type::U64, false) => columns!(|a: u64| highest(a, 64, false)),
        (Type::U64, true) => columns!(|a: u64| highest(a, 64, true)),
        (Type::S64, false) => columns!(|a: i64| highest((a ^ a >> 63).put(), 64, false)),
        (Type::S64, true) => columns!(|a: i64| highest((a ^ a >> 63).put(), 64, true)),
        _ => return None,
    }))
}

fn highest(value: u64, width: u32, amount: bool) -> u32 {
    match value {
        0 => u32::MAX,
        _ if amount => width - 1 - value.ilog2(),
        _ => value.ilog2(),
    }
}

/// `length` bits of `a` from `position` on; bits beyond the top are copies of the sign, or zero.
fn bfe(a: u64, width: u32, position: u8, length: u8, signed: bool) -> u64 {
    let (position, length) = (u32::from(position), u32::from(length));
    if length == 0 {
        return 0;
    }
    let sign = signed && a >> (position + length - 1).min(width - 1) & 1 == 1;
    let field = a.checked_shr(position).unwrap_or(0);
    // Bits of the field that lie inside the value.
    let inside = length.min(width.saturating_sub(position));
    let kept = 1u64.checked_shl(inside).unwrap_or(0).wrapping_sub(1);
    field & kept | if sign { !kept } else { 0 }
}

/// `length` bits of `a` put into `b` at `position`.
pub(crate) fn bfi(a: u64, b: u64, width: u32, position: u32, length: u32) -> u64 {
    let (position, length) = (position & 0xff, (length & 0xff).min(width));
    let field = 1u64.checked_shl(length).unwrap_or(0).wrapping_sub(1).checked_shl(position).unwrap_or(0);
    let value = b & !field | a.checked_shl(position).unwrap_or(0) & field;
    if width == 64 { value } else { value & 0xffff_ffff }
}

/// Any function of three bits: bit `4a + 2b + c` of `table` is its value.
pub(crate) fn lop3(a: u32, b: u32, c: u32, table: u8) -> u32 {
    (0..8).filter(|row| table >> row & 1 == 1).fold(0, |out, row| {
        let pick = |x: u32, bit: u32| if row >> bit & 1 == 1 { x } else { !x };
        out | pick(a, 2) & pick(b, 1) & pick(c, 0)
    })
}

fn prmt(modifiers: &mut Modifiers<'_>) -> Option<Function> {
    Some(Ternary(
        match modifiers.take_any(&[("f4e", 1), ("b4e", 2), ("rc8", 3), ("ecl", 4), ("ecr", 5), ("rc16", 6)]) {
            None => columns!(|a: u32, b: u32, c: u32| permute(a, b, |i| c >> (4 * i) & 15)),
            Some(1) => columns!(|a: u32, b: u32, c: u32| permute(a, b, |i| ((c & 3) + i) & 7)),
            Some(2) => columns!(|a: u32, b: u32, c: u32| permute(a, b, |i| (c & 3).wrapping_sub(i) & 7)),
            Some(3) => columns!(|a: u32, b: u32, c: u32| permute(a, b, |_| c & 3)),
            Some(4) => columns!(|a: u32, b: u32, c: u32| permute(a, b, |i| i.max(c & 3))),
            Some(5) => columns!(|a: u32, b: u32, c: u32| permute(a, b, |i| i.min(c & 3))),
            _ => columns!(|a: u32, b: u32, c: u32| permute(a, b, |i| (c & 1) * 2 + (i & 1))),
        },
    ))
}

/// Four bytes of the eight in `b:a`; bit 3 of a choice replicates the byte's sign instead.
fn permute(a: u32, b: u32, choice: impl Fn(u32) -> u32) -> u32 {
    (0..4).fold(0, |out, i| {
        let choice = choice(i);
        let byte = (pair(a, b) >> (8 * (choice & 7))) as u8;
        let byte = if choice & 8 == 0 { byte } else { ((byte as i8) >> 7) as u8 };
        out | u32::from(byte) << (8 * i)
    })
}

/// The dot product of four bytes with four bytes, added to `c`.
fn dp4a(of_b: Type, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    let of_a = modifiers.take_type()?;
    Some(Ternary(match (of_a.signed(), of_b.signed()) {
        (false, false) => columns!(|a: u32, b: u32, c: u32| dot(a, b, c, false, false)),
        (false, true) => columns!(|a: u32, b: u32, c: u32| dot(a, b, c, false, true)),
        (true, false) => columns!(|a: u32, b: u32, c: u32| dot(a, b, c, true, false)),
        (true, true) => columns!(|a: u32, b: u32, c: u32| dot(a, b, c, true, true)),
    }))
}

fn dot(a: u32, b: u32, c: u32, signed_a: bool, signed_b: bool) -> u32 {
    let wide = |byte: u8, signed: bool| if signed { i32::from(byte as i8) } else { i32::from(byte) };
    let products = a.to_le_bytes().into_iter().zip(b.to_le_bytes());
    products.fold(c, |sum, (a, b)| sum.wrapping_add((wide(a, signed_a) * wide(b, signed_b)) as u32))
}
