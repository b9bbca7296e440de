//! Several devices: each has memory, handles and faults of its own.

use std::ffi::c_void;
use std::thread;

use crate::api::{DEVICES, bind, call, device, download, function, launch, stream, upload};

#[test]
fn devices_are_counted_and_told_apart() {
    let _turn = device();
    let mut count = 0;
    assert_eq!(call!(cuDeviceGetCount(&mut count => *mut i32)), 0);
    assert_eq!(count, DEVICES);
    let mut uuids = Vec::new();
    for ordinal in 0..count {
        let (mut uuid, mut found) = ([0u8; 16], -1);
        assert_eq!(call!(cuDeviceGetUuid(&mut uuid => *mut [u8; 16], ordinal => i32)), 0);
        uuids.push(uuid);
        bind(ordinal);
        assert_eq!(call!(cuCtxGetDevice(&mut found => *mut i32)), 0);
        assert_eq!(found, ordinal);
    }
    uuids.dedup();
    assert_eq!(uuids.len(), 3);
    for ordinal in [-1, count] {
        assert_eq!(call!(cuDeviceGet(&mut 0 => *mut i32, ordinal => i32)), 101);
        assert_eq!(call!(cuDevicePrimaryCtxRetain(&mut 0 => *mut usize, ordinal => i32)), 101);
    }
}

/// What belongs to one device is nothing on another.
#[test]
fn memory_streams_and_kernels_are_one_device_s() {
    let _turn = device();
    let (function, data, stream) = (function(""), upload(&[1; 64]), stream());
    bind(1);
    let own = upload(&[7; 64]);
    assert_ne!(own, data);
    assert_eq!(download(data, 1), Err(1), "memory of another device");
    assert_eq!(launch(function, 64, 0, own, 1), 400, "a kernel of another device");
    assert_eq!(call!(cuStreamSynchronize(stream => usize)), 400, "a stream of another device");
    bind(0);
    assert_eq!(launch(function, 64, stream, data, 4), 0);
    assert_eq!(download(data, 2), Ok(vec![5, 5]));
}

#[test]
fn a_fault_is_one_device_s() {
    let _turn = device();
    let (faulty, data) = (function("trap;"), upload(&[1; 64]));
    assert_eq!(launch(faulty, 64, 0, data, 1), 0);
    assert_eq!(call!(cuCtxSynchronize()), 715);
    bind(2);
    assert_eq!(call!(cuCtxSynchronize()), 0);
    let own = upload(&[3; 4]);
    assert_eq!(download(own, 4), Ok(vec![3; 4]));
    bind(0);
    assert_eq!(call!(cuCtxSynchronize()), 715);
    call!(ptx_interpreter_reset() -> ());
    assert_eq!(call!(cuCtxSynchronize()), 0);
}

/// Work of one device does not wait for that of another, which may wait for it.
#[test]
fn devices_work_at_the_same_time() {
    use std::sync::Barrier;

    extern "C" fn run(barrier: *const c_void, _: *const c_void) -> u32 {
        // SAFETY: the barrier outlives the threads.
        unsafe { &*barrier.cast::<Barrier>() }.wait();
        0
    }
    extern "C" fn release(_: *mut c_void) {}

    let _turn = device();
    let barrier = Barrier::new(2);
    let place = (&raw const barrier).addr();
    thread::scope(|scope| {
        for ordinal in 0..2 {
            scope.spawn(move || {
                bind(ordinal);
                let stream = stream();
                type Run = extern "C" fn(*const c_void, *const c_void) -> u32;
                let data = std::ptr::with_exposed_provenance_mut(place);
                let code = call!(ptx_interpreter_submit(
                    stream => usize, run => Run, release => extern "C" fn(*mut c_void), data => *mut c_void,
                ));
                assert_eq!(code, 0);
            });
        }
    });
}
