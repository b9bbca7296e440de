//! Loads, stores and atomics in all state spaces.

use crate::bench::{Argument::Long, Bench, HEAD, check, inputs};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn widths_extend_as_their_type_says(inputs in inputs()) {
        check("ld.global.u8 %ro, [%q3];", 32, &inputs, |[a, ..]| a & 0xff);
        check("ld.global.s8 %ro, [%q3+1];", 32, &inputs, |[a, ..]| (a >> 8) as i8 as i32 as u32 as u64);
        check("ld.global.s16 %do, [%q3+2];", 64, &inputs, |[a, ..]| (a >> 16) as i16 as i64 as u64);
        check("ld.global.s32 %do, [%q3+4];", 64, &inputs, |[a, ..]| (a >> 32) as i32 as i64 as u64);
        check("ld.global.s8 %ho, [%q3];", 16, &inputs, |[a, ..]| a as i8 as i16 as u16 as u64);
        // A store takes the low bits.
        check("mov.u64 %do, 0; st.global.u64 [%q4], %do; st.global.u8 [%q4+3], %ra; ld.global.u64 %do, [%q4];", 64, &inputs,
            |[a, ..]| (a & 0xff) << 24);
    }

    #[test]
    fn vectors_move_as_a_whole(inputs in inputs()) {
        // 24 bytes an input: the pairs are aligned to 8.
        check("ld.global.v2.u32 {%t3, %t4}, [%q3+8]; mov.b64 %do, {%t4, %t3};", 64, &inputs, |[_, b, _]| b.rotate_left(32));
        let local = ".local .align 16 .b8 stack[32]; mov.u64 %q5, stack; st.local.v4.u16 [%q5+8], {%ha, %hb, %hc, %ha}; ld.local.u64 %do, [stack+8];";
        check(local, 64, &inputs, |[a, b, c]| [a, b, c, a].iter().rev().fold(0, |out, v| out << 16 | v & 0xffff));
        let shared = ".shared .align 16 .b8 tile[1024]; shl.b32 %t3, %t1, 5; and.b32 %t3, %t3, 1023; mov.u32 %t4, tile; add.u32 %t3, %t3, %t4;
            st.shared.v2.u64 [%t3], {%da, %db}; ld.shared.v4.u32 {%t4, %t5, %t6, %t7}, [%t3]; mov.b64 %do, {%t6, %t5};";
        check(shared, 64, &inputs, |[a, b, _]| (a >> 32) << 32 | b & 0xffff_ffff);
    }

    #[test]
    fn generic_addresses_lead_to_their_space(inputs in inputs()) {
        let body = ".shared .align 8 .b8 tile[256]; .local .align 8 .b8 stack[16];
            and.b32 %t3, %t1, 31; shl.b32 %t3, %t3, 3; mov.u32 %t4, tile; add.u32 %t3, %t3, %t4; cvt.u64.u32 %q5, %t3;
            cvta.shared.u64 %q5, %q5; st.u64 [%q5], %da; cvta.to.shared.u64 %q6, %q5; ld.shared.u64 %q6, [%q6];
            mov.u64 %q7, stack; cvta.local.u64 %q7, %q7; st.u64 [%q7+8], %db; ld.local.u64 %do, [stack+8];
            xor.b64 %do, %do, %q6; ld.u64 %q7, [%q3+16]; xor.b64 %do, %do, %q7;";
        check(body, 64, &inputs, |[a, b, c]| a ^ b ^ c);
    }
}

#[test]
fn parameters_have_the_layout_of_a_c_structure() {
    let source = format!(
        "{HEAD}.visible .entry k(.param .u32 a, .param .align 8 .b8 s[16], .param .u8 b, .param .u64 out) {{
        .reg .b32 %r<4>; .reg .b64 %d<8>;
        ld.param.u64 %d1, [out]; ld.param.u32 %r1, [a]; ld.param.u64 %d2, [s+8]; ld.param.u8 %r2, [b];
        mov.b64 %d3, s; ld.param.u64 %d4, [%d3];
        st.global.u32 [%d1], %r1; st.global.u32 [%d1+4], %r2; st.global.u64 [%d1+8], %d2; st.global.u64 [%d1+16], %d4; ret; }}"
    );
    let mut bench = Bench::new(&source);
    let out = bench.buffer(&[0; 24]);
    // u32 at 0, 16 bytes at 8, u8 at 24, u64 at 32: the structure goes in two halves.
    let mut parameters = vec![0u8; 40];
    parameters[..4].copy_from_slice(&7u32.to_le_bytes());
    parameters[8..16].copy_from_slice(&11u64.to_le_bytes());
    parameters[16..24].copy_from_slice(&13u64.to_le_bytes());
    parameters[24] = 9;
    parameters[32..].copy_from_slice(&out.to_le_bytes());
    bench.launch_with("k", [1, 1, 1], [1, 1, 1], 0, &parameters).unwrap();
    assert_eq!(bench.read_words(out, 6), [7, 9, 13, 0, 11, 0]);
}

#[test]
fn variables_have_their_initial_values() {
    let source = format!(
        "{HEAD}.global .align 4 .u32 counter = 5; .const .align 4 .f32 table[3] = {{0f3F800000, 2.5}}; .global .align 8 .u64 pointer = generic(counter);
        .visible .entry k(.param .u64 out) {{ .reg .b32 %r<8>; .reg .b64 %d<4>; .reg .pred %p<2>;
        ld.param.u64 %d1, [out]; ld.global.u64 %d2, [pointer]; ld.u32 %r1, [%d2]; add.u32 %r2, %r1, 1; st.global.u32 [counter], %r2;
        ld.const.u32 %r3, [table]; ld.const.u32 %r4, [table+4]; ld.const.u32 %r5, [table+8];
        st.global.u32 [%d1], %r1; st.global.u32 [%d1+4], %r3; st.global.u32 [%d1+8], %r4; st.global.u32 [%d1+12], %r5; ret; }}"
    );
    let mut bench = Bench::new(&source);
    let out = bench.buffer(&[0; 16]);
    bench.launch("k", [1, 1, 1], [1, 1, 1], 0, &[Long(out)]).unwrap();
    assert_eq!(bench.read_words(out, 4), [5, 1f32.to_bits(), 2.5f32.to_bits(), 0]);
    let counter = bench.variable("counter");
    assert_eq!(bench.read_words(counter, 1), [6]);
}

/// Every thread of two blocks applies an atomic to one word; the order does not matter for these.
#[test]
fn atomics_combine_all_threads() {
    let cases: [(&str, u32, fn(u32, u32) -> u32); 9] = [
        ("atom.global.add.u32 %r3, [%d1], %r2;", 3, |x, t| x.wrapping_add(t)),
        ("red.global.add.u32 [%d1], %r2;", 3, |x, t| x.wrapping_add(t)),
        ("atom.global.max.u32 %r3, [%d1], %r2;", 3, |x, t| x.max(t)),
        ("atom.global.min.s32 %r3, [%d1], %r2;", u32::MAX, |x, t| (x as i32).min(t as i32) as u32),
        ("atom.global.or.b32 %r3, [%d1], %r2;", 0, |x, t| x | t),
        ("atom.global.and.b32 %r3, [%d1], %r2;", u32::MAX, |x, t| x & t),
        ("atom.global.xor.b32 %r3, [%d1], %r2;", 5, |x, t| x ^ t),
        ("atom.global.inc.u32 %r3, [%d1], 6;", 0, |x, _| if x >= 6 { 0 } else { x + 1 }),
        ("red.relaxed.gpu.global.add.f32 [%d1], 0f3F800000;", 0, |x, _| (f32::from_bits(x) + 1.0).to_bits()),
    ];
    for (instruction, start, combine) in cases {
        let source = format!(
            "{HEAD}.visible .entry k(.param .u64 p) {{ .reg .b32 %r<4>; .reg .b64 %d<2>; ld.param.u64 %d1, [p];
            mov.u32 %r2, %tid.x; {instruction} ret; }}"
        );
        let mut bench = Bench::new(&source);
        let word = bench.words(&[start]);
        bench.launch("k", [2, 1, 1], [50, 1, 1], 0, &[Long(word)]).unwrap();
        let expected = (0..100).fold(start, |x, i| combine(x, i % 50));
        assert_eq!(bench.read_words(word, 1), [expected], "{instruction}");
    }
}

#[test]
fn compare_and_swap_builds_a_lock_free_maximum() {
    let source = format!(
        "{HEAD}.visible .entry k(.param .u64 p) {{ .reg .b32 %r<8>; .reg .b64 %d<2>; .reg .pred %p<3>; ld.param.u64 %d1, [p];
        mov.u32 %r1, %tid.x; mul.lo.u32 %r1, %r1, 37; rem.u32 %r1, %r1, 101; ld.volatile.global.u32 %r2, [%d1];
        again: setp.ge.u32 %p1, %r2, %r1; @%p1 bra done; mov.u32 %r3, %r2; atom.global.cas.b32 %r2, [%d1], %r3, %r1;
        setp.ne.u32 %p2, %r2, %r3; @%p2 bra again; done: ret; }}"
    );
    let mut bench = Bench::new(&source);
    let word = bench.words(&[0]);
    bench.launch("k", [1, 1, 1], [100, 1, 1], 0, &[Long(word)]).unwrap();
    assert_eq!(bench.read_words(word, 1), [(0..100).map(|t| t * 37 % 101).max().unwrap()]);
}
