//! Double precision.

use super::Function::{self, Binary, Ternary, Unary};
use crate::column::columns;
use crate::exact::{self, F64, Rounding};
use crate::modifiers::Modifiers;

/// A function for each rounding: nearest by the host's arithmetic, the others exactly.
macro_rules! rounded {
    ($modifiers:ident, $kind:ident, |$($a:ident),*| $nearest:expr, |$r:ident| $exact:expr) => {{
        macro_rules! directed {
            ($rounding:path) => {
                $kind(columns!(|$($a: f64),*| {
                    let $r = $rounding;
                    $(let $a = exact::decode($a.to_bits(), F64);)*
                    f64::from_bits(exact::encode($exact, F64, $r))
                }))
            };
        }
        match $modifiers.take_rounding() {
            None | Some(Rounding::Nearest) => $kind(columns!(|$($a: f64),*| $nearest)),
            Some(Rounding::TowardZero) => directed!(Rounding::TowardZero),
            Some(Rounding::Down) => directed!(Rounding::Down),
            Some(Rounding::Up) => directed!(Rounding::Up),
            Some(Rounding::NearestAway) => return None,
        }
    }};
}

/// The device's rough reciprocals have only the upper half of their bits, and flush subnormals.
#[inline(always)]
fn rough(x: f64) -> f64 {
    let upper = f64::from_bits(x.to_bits() & 0xffff_ffff_0000_0000);
    if x.is_subnormal() { 0f64.copysign(x) } else { upper }
}

pub(super) fn function(name: &str, modifiers: &mut Modifiers<'_>) -> Option<Function> {
    let approximate = modifiers.take("approx");
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
        "rcp" if approximate && modifiers.take("ftz") => Unary(columns!(|a: f64| rough(1.0 / rough(a)))),
        "rcp" => rounded!(modifiers, Unary, |a| 1.0 / a, |_r| exact::divide(exact::integer(1), a)),
        "sqrt" => rounded!(modifiers, Unary, |a| a.sqrt(), |_r| exact::square_root(a)),
        "rsqrt" if approximate && modifiers.take("ftz") => {
            Unary(columns!(|a: f64| rough(1.0 / rough(a).sqrt())))
        }
        "rsqrt" if approximate => Unary(columns!(|a: f64| 1.0 / a.sqrt())),
        "neg" => Unary(columns!(|a: f64| -a)),
        "abs" => Unary(columns!(|a: f64| a.abs())),
        "copysign" => Binary(columns!(|a: f64, b: f64| b.copysign(a))),
        "min" => Binary(columns!(|a: f64, b: f64| smaller(a, b))),
        "max" => Binary(columns!(|a: f64, b: f64| -smaller(-a, -b))),
        _ => return None,
    })
}

/// The smaller one, or the one that is a number; -0 is below +0.
#[inline(always)]
pub(super) fn smaller(a: f64, b: f64) -> f64 {
    if a < b || b.is_nan() {
        a
    } else if a == b {
        f64::from_bits(a.to_bits() | b.to_bits() & (1 << 63))
    } else {
        b
    }
}
