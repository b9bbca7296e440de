//! Kernels of any instructions run to an end: a result, a fault or the instruction limit, never a panic.

use crate::bench::HEAD;
use proptest::prelude::*;
use ptx_interpreter::{Checks, Device, Launch};

fn operand() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..6u32).prop_map(|i| format!("%r{i}")),
        (0..4u32).prop_map(|i| format!("%d{i}")),
        (0..3u32).prop_map(|i| format!("%p{i}")),
        any::<u32>().prop_map(|i| i.to_string()),
        (0..40u32).prop_map(|i| i.to_string()),
        (0..4u32, -9i32..99).prop_map(|(i, o)| format!("[%d{i}+{o}]")),
        (0..6u32, -9i32..99).prop_map(|(i, o)| format!("[%r{i}+{o}]")),
        (0..6u32, 0..6u32).prop_map(|(i, j)| format!("{{%r{i}, %r{j}}}")),
        (0..6u32, 0..3u32).prop_map(|(i, j)| format!("%r{i}|%p{j}")),
        Just("%tid.x".to_owned()),
        Just("tile".to_owned()),
        Just("[tile+4]".to_owned()),
        Just("[p]".to_owned()),
    ]
}

fn instruction() -> impl Strategy<Value = String> {
    const OPCODES: [&str; 46] = [
        "add.u32",
        "sub.s64",
        "mul.wide.s32",
        "mad.lo.u32",
        "mad.hi.s64",
        "div.s32",
        "rem.s64",
        "div.u64",
        "abs.s32",
        "neg.s64",
        "shl.b32",
        "shr.s32",
        "shf.l.clamp.b32",
        "bfe.s64",
        "bfi.b64",
        "bfind.s32",
        "lop3.b32",
        "prmt.b32",
        "fma.rz.f32",
        "add.rm.f64",
        "sqrt.rp.f32",
        "div.rn.f32",
        "cvt.rni.s32.f32",
        "cvt.sat.u8.s64",
        "cvt.rz.f16.f64",
        "setp.lt.f32",
        "selp.b32",
        "mov.u32",
        "mov.b64",
        "ld.global.u32",
        "st.global.u8",
        "ld.shared.v2.u32",
        "st.shared.u64",
        "ld.param.u64",
        "ld.u32",
        "atom.global.add.u32",
        "atom.shared.cas.b32",
        "bar.sync",
        "bar.warp.sync",
        "shfl.sync.down.b32",
        "vote.sync.ballot.b32",
        "match.any.sync.b32",
        "cvta.shared.u64",
        "addc.cc.u32",
        "exit",
        "bfe.u32",
    ];
    let plain = (proptest::sample::select(&OPCODES[..]), proptest::collection::vec(operand(), 0..5))
        .prop_map(|(opcode, operands)| format!("{opcode} {};", operands.join(", ")));
    let branch = (0..4u32, 0..3u32).prop_map(|(label, p)| format!("@%p{p} bra l{label};"));
    // What loads without error is what tests execution: instructions with operands of the right kinds.
    let sound =
        (0..6u32, 0..6u32, 0..6u32, 0..4u32, 0..3u32, 0..12usize).prop_map(|(a, b, c, d, p, which)| {
            match which {
                0 => format!("bar.sync %r{a};"),
                1 => format!("shfl.sync.bfly.b32 %r{a}|%p{p}, %r{b}, %r{c}, %r{a}, %r{b};"),
                2 => format!("ld.shared.u32 %r{a}, [%r{b}+{c}];"),
                3 => format!("st.u32 [%d{d}+4], %r{a};"),
                4 => format!("setp.lt.s32 %p{p}, %r{a}, %r{b};"),
                5 => format!("atom.add.u32 %r{a}, [%d{d}], %r{b};"),
                6 => format!("cvt.rzi.s32.f32 %r{a}, %r{b};"),
                7 => format!("fma.rm.f32 %r{a}, %r{b}, %r{c}, %r{a};"),
                8 => format!("@%p{p} bar.warp.sync %r{a};"),
                9 => format!("bfe.s32 %r{a}, %r{b}, %r{c}, %r{a};"),
                10 => format!("div.s32 %r{a}, %r{b}, %r{c}; rem.s64 %d{d}, %d{d}, %d{d};"),
                _ => format!("barrier.red.popc.u32 %r{a}, %r{b}, %r{c}, %p{p};"),
            }
        });
    prop_oneof![2 => plain, 2 => branch, 6 => sound]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_kernel_makes_it_panic_or_hang(instructions in proptest::collection::vec(instruction(), 1..24), threads in 1u32..80) {
        let mut body = String::new();
        for (index, instruction) in instructions.iter().enumerate() {
            if index % 6 == 0 && index / 6 < 4 {
                body += &format!("l{}:\n", index / 6);
            }
            body += instruction;
            body += "\n";
        }
        for label in instructions.len().div_ceil(6)..4 {
            body += &format!("l{label}:\n");
        }
        let source = format!("{HEAD}.visible .entry k(.param .u64 p) {{ .reg .b32 %r<6>; .reg .b64 %d<4>; .reg .pred %p<3>; .shared .align 8 .b8 tile[64];
            ld.param.u64 %d1, [p]; mov.u32 %r1, %tid.x; mov.u32 %r2, -1; mov.u32 %r5, 3; setp.lt.u32 %p1, %r1, 7; cvta.shared.u64 %d2, %d2;\n{body}\nret; }}");
        let mut device = Device::new(1 << 20, Checks { limit: 200_000, ..Checks::default() });
        let Ok(module) = device.load(&source) else { return Ok(()) };
        let buffer = device.heap.allocate(64).unwrap().to_le_bytes();
        let launch = Launch { grid: [2, 1, 1], block: [threads, 1, 1], dynamic_shared: 0, parameters: &buffer };
        let _ = device.launch(&module.kernels[0], launch);
    }
}
