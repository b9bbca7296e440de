//! `cvt` between integers and floats, against Rust's casts and roundings.

use crate::bench::{check, inputs};
use proptest::prelude::*;

fn single(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn out(x: f32) -> u64 {
    if x.is_nan() { 0x7fff_ffff } else { x.to_bits().into() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn between_integers(inputs in inputs()) {
        check("cvt.u64.u32 %do, %ra;", 64, &inputs, |[a, ..]| a as u32 as u64);
        check("cvt.s64.s32 %do, %ra;", 64, &inputs, |[a, ..]| a as i32 as i64 as u64);
        check("cvt.u32.u64 %ro, %da;", 32, &inputs, |[a, ..]| a as u32 as u64);
        check("cvt.s32.s16 %ro, %ha;", 32, &inputs, |[a, ..]| a as i16 as i32 as u32 as u64);
        check("cvt.u32.u16 %ro, %ha;", 32, &inputs, |[a, ..]| a & 0xffff);
        check("cvt.u16.u32 %ho, %ra;", 16, &inputs, |[a, ..]| a & 0xffff);
        check("cvt.s32.s8 %ro, %ra;", 32, &inputs, |[a, ..]| a as i8 as i32 as u32 as u64);
        check("cvt.u32.u8 %ro, %ra;", 32, &inputs, |[a, ..]| a & 0xff);
        check("cvt.s64.s8 %do, %ra;", 64, &inputs, |[a, ..]| a as i8 as i64 as u64);
        check("cvt.s16.s8 %ho, %ha;", 16, &inputs, |[a, ..]| a as i8 as i16 as u16 as u64);
        // Eight bits stay in a wider register, extended.
        check("cvt.s8.s32 %ro, %ra;", 32, &inputs, |[a, ..]| a as i8 as i32 as u32 as u64);
        check("cvt.sat.u8.s32 %ro, %ra;", 32, &inputs, |[a, ..]| (a as i32).clamp(0, 255) as u64);
        check("cvt.sat.s16.s32 %ho, %ra;", 16, &inputs, |[a, ..]| (a as i32).clamp(-32768, 32767) as u16 as u64);
        check("cvt.sat.s32.u64 %ro, %da;", 32, &inputs, |[a, ..]| a.min(i32::MAX as u64));
    }

    #[test]
    fn from_integers(inputs in inputs()) {
        check("cvt.rn.f32.s32 %ro, %ra;", 32, &inputs, |[a, ..]| out(a as i32 as f32));
        check("cvt.rn.f32.u32 %ro, %ra;", 32, &inputs, |[a, ..]| out(a as u32 as f32));
        check("cvt.rn.f32.s64 %ro, %da;", 32, &inputs, |[a, ..]| out(a as i64 as f32));
        check("cvt.rn.f32.u64 %ro, %da;", 32, &inputs, |[a, ..]| out(a as f32));
        check("cvt.rn.f32.s16 %ro, %ha;", 32, &inputs, |[a, ..]| out(f32::from(a as i16)));
        check("cvt.rn.f64.s32 %do, %ra;", 64, &inputs, |[a, ..]| f64::from(a as i32).to_bits());
        check("cvt.rn.f64.u64 %do, %da;", 64, &inputs, |[a, ..]| (a as f64).to_bits());
        check("cvt.rn.f64.s64 %do, %da;", 64, &inputs, |[a, ..]| (a as i64 as f64).to_bits());
        // Toward zero: clearing low bits until a single holds the integer.
        check("cvt.rz.f32.u32 %ro, %ra;", 32, &inputs, |[a, ..]| {
            let a = a as u32;
            let unused = 8u32.saturating_sub(a.leading_zeros());
            out((a >> unused << unused) as f32)
        });
    }

    #[test]
    fn to_integers(inputs in inputs()) {
        // As Rust's casts: out of range gives the nearest, what is no number gives zero.
        check("cvt.rzi.s32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| single(a) as i32 as u32 as u64);
        check("cvt.rzi.u32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| u64::from(single(a) as u32));
        check("cvt.rzi.s64.f32 %do, %ra;", 64, &inputs, |[a, ..]| single(a) as i64 as u64);
        check("cvt.rzi.u64.f64 %do, %da;", 64, &inputs, |[a, ..]| f64::from_bits(a) as u64);
        check("cvt.rzi.s32.f64 %ro, %da;", 32, &inputs, |[a, ..]| f64::from_bits(a) as i32 as u32 as u64);
        check("cvt.rni.s32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| single(a).round_ties_even() as i32 as u32 as u64);
        check("cvt.rmi.s32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| single(a).floor() as i32 as u32 as u64);
        check("cvt.rpi.s64.f64 %do, %da;", 64, &inputs, |[a, ..]| f64::from_bits(a).ceil() as i64 as u64);
        check("cvt.rzi.u16.f32 %ho, %ra;", 16, &inputs, |[a, ..]| u64::from(single(a) as u16));
    }

    #[test]
    fn between_floats(inputs in inputs()) {
        check("cvt.rn.f32.f64 %ro, %da;", 32, &inputs, |[a, ..]| out(f64::from_bits(a) as f32));
        check("cvt.f64.f32 %do, %ra;", 64, &inputs, |[a, ..]| {
            let x = f64::from(single(a));
            // Rust says nothing about the bits of what is no number; the interpreter keeps the host's.
            x.to_bits()
        });
        check("cvt.rni.f32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| out(single(a).round_ties_even()));
        check("cvt.rzi.f32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| out(single(a).trunc()));
        check("cvt.rmi.f32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| out(single(a).floor()));
        check("cvt.rpi.f32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| out(single(a).ceil()));
        check("cvt.sat.f32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| out(if single(a) > 0.0 { single(a).min(1.0) } else { 0.0 }));
        // tf32 keeps ten bits of fraction, rounded to nearest, ties away.
        check("cvt.rna.tf32.f32 %ro, %ra;", 32, &inputs, |[a, ..]| match single(a) {
            x if x.is_nan() => 0x7fff_e000,
            x if x.is_infinite() => a & 0xffff_ffff,
            _ => ((a & 0xffff_ffff) + 0x1000) & 0xffff_e000,
        });
    }

    #[test]
    fn directed(inputs in inputs()) {
        // The single below or above a double, by the nearest one and its neighbour.
        check("cvt.rm.f32.f64 %ro, %da;", 32, &inputs, |[a, ..]| {
            let (x, near) = (f64::from_bits(a), f64::from_bits(a) as f32);
            out(if f64::from(near) > x { near.next_down() } else { near })
        });
        check("cvt.rp.f32.f64 %ro, %da;", 32, &inputs, |[a, ..]| {
            let (x, near) = (f64::from_bits(a), f64::from_bits(a) as f32);
            out(if f64::from(near) < x { near.next_up() } else { near })
        });
    }
}
