//! Single precision. Results that are not numbers are 0x7fffffff, as on the device.
//!
//! The `.approx` functions are computed in double precision and rounded, so they are closer to the truth than
//! the device's: at most 1 ulp off where it allows itself 1 (`rcp`, `sqrt`), 2 (`ex2`, `rsqrt`, `div`) or an absolute
//! error of 2^-20.5 (`sin`, `cos`) and 2^-22 (`lg2`).

use super::Function::{self, Binary, Ternary, Unary};
use crate::column::columns;
use crate::exact::{self, F32, Rounding};
use crate::modifiers::Modifiers;

/// Zero instead of a subnormal, of the same sign.
#[inline(always)]
pub(super) fn flush(x: f32) -> f32 {
    if x.to_bits() & 0x7f80_0000 == 0 { f32::from_bits(x.to_bits() & 0x8000_0000) } else { x }
}

#[inline(always)]
pub(super) fn canonical(x: f32) -> f32 {
    // Compared as an integer: between floats, one NaN is as good as another to the compiler, which then leaves out the choice.
    if x.to_bits() & 0x7fff_ffff > 0x7f80_0000 { f32::from_bits(0x7fff_ffff) } else { x }
}

/// `.sat`: into [0, 1], NaN to zero.
#[inline(always)]
pub(super) fn saturate(x: f32) -> f32 {
    if x > 0.0 { x.min(1.0) } else { 0.0 }
}

/// A function of single-precision numbers with `.ftz` and `.sat` applied to what goes in and comes out.
macro_rules! arithmetic {
    ($modifiers:ident, $kind:ident, |$($a:ident),*| $body:expr) => {
        $kind(match ($modifiers.take("ftz"), $modifiers.take("sat")) {
            (false, false) => columns!(|$($a: f32),*| canonical($body)),
            (true, false) => columns!(|$($a: f32),*| { $(let $a = flush($a);)* flush(canonical($body)) }),
            (false, true) => columns!(|$($a: f32),*| saturate($body)),
            (true, true) => columns!(|$($a: f32),*| { $(let $a = flush($a);)* flush(saturate($body)) }),
        })
    };
}

/// The same for each rounding: nearest by the host's arithmetic, the others exactly.
macro_rules! rounded {
    ($modifiers:ident, $kind:ident, |$($a:ident),*| $nearest:expr, |$r:ident| $exact:expr) => {{
        macro_rules! directed {
            ($rounding:path) => {
                arithmetic!($modifiers, $kind, |$($a),*| {
                    let $r = $rounding;
                    $(let $a = exact::decode(u64::from($a.to_bits()), F32);)*
                    f32::from_bits(exact::encode($exact, F32, $r) as u32)
                })
            };
        }
        match $modifiers.take_rounding() {
            None | Some(Rounding::Nearest) => arithmetic!($modifiers, $kind, |$($a),*| $nearest),
            Some(Rounding::TowardZero) => directed!(Rounding::TowardZero),
            Some(Rounding::Down) => directed!(Rounding::Down),
            Some(Rounding::Up) => directed!(Rounding::Up),
            Some(Rounding::NearestAway) => return None,
        }
    }};
}

pub(super) fn function(name: &str, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    let approximate = modifiers.take("approx") | modifiers.take("full");
    Some(match name {
        "add" => rounded!(modifiers, Binary, |a, b| a + b, |r| exact::add(a, b, r)),
        "sub" => rounded!(modifiers, Binary, |a, b| a - b, |r| exact::add(a, exact::negate(b), r)),
        "mul" => rounded!(modifiers, Binary, |a, b| a * b, |_r| exact::multiply(a, b)),
        "fma" | "mad" => {
            rounded!(modifiers, Ternary, |a, b, c| a.mul_add(b, c), |r| exact::add(
                exact::multiply(a, b),
                c,
                r
            ))
        }
        "div" => rounded!(modifiers, Binary, |a, b| a / b, |_r| exact::divide(a, b)),
        "rcp" => rounded!(modifiers, Unary, |a| 1.0 / a, |_r| exact::divide(exact::integer(1), a)),
        "sqrt" => rounded!(modifiers, Unary, |a| a.sqrt(), |_r| exact::square_root(a)),
        "rsqrt" if approximate => arithmetic!(modifiers, Unary, |a| (1.0 / f64::from(a).sqrt()) as f32),
        "ex2" if approximate => arithmetic!(modifiers, Unary, |a| f64::from(a).exp2() as f32),
        "lg2" if approximate => arithmetic!(modifiers, Unary, |a| f64::from(a).log2() as f32),
        "sin" if approximate => arithmetic!(modifiers, Unary, |a| f64::from(a).sin() as f32),
        "cos" if approximate => arithmetic!(modifiers, Unary, |a| f64::from(a).cos() as f32),
        "tanh" if approximate => arithmetic!(modifiers, Unary, |a| f64::from(a).tanh() as f32),
        "neg" => {
            if modifiers.take("ftz") {
                Unary(columns!(|a: f32| -flush(a)))
            } else {
                Unary(columns!(|a: f32| -a))
            }
        }
        "abs" => {
            if modifiers.take("ftz") {
                Unary(columns!(|a: f32| flush(a).abs()))
            } else {
                Unary(columns!(|a: f32| a.abs()))
            }
        }
        "copysign" => Binary(columns!(|a: f32, b: f32| b.copysign(a))),
        "min" => match modifiers.take("NaN") {
            false => arithmetic!(modifiers, Binary, |a, b| smaller(a, b)),
            true => arithmetic!(modifiers, Binary, |a, b| if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                smaller(a, b)
            }),
        },
        "max" => match modifiers.take("NaN") {
            false => arithmetic!(modifiers, Binary, |a, b| -smaller(-a, -b)),
            true => arithmetic!(modifiers, Binary, |a, b| if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                -smaller(-a, -b)
            }),
        },
        _ => return None,
    })
}

/// The smaller one, or the one that is a number; -0 is below +0.
#[inline(always)]
pub(super) fn smaller(a: f32, b: f32) -> f32 {
    if a < b || b.is_nan() {
        a
    } else if a == b {
        f32::from_bits(a.to_bits() | b.to_bits() & 0x8000_0000)
    } else {
        b
    }
}
