//! Faults and refusals as codes, with their reports.

use crate::api::{call, device, download, function, launch, launch_raw, report, upload};
use std::ffi::{CStr, c_char, c_void};

#[test]
fn a_fault_shows_at_the_next_call_and_stays() {
    let _device = device();
    for (body, code, kind) in [
        ("st.global.u32 [%d1+256], %r1;", 700, "out-of-bounds access"),
        ("ld.global.u64 %d3, [%d1+4];", 716, "misaligned access"),
        ("st.global.u32 [%d1], %r1;", 719, "data race"),
        ("setp.lt.u32 %p1, %r1, 3; @%p1 bar.sync 0;", 719, "divergent barrier"),
        (".shared .b32 x; ld.shared.u32 %r3, [x];", 719, "uninitialised read"),
        ("trap;", 715, "trap"),
    ] {
        let (function, data) = (function(body), upload(&[1; 64]));
        assert_eq!(launch(function, 64, 0, data, 1), 0, "a launch does not wait for its kernel");
        assert_eq!(call!(cuCtxSynchronize()), code);
        assert_eq!(download(data, 1), Err(code), "it stays");
        assert_eq!(launch(function, 1, 0, data, 1), code);
        let text = report();
        assert!(
            text.starts_with(kind) && text.contains("kernel add, PTX line 7, block (0, 0, 0), thread ("),
            "{text}"
        );
        call!(ptx_interpreter_reset() -> ());
        assert_eq!(call!(cuCtxSynchronize()), 0);
    }
}

#[test]
fn launches_beyond_limits_are_refused_at_once() {
    let _device = device();
    let (function, data) = (function(""), upload(&[1; 64]));
    for (threads, shared, code) in [(0, 0, 1), (2048, 0, 1), (129, 0, 701), (64, 1 << 20, 1)] {
        let arguments: [*const c_void; 2] = [(&raw const data).cast(), (&raw const threads).cast()];
        assert_eq!(launch_raw(function, threads, shared, 0, arguments.as_ptr()), code);
        assert!(code == 0 || report().contains("launch of kernel add refused"), "{}", report());
    }
    assert_eq!(launch(function, 64, 0, data, 1), 0);
    assert_eq!(download(data, 1), Ok(vec![2]));
    assert_eq!(launch(12345, 64, 0, data, 1), 400);
    assert_eq!(launch(function, 64, 777, data, 1), 400);
}

#[test]
fn arguments_that_are_not_given_are_missed() {
    let _device = device();
    let (function, data) = (function(""), upload(&[1; 64]));
    let arguments: [*const c_void; 2] = [(&raw const data).cast(), std::ptr::null()];
    assert_eq!(launch_raw(function, 64, 0, 0, arguments.as_ptr()), 0);
    assert_eq!(call!(cuCtxSynchronize()), 719);
    assert!(report().contains("missing kernel parameter"), "{}", report());
}

#[test]
fn text_that_is_no_ptx_is_refused_with_its_line_in_the_log() {
    let _device = device();
    let source = c".version 8.0\n.target sm_75\n.address_size 64\n.entry k() {\nfly.to.the.moon; }\n";
    let mut log = [1u8; 200];
    let (mut module, options) = (0usize, [5i32, 6]);
    let values = [log.as_mut_ptr() as usize, log.len()];
    let code = call!(cuModuleLoadDataEx(
        &mut module => *mut usize, source.as_ptr().cast() => *const c_void, 2 => u32, options.as_ptr() => *const i32, values.as_ptr() => *const usize,
    ));
    assert_eq!(code, 218);
    let text = CStr::from_bytes_until_nul(&log).unwrap().to_str().unwrap();
    assert!(text.starts_with("PTX line 5:") && text.contains("fly.to.the.moon"), "{text}");
    let mut function = 0usize;
    assert_eq!(
        call!(cuModuleGetFunction(&mut function => *mut usize, module => usize, c"k".as_ptr() => *const c_char)),
        400
    );
}

#[test]
fn a_thread_without_a_context_is_told_so() {
    let _device = device();
    std::thread::spawn(|| assert_eq!(call!(cuCtxSynchronize()), 201)).join().unwrap();
    let mut name: *const c_char = std::ptr::null();
    assert_eq!(call!(cuGetErrorName(700 => u32, &mut name => *mut *const c_char)), 0);
    // SAFETY: the library's own text.
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_eq!(call!(cuGetErrorString(12345 => u32, &mut name => *mut *const c_char)), 1);
}
