//! Branches that diverge and join, loops of different lengths, calls, tables, special registers.

use crate::bench::{Argument::Long, Bench, HEAD, check, inputs};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn each_lane_loops_as_often_as_it_must(inputs in inputs()) {
        // Collatz: every lane leaves at another time, with branches inside.
        let body = "and.b32 %t3, %ra, 1023; add.u32 %t3, %t3, 1; mov.u32 %ro, 0;
            next: setp.le.u32 %p1, %t3, 1; @%p1 bra out; and.b32 %t4, %t3, 1; setp.eq.u32 %p2, %t4, 0; @%p2 bra even;
            mad.lo.u32 %t3, %t3, 3, 1; bra.uni join; even: shr.u32 %t3, %t3, 1; join: add.u32 %ro, %ro, 1; bra next; out:";
        check(body, 32, &inputs, |[a, ..]| {
            let mut n = (a & 1023) + 1;
            let mut steps = 0;
            while n > 1 {
                n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
                steps += 1;
            }
            steps
        });
    }

    #[test]
    fn lanes_that_branched_join_again(inputs in inputs()) {
        // After the branches the shuffle needs the whole warp.
        let body = "and.b32 %t3, %ra, 3; setp.eq.u32 %p1, %t3, 0; @%p1 bra one; setp.eq.u32 %p2, %t3, 1; @%p2 bra two; mov.u32 %t4, 7; bra join;
            one: mov.u32 %t4, 5; bra join; two: mov.u32 %t4, 6; join: shfl.sync.idx.b32 %t5, %t4, 0, 31, -1; sub.u32 %ro, %t4, %t5; shfl.sync.idx.b32 %t6, %t4, 0, 31, -1; add.u32 %ro, %ro, %t6;";
        check(body, 32, &inputs, |[a, ..]| match a & 3 { 0 => 5, 1 => 6, _ => 7 });
    }

    #[test]
    fn branch_tables(inputs in inputs()) {
        let body = "and.b32 %t3, %ra, 3; table: .branchtargets zero, one, two, one; brx.idx %t3, table;
            zero: mov.u32 %ro, 10; bra out; one: mov.u32 %ro, 11; bra out; two: mov.u32 %ro, 12; out:";
        check(body, 32, &inputs, |[a, ..]| [10, 11, 12, 11][(a & 3) as usize]);
    }

    #[test]
    fn selections(inputs in inputs()) {
        check("setp.lt.s32 %p1, %ra, %rb; selp.b64 %do, %da, %dc, %p1;", 64, &inputs, |[a, b, c]| if (a as i32) < b as i32 { a } else { c });
        let logic = "setp.lt.u32 %p1, %ra, %rb; setp.lt.u32 %p2, %rb, %rc; and.pred %p3, %p1, %p2; or.pred %p4, %p1, %p2; xor.pred %p5, %p1, %p2; not.pred %p6, %p1;
            mov.u32 %ro, 0; @%p3 add.u32 %ro, %ro, 1; @%p4 add.u32 %ro, %ro, 2; @%p5 add.u32 %ro, %ro, 4; @!%p6 add.u32 %ro, %ro, 8;";
        check(logic, 32, &inputs, |[a, b, c]| {
            let (p, q) = ((a as u32) < b as u32, (b as u32) < c as u32);
            u64::from(p && q) + 2 * u64::from(p || q) + 4 * u64::from(p != q) + 8 * u64::from(p)
        });
    }
}

#[test]
fn functions_are_called_by_value_and_return() {
    let source = format!(
        "{HEAD}.func (.param .b32 result) square_plus(.param .b32 x, .param .b32 y) {{ .reg .b32 %r<4>; .reg .pred %p<2>;
            ld.param.u32 %r1, [x]; ld.param.u32 %r2, [y]; setp.gt.u32 %p1, %r1, 5; @%p1 bra large; mad.lo.u32 %r3, %r1, %r1, %r2; st.param.b32 [result], %r3; ret;
            large: st.param.b32 [result], 100; ret; }}
        .visible .entry k(.param .u64 out) {{ .reg .b32 %r<8>; .reg .b64 %d<4>; ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x;
            {{ .param .b32 p0; .param .b32 p1; .param .b32 retval0; st.param.b32 [p0], %r1; st.param.b32 [p1+0], 3; call.uni (retval0), square_plus, (p0, p1); ld.param.b32 %r2, [retval0+0]; }}
            {{ .param .b32 p0; .param .b32 p1; .param .b32 retval0; st.param.b32 [p0], 2; st.param.b32 [p1], %r2; call (retval0), square_plus, (p0, p1); ld.param.b32 %r3, [retval0]; }}
            mul.wide.u32 %d2, %r1, 4; add.u64 %d1, %d1, %d2; st.global.u32 [%d1], %r3; ret; }}"
    );
    let mut bench = Bench::new(&source);
    let out = bench.fresh(4 * 40);
    bench.launch("k", [1, 1, 1], [40, 1, 1], 0, &[Long(out)]).unwrap();
    let expected: Vec<u32> = (0..40).map(|t| 4 + if t > 5 { 100 } else { t * t + 3 }).collect();
    assert_eq!(bench.read_words(out, 40), expected);
}

#[test]
fn threads_know_where_they_are() {
    let source = format!(
        "{HEAD}.visible .entry k(.param .u64 out) {{ .reg .b32 %r<16>; .reg .b64 %d<4>; ld.param.u64 %d1, [out];
        mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z; mov.u32 %r4, %ntid.x; mov.u32 %r5, %ntid.y; mov.u32 %r6, %ntid.z;
        mad.lo.u32 %r7, %r3, %r5, %r2; mad.lo.u32 %r7, %r7, %r4, %r1; mov.u32 %r8, %ctaid.y; mov.u32 %r9, %nctaid.x; mov.u32 %r10, %ctaid.x; mad.lo.u32 %r8, %r8, %r9, %r10;
        mul.lo.u32 %r11, %r4, %r5; mul.lo.u32 %r11, %r11, %r6; mad.lo.u32 %r8, %r8, %r11, %r7; mul.wide.u32 %d2, %r8, 8; add.u64 %d1, %d1, %d2;
        mov.u32 %r12, %laneid; mov.u32 %r13, %warpid; mad.lo.u32 %r12, %r13, 32, %r12; mov.u32 %r14, %lanemask_lt; popc.b32 %r14, %r14;
        st.global.v2.u32 [%d1], {{%r12, %r14}}; ret; }}"
    );
    let mut bench = Bench::new(&source);
    let (grid, block, threads) = ([2, 3, 1], [5, 4, 3], 60);
    let out = bench.fresh(8 * 6 * threads);
    bench.launch("k", grid, block, 0, &[Long(out)]).unwrap();
    let expected: Vec<u32> = (0..6).flat_map(|_| (0..threads as u32).flat_map(|t| [t, t % 32])).collect();
    assert_eq!(bench.read_words(out, 2 * 6 * threads), expected);
}

#[test]
fn threads_that_wait_for_each_other_both_go_on() {
    // One lane spins on a flag that another lane of its warp, further on in the text, sets; so does another warp.
    let source = format!(
        "{HEAD}.visible .entry k(.param .u64 flag) {{ .reg .b32 %r<4>; .reg .b64 %d<2>; .reg .pred %p<4>; ld.param.u64 %d1, [flag]; mov.u32 %r1, %tid.x;
        setp.eq.u32 %p1, %r1, 17; @%p1 bra set; wait: ld.volatile.global.u32 %r2, [%d1]; setp.eq.u32 %p2, %r2, 0; @%p2 bra wait; bra done;
        set: st.volatile.global.u32 [%d1], 1; done: ret; }}"
    );
    let mut bench = Bench::new(&source);
    let flag = bench.words(&[0]);
    bench.launch("k", [1, 1, 1], [96, 1, 1], 0, &[Long(flag)]).unwrap();
    assert_eq!(bench.read_words(flag, 1), [1]);
}
