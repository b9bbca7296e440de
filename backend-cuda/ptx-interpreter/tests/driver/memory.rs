//! Memory, launches and what is counted.

use crate::api::{
    allocate, call, device, download, function, launch, launches, stream, synchronisations, upload,
};
use std::ffi::c_void;

#[test]
fn a_kernel_runs_on_uploaded_memory() {
    let _device = device();
    let (function, data) = (function(""), upload(&(0..64).collect::<Vec<_>>()));
    assert_eq!(launch(function, 64, 0, data, 5), 0);
    assert_eq!(download(data, 64).unwrap(), (5..69).collect::<Vec<_>>());
    assert_eq!(call!(cuMemFree_v2(data => u64)), 0);
    assert_eq!(call!(cuMemFree_v2(data => u64)), 1, "freed twice");
}

#[test]
fn what_waits_is_counted_and_what_does_not_is_not() {
    let _device = device();
    let (function, data, stream) = (function(""), upload(&[0; 64]), stream());
    let (waits, runs) = (synchronisations(), launches());
    for n in 0..3 {
        assert_eq!(launch(function, 64, stream, data, n), 0);
        assert_eq!(call!(cuMemsetD32Async(data => u64, 9 => u32, 64 => usize, stream => usize)), 0);
        assert_eq!(
            call!(cuMemcpyDtoDAsync_v2(data + 128 => u64, data => u64, 64 => usize, stream => usize)),
            0
        );
    }
    assert_eq!((synchronisations() - waits, launches() - runs), (0, 3));
    assert_eq!(call!(cuStreamSynchronize(stream => usize)), 0);
    assert_eq!(call!(cuCtxSynchronize()), 0);
    download(data, 1).unwrap();
    assert_eq!(synchronisations() - waits, 3);
}

#[test]
fn copies_and_fills_stay_within_their_memory() {
    let _device = device();
    let (a, b) = (allocate(64), allocate(64));
    for (value, width) in [(0x0102_0304u32, 4usize), (0x0506, 2), (7, 1)] {
        let code = match width {
            4 => call!(cuMemsetD32_v2(a => u64, value => u32, 16 => usize)),
            2 => call!(cuMemsetD16_v2(a => u64, value as u16 => u16, 32 => usize)),
            _ => call!(cuMemsetD8_v2(a => u64, value as u8 => u8, 64 => usize)),
        };
        assert_eq!(code, 0);
        assert_eq!(call!(cuMemcpyDtoD_v2(b => u64, a => u64, 64 => usize)), 0);
        let wanted = (0..4 / width).fold(0, |out, i| out | value << (8 * width * i));
        assert_eq!(download(b, 16).unwrap(), [wanted; 16]);
    }
    assert_eq!(call!(cuMemsetD8_v2(a => u64, 0 => u8, 65 => usize)), 1);
    assert_eq!(call!(cuMemsetD32_v2(a + 2 => u64, 0 => u32, 1 => usize)), 1);
    assert_eq!(call!(cuMemcpyDtoD_v2(b + 32 => u64, a => u64, 64 => usize)), 1);
    assert_eq!(call!(cuMemcpyHtoD_v2(0 => u64, (&raw const a).cast() => *const c_void, 8 => usize)), 1);
    assert_eq!(download(a + 60, 2), Err(1));
}

#[test]
fn memory_that_is_not_there_is_not_given() {
    let _device = device();
    let (mut free, mut total, mut address) = (0usize, 0usize, 0u64);
    assert_eq!(call!(cuMemGetInfo_v2(&mut free => *mut usize, &mut total => *mut usize)), 0);
    assert!(free <= total);
    assert_eq!(call!(cuMemAlloc_v2(&mut address => *mut u64, free + 1 => usize)), 2);
    let held = allocate(1 << 20);
    let mut left = 0usize;
    assert_eq!(call!(cuMemGetInfo_v2(&mut left => *mut usize, &mut total => *mut usize)), 0);
    assert_eq!(free - left, 1 << 20);
    assert_eq!(call!(cuMemFree_v2(held => u64)), 0);
}

#[test]
fn what_was_never_written_stays_so_through_a_copy() {
    let _device = device();
    let (function, data, fresh) = (function(""), upload(&[1; 64]), allocate(256));
    assert_eq!(call!(cuMemcpyDtoD_v2(data + 128 => u64, fresh => u64, 128 => usize)), 0);
    assert_eq!(launch(function, 32, 0, data, 1), 0);
    assert_eq!(call!(cuCtxSynchronize()), 0);
    assert_eq!(launch(function, 33, 0, data, 1), 0);
    assert_eq!(call!(cuCtxSynchronize()), 719);
}
