//! Every kind of fault, planted, and its clean twin.

use crate::bench::{Argument, Argument::Long, Argument::Word, Bench, HEAD};
use ptx_interpreter::{Fault, FaultKind};

/// A kernel of one buffer: `%d1` is its address, `%d2` that of the thread's word, `%r1` the thread, `%r6` and `%r7`
/// addresses in shared memory of the thread's word and of its neighbour's to the right.
fn kernel(body: &str) -> String {
    format!(
        "{HEAD}.visible .entry planted(.param .u64 p, .param .u32 n) {{
    .reg .b32 %r<16>; .reg .b64 %d<8>; .reg .pred %p<8>; .shared .align 16 .b8 tile[1024];
    ld.param.u64 %d1, [p]; mov.u32 %r1, %tid.x; mul.wide.u32 %d2, %r1, 4; add.u64 %d2, %d1, %d2;
    shl.b32 %r2, %r1, 2; mov.u32 %r3, tile; add.u32 %r6, %r3, %r2; add.u32 %r4, %r1, 1; rem.u32 %r4, %r4, 64; shl.b32 %r4, %r4, 2; add.u32 %r7, %r3, %r4;
{body}
    ret; }}"
    )
}

/// The line in [`kernel`]'s text that its body starts with.
const FIRST: u32 = 8;

/// Runs it with 64 threads on 64 written words.
fn run(body: &str) -> Result<u64, Fault> {
    let mut bench = Bench::new(&kernel(body));
    let buffer = bench.words(&[7; 64]);
    bench.launch("planted", [2, 1, 1], [64, 1, 1], 0, &[Long(buffer), Word(1)])
}

/// Checks that the body is refused, on this line of it (from zero), and returns the fault.
fn refused(body: &str, kind: FaultKind, line: u32) -> Fault {
    let fault = run(body).expect_err(body);
    assert_eq!((fault.kind, fault.line), (kind, FIRST + line), "{body}\n{fault}");
    assert_eq!(fault.kernel, "planted");
    assert!(fault.to_string().contains(&format!("PTX line {}", FIRST + line)));
    fault
}

#[track_caller]
fn clean(body: &str) {
    if let Err(fault) = run(body) {
        panic!("{body}\n{fault}");
    }
}

#[test]
fn out_of_bounds() {
    let fault =
        refused("setp.eq.u32 %p1, %r1, 63;\n@%p1 ld.global.u32 %r5, [%d2+4];", FaultKind::OutOfBounds, 1);
    assert_eq!((fault.block, fault.thread), ([0, 0, 0], [63, 0, 0]));
    assert!(fault.detail.contains("offset 256") && fault.detail.contains("256 bytes"), "{fault}");
    clean("setp.eq.u32 %p1, %r1, 63;\n@!%p1 ld.global.u32 %r5, [%d2+4];");
    let fault = refused("ld.global.u32 %r5, [%d1+-4];", FaultKind::OutOfBounds, 0);
    assert!(fault.detail.contains("4 bytes before"), "{fault}");
    refused("st.shared.u32 [%r6+900], %r1;", FaultKind::OutOfBounds, 0);
    refused("ld.shared.u32 %r5, [%r3+-4];", FaultKind::OutOfBounds, 0);
    refused(
        ".local .align 4 .b8 stack[8]; mov.u32 %r5, 8;\nst.local.u32 [stack+8], %r5;",
        FaultKind::OutOfBounds,
        1,
    );
    clean(".local .align 4 .b8 stack[8]; mov.u32 %r5, 8;\nst.local.u32 [stack+4], %r5;");
    let fault = refused("mov.u64 %d3, 0;\natom.global.add.u32 %r5, [%d3], 1;", FaultKind::OutOfBounds, 1);
    assert!(fault.detail.contains("null"), "{fault}");
    // A vector that begins inside and ends outside.
    refused(
        "setp.eq.u32 %p1, %r1, 0;\n@%p1 ld.global.v4.u32 {%r8, %r9, %r10, %r11}, [%d1+256];",
        FaultKind::OutOfBounds,
        1,
    );
}

#[test]
fn use_after_free() {
    let mut bench = Bench::new(&kernel("ld.global.u32 %r5, [%d2];"));
    let (buffer, neighbour) = (bench.words(&[1; 64]), bench.words(&[1; 64]));
    let arguments = [Long(buffer), Word(1)];
    bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &arguments).unwrap();
    assert!(bench.device.heap.free(buffer) && !bench.device.heap.free(buffer));
    // Memory that is allocated later does not take its place.
    assert_ne!(bench.words(&[1; 64]), buffer);
    let fault = bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &arguments).unwrap_err();
    assert!(fault.kind == FaultKind::OutOfBounds && fault.detail.contains("freed"), "{fault}");
    bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &[Long(neighbour), Word(1)]).unwrap();
}

#[test]
fn misaligned() {
    refused("ld.global.u64 %d3, [%d1+4];", FaultKind::Misaligned, 0);
    refused("ld.global.v2.u32 {%r8, %r9}, [%d1+4];", FaultKind::Misaligned, 0);
    clean("ld.global.v2.u32 {%r8, %r9}, [%d1+8];");
    refused("st.shared.u16 [%r3+1], %r1;", FaultKind::Misaligned, 0);
    refused(".local .align 8 .b8 stack[16];\nst.local.u64 [stack+4], %d1;", FaultKind::Misaligned, 1);
}

#[test]
fn uninitialised() {
    let fault = refused("ld.shared.u32 %r5, [%r6];", FaultKind::Uninitialised, 0);
    assert_eq!(fault.thread, [0, 0, 0]);
    clean("st.shared.u32 [%r6], %r1;\nld.shared.u32 %r5, [%r6];");
    // Three bytes of four were written.
    refused(
        "st.shared.u16 [%r6], %r1;\nst.shared.u8 [%r6+2], %r1;\nld.shared.u32 %r5, [%r6];",
        FaultKind::Uninitialised,
        2,
    );
    // What one block wrote to shared memory is not there for the next.
    refused(
        "mov.u32 %r5, %ctaid.x; setp.eq.u32 %p1, %r5, 0;\n@%p1 st.shared.u32 [%r6], %r1;\nld.shared.u32 %r5, [%r6];",
        FaultKind::Uninitialised,
        2,
    );
    let mut bench = Bench::new(&kernel("ld.global.u32 %r5, [%d2];"));
    let fresh = bench.fresh(256);
    let fault = bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &[Long(fresh), Word(1)]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uninitialised);
    let mut bench = Bench::new(&kernel("red.global.add.u32 [%d2], 1;"));
    let fresh = bench.fresh(256);
    let fault = bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &[Long(fresh), Word(1)]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uninitialised);
}

#[test]
fn races_in_shared_memory() {
    // The neighbour's word is read before all have written theirs.
    let fault = refused("st.shared.u32 [%r6], %r1;\nld.shared.u32 %r5, [%r7];", FaultKind::Race, 1);
    assert!(fault.detail.contains("thread 1 of the block") && fault.detail.contains("wrote"), "{fault}");
    clean("st.shared.u32 [%r6], %r1;\nbar.sync 0;\nld.shared.u32 %r5, [%r7];");
    // And written again while the neighbour may still read.
    refused(
        "st.shared.u32 [%r6], %r1;\nbar.sync 0;\nld.shared.u32 %r5, [%r7];\nst.shared.u32 [%r6], %r5;",
        FaultKind::Race,
        3,
    );
    clean(
        "st.shared.u32 [%r6], %r1;\nbar.sync 0;\nld.shared.u32 %r5, [%r7];\nbar.sync 0;\nst.shared.u32 [%r6], %r5;",
    );
    // All write one word.
    refused("st.shared.u32 [%r3], %r1;", FaultKind::Race, 0);
    clean("setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u32 [%r3], %r1;");
    // Neighbouring bytes are no race, the same byte is.
    clean("add.u32 %r5, %r3, %r1;\nst.shared.u8 [%r5], %r1;");
    refused(
        "add.u32 %r5, %r3, %r1; shr.u32 %r8, %r1, 1; add.u32 %r8, %r8, %r3;\nst.shared.u8 [%r8], %r1;",
        FaultKind::Race,
        1,
    );
    // Many readers, then a writer that is one of them.
    refused(
        "setp.eq.u32 %p1, %r1, 5; @%p1 st.shared.u32 [%r3], %r1;\nbar.sync 0;\nld.shared.u32 %r5, [%r3];\n@%p1 st.shared.u32 [%r3], %r1;",
        FaultKind::Race,
        3,
    );
}

#[test]
fn races_in_global_memory() {
    refused("st.global.u32 [%d1], %r1;", FaultKind::Race, 0);
    refused(
        "add.u32 %r5, %r1, 1; rem.u32 %r5, %r5, 64; mul.wide.u32 %d3, %r5, 4; add.u64 %d3, %d1, %d3; st.global.u32 [%d2], %r1;\nld.global.u32 %r8, [%d3];",
        FaultKind::Race,
        1,
    );
    clean(
        "add.u32 %r5, %r1, 1; rem.u32 %r5, %r5, 64; mul.wide.u32 %d3, %r5, 4; add.u64 %d3, %d1, %d3; st.global.u32 [%d2], %r1; bar.sync 0;\nld.global.u32 %r8, [%d3];",
    );
    // Atomics do not race with each other, but with what is none.
    clean("red.global.add.u32 [%d1], 1;");
    refused(
        "red.global.add.u32 [%d1], 1; setp.eq.u32 %p1, %r1, 9;\n@%p1 st.global.u32 [%d1], %r1;",
        FaultKind::Race,
        1,
    );
    refused("red.global.add.u32 [%d1], 1;\nld.global.u32 %r5, [%d1];", FaultKind::Race, 1);
    clean("red.global.add.u32 [%d1], 1; bar.sync 0;\nld.global.u32 %r5, [%d1];");
    clean("st.volatile.global.u32 [%d1], %r1;");
}

#[test]
fn warp_barriers_order_a_warp_and_nobody_else() {
    // Lane i reads what lane i^1 wrote.
    let exchange = "st.shared.u32 [%r6], %r1; xor.b32 %r5, %r6, 4;\n";
    refused(&format!("{exchange}ld.shared.u32 %r8, [%r5];"), FaultKind::Race, 1);
    clean(&format!("{exchange}bar.warp.sync -1;\nld.shared.u32 %r8, [%r5];"));
    // The neighbour to the right of lane 31 is in another warp.
    let fault = refused(
        "st.shared.u32 [%r6], %r1; bar.warp.sync -1;\nld.shared.u32 %r5, [%r7];",
        FaultKind::Uninitialised,
        1,
    );
    assert_eq!(fault.thread, [31, 0, 0]);
    let written = "st.shared.u32 [%r6], 0; bar.sync 0;\n";
    refused(
        &format!(
            "{written}st.shared.u32 [%r6], %r1; bar.warp.sync -1;\nld.shared.u32 %r5, [%r7];\nbar.sync 0;"
        ),
        FaultKind::Race,
        1,
    );
}

#[test]
fn divergent_barriers() {
    let fault =
        refused("setp.lt.u32 %p1, %r1, 32;\n@%p1 bra skip;\nbar.sync 0;\nskip:", FaultKind::Divergence, 2);
    assert!(fault.detail.contains("exited"), "{fault}");
    clean("setp.lt.u32 %p1, %r1, 999;\n@!%p1 bra skip;\nbar.sync 0;\nskip:");
    // Within a warp, and at two different barriers.
    refused("and.b32 %r5, %r1, 1; setp.eq.u32 %p1, %r5, 0;\n@%p1 bar.sync 0;", FaultKind::Divergence, 1);
    let fault = refused(
        "setp.lt.u32 %p1, %r1, 32; @%p1 bra one;\nbar.sync 0;\nbra out;\none:\nbar.sync 0;\nout:",
        FaultKind::Divergence,
        1,
    );
    assert!(fault.detail.contains(&format!("line {}", FIRST + 4)), "{fault}");
    refused(
        "setp.lt.u32 %p1, %r1, 40; @%p1 bra one; bar.sync 1; bra out; one:\nbar.sync 2;\nout:",
        FaultKind::Divergence,
        1,
    );
    // A shuffle that half of the warp never reaches.
    refused(
        "and.b32 %r5, %r1, 1; setp.eq.u32 %p1, %r5, 0; @%p1 bra other;\nshfl.sync.idx.b32 %r8, %r1, 0, 31, -1;\nother: bar.sync 0;",
        FaultKind::Divergence,
        1,
    );
    clean(
        "and.b32 %r5, %r1, 1; setp.eq.u32 %p1, %r5, 0; @%p1 bra other;\nshfl.sync.idx.b32 %r8, %r1, 1, 31, 0xaaaaaaaa;\nother: bar.sync 0;",
    );
}

#[test]
fn what_is_undefined() {
    refused("shfl.sync.idx.b32 %r8, %r1, 0, 31, 2;", FaultKind::Undefined, 0);
    let fault = refused(
        "and.b32 %r5, %r1, 1; setp.eq.u32 %p1, %r5, 0; @%p1 bra other;\nshfl.sync.idx.b32 %r8, %r1, 0, 31, 0xaaaaaaaa;\nother:",
        FaultKind::Undefined,
        1,
    );
    assert!(fault.detail.contains("lane 0"), "{fault}");
    refused("table: .branchtargets here, here;\nbrx.idx 2, table;\nhere:", FaultKind::Undefined, 1);
    refused("setp.eq.u32 %p1, %r1, 33;\n@%p1 trap;", FaultKind::Trap, 1);
    clean("setp.eq.u32 %p1, %r1, 64;\n@%p1 trap;");
}

#[test]
fn missing_parameters() {
    let mut bench = Bench::new(&kernel("ld.param.u32 %r5, [n];"));
    let buffer = bench.words(&[0; 64]);
    let fault = bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &[Long(buffer)]).unwrap_err();
    assert_eq!((fault.kind, fault.line), (FaultKind::MissingParameter, FIRST));
    let both: [Argument; 2] = [Long(buffer), Word(3)];
    bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &both).unwrap();
}

#[test]
fn endless_loops_are_given_up() {
    let mut bench = Bench::new(&kernel("again:\nbra again;"));
    bench.device.checks.limit = 100_000;
    let buffer = bench.words(&[0; 64]);
    let fault = bench.launch("planted", [1, 1, 1], [64, 1, 1], 0, &[Long(buffer), Word(0)]).unwrap_err();
    assert_eq!((fault.kind, fault.line), (FaultKind::Limit, FIRST + 1));
}
