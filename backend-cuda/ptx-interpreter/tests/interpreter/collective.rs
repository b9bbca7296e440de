//! Shuffles, votes and matches of a warp, barriers of a block.

use crate::bench::{Argument::Long, Bench, HEAD, check};
use proptest::prelude::*;

/// Runs `body` in one warp and checks `%ro` of each lane.
fn check_warp(body: &str, values: &[u32], expected: impl Fn(usize) -> u32) {
    let inputs: Vec<[u64; 3]> = values.iter().map(|&v| [v.into(), 0, 0]).collect();
    let lane = std::cell::Cell::new(0);
    check(body, 32, &inputs, |_| {
        let i = lane.get();
        lane.set(i + 1);
        expected(i).into()
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shuffles(values in proptest::collection::vec(any::<u32>(), 32), distance in 0usize..32, log in 0usize..6) {
        // Segments of 2^log lanes: CUDA's `width` argument.
        let width = 1usize << log;
        let mask = (32 - width) << 8;
        let segment = |lane: usize| lane / width * width;
        let get = |lane: usize, source: Option<usize>| values[source.unwrap_or(lane)];
        let run = |mode: &str, clamp: usize, source: &dyn Fn(usize) -> Option<usize>| {
            let body = format!("shfl.sync.{mode}.b32 %ro|%p1, %ra, {distance}, {}, -1;", mask | clamp);
            check_warp(&body, &values, |lane| get(lane, source(lane)));
            let body = format!("shfl.sync.{mode}.b32 %t3|%p1, %ra, {distance}, {}, -1; selp.u32 %ro, 1, 0, %p1;", mask | clamp);
            check_warp(&body, &values, |lane| source(lane).is_some().into());
        };
        run("up", 0, &|lane| lane.checked_sub(distance).filter(|&s| s >= segment(lane)));
        run("down", 31, &|lane| Some(lane + distance).filter(|&s| s < segment(lane) + width));
        run("bfly", 31, &|lane| Some(lane ^ distance).filter(|&s| s < segment(lane) + width));
        run("idx", 31, &|lane| Some(segment(lane) + distance % width));
    }

    #[test]
    fn votes_and_matches(values in proptest::collection::vec(0u32..4, 32)) {
        let set = |holds: &dyn Fn(u32) -> bool| (0..32).filter(|&i| holds(values[i])).fold(0u32, |m, i| m | 1 << i);
        let big = set(&|v| v > 1);
        check_warp("setp.gt.u32 %p1, %ra, 1; vote.sync.ballot.b32 %ro, %p1, -1;", &values, |_| big);
        check_warp("setp.gt.u32 %p1, %ra, 1; vote.sync.any.pred %p2, %p1, -1; selp.u32 %ro, 1, 0, %p2;", &values, |_| u32::from(big != 0));
        check_warp("setp.gt.u32 %p1, %ra, 1; vote.sync.all.pred %p2, !%p1, -1; selp.u32 %ro, 1, 0, %p2;", &values, |_| u32::from(big == 0));
        check_warp("match.any.sync.b32 %ro, %ra, -1;", &values, |lane| set(&|v| v == values[lane]));
        check_warp("match.all.sync.b32 %ro|%p1, %ra, -1; @%p1 add.u32 %ro, %ro, 1;", &values, |_| 0);
        check_warp("mov.u32 %t3, 7; match.all.sync.b32 %ro|%p1, %t3, -1; @!%p1 mov.u32 %ro, 1;", &values, |_| u32::MAX);
        check_warp("redux.sync.add.u32 %ro, %ra, -1;", &values, |_| values.iter().sum());
        check_warp("redux.sync.max.u32 %ro, %ra, -1;", &values, |_| *values.iter().max().unwrap());
        check_warp("redux.sync.xor.b32 %ro, %ra, -1;", &values, |_| values.iter().fold(0, |a, b| a ^ b));
        // Lanes that branched off take part by themselves.
        let body = "setp.gt.u32 %p1, %ra, 1; activemask.b32 %t3; mov.u32 %ro, 0; @!%p1 bra out; activemask.b32 %ro; vote.sync.ballot.b32 %t3, %p1, %ro; mov.u32 %ro, %t3; out:";
        check_warp(body, &values, |lane| if values[lane] > 1 { big } else { 0 });
    }

    #[test]
    fn a_block_adds_up_through_shared_memory(values in proptest::collection::vec(0u32..1000, 64..=256)) {
        let threads = values.len() as u32 / 32 * 32;
        let source = format!("{HEAD}.extern .shared .align 4 .b8 sums[]; .visible .entry k(.param .u64 in, .param .u64 out) {{
            .reg .b32 %r<12>; .reg .b64 %d<6>; .reg .pred %p<4>;
            ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %d3, %r1, 4; add.u64 %d1, %d1, %d3;
            ld.global.nc.u32 %r2, [%d1];
            shfl.sync.bfly.b32 %r3, %r2, 16, 31, -1; add.u32 %r2, %r2, %r3; shfl.sync.bfly.b32 %r3, %r2, 8, 31, -1; add.u32 %r2, %r2, %r3;
            shfl.sync.bfly.b32 %r3, %r2, 4, 31, -1; add.u32 %r2, %r2, %r3; shfl.sync.bfly.b32 %r3, %r2, 2, 31, -1; add.u32 %r2, %r2, %r3;
            shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1; add.u32 %r2, %r2, %r3;
            and.b32 %r4, %r1, 31; setp.ne.u32 %p1, %r4, 0; shr.u32 %r5, %r1, 5; shl.b32 %r5, %r5, 2; mov.u32 %r6, sums; add.u32 %r5, %r5, %r6;
            @!%p1 st.shared.u32 [%r5], %r2;
            bar.sync 0;
            setp.ne.u32 %p2, %r1, 0; @%p2 bra done; mov.u32 %r7, %ntid.x; mov.u32 %r8, 0; mov.u32 %r9, 0;
            next: ld.shared.u32 %r10, [%r6]; add.u32 %r8, %r8, %r10; add.u32 %r6, %r6, 4; add.u32 %r9, %r9, 32; setp.lt.u32 %p3, %r9, %r7; @%p3 bra next;
            st.global.u32 [%d2], %r8; done: ret; }}");
        let mut bench = Bench::new(&source);
        let (from, to) = (bench.words(&values), bench.fresh(4));
        bench.launch("k", [1, 1, 1], [threads, 1, 1], 32, &[Long(from), Long(to)]).unwrap();
        prop_assert_eq!(bench.read_words(to, 1)[0], values[..threads as usize].iter().sum::<u32>());
    }
}

#[test]
fn barriers_reduce_predicates() {
    let source = format!(
        "{HEAD}.visible .entry k(.param .u64 out) {{ .reg .b32 %r<6>; .reg .b64 %d<4>; .reg .pred %p<6>; ld.param.u64 %d1, [out];
        mov.u32 %r1, %tid.x; rem.u32 %r2, %r1, 3; setp.eq.u32 %p1, %r2, 0; barrier.red.popc.u32 %r3, 0, %p1;
        bar.red.or.pred %p2, 0, %p1; bar.red.and.pred %p3, 0, %p1; @%p2 add.u32 %r3, %r3, 1000; @%p3 add.u32 %r3, %r3, 5000;
        mul.wide.u32 %d2, %r1, 4; add.u64 %d1, %d1, %d2; st.global.u32 [%d1], %r3; ret; }}"
    );
    let mut bench = Bench::new(&source);
    let out = bench.fresh(4 * 70);
    bench.launch("k", [1, 1, 1], [70, 1, 1], 0, &[Long(out)]).unwrap();
    assert_eq!(bench.read_words(out, 70), [1024; 70]);
}

#[test]
fn a_producer_warp_and_a_consumer_warp_meet_at_a_named_barrier() {
    let source = format!(
        "{HEAD}.visible .entry k(.param .u64 out) {{ .reg .b32 %r<6>; .reg .b64 %d<4>; .reg .pred %p<6>; .shared .align 4 .b8 tile[128];
        ld.param.u64 %d1, [out]; mov.u32 %r1, %tid.x; and.b32 %r2, %r1, 31; shl.b32 %r3, %r2, 2; mov.u32 %r4, tile; add.u32 %r4, %r4, %r3;
        setp.ge.u32 %p1, %r1, 32; @%p1 bra consume;
        mul.lo.u32 %r5, %r1, %r1; st.shared.u32 [%r4], %r5; bar.arrive 3, 64; bra done;
        consume: bar.sync 3, 64; ld.shared.u32 %r5, [%r4]; cvt.u64.u32 %d2, %r3; add.u64 %d1, %d1, %d2; st.global.u32 [%d1], %r5;
        done: ret; }}"
    );
    let mut bench = Bench::new(&source);
    let out = bench.fresh(128);
    bench.launch("k", [1, 1, 1], [64, 1, 1], 0, &[Long(out)]).unwrap();
    assert_eq!(bench.read_words(out, 32), (0..32).map(|i| i * i).collect::<Vec<u32>>());
}
