//! Streams that are captured, and the graphs they become.

use crate::api::{call, device, download, function, launch, launches, stream, synchronisations, upload};

fn end(stream: usize) -> Result<usize, u32> {
    let mut graph = 0;
    match call!(cuStreamEndCapture(stream => usize, &mut graph => *mut usize)) {
        0 => Ok(graph),
        code => Err(code),
    }
}

#[test]
fn a_graph_does_again_what_was_captured() {
    let _device = device();
    let (function, data, stream) = (function(""), upload(&[1; 64]), stream());
    assert_eq!(call!(cuStreamBeginCapture_v2(stream => usize, 0 => i32)), 0);
    let runs = launches();
    assert_eq!(launch(function, 64, stream, data, 10), 0);
    // Arguments count as they were when the launch was captured.
    assert_eq!(launch(function, 32, stream, data, 100), 0);
    assert_eq!(call!(cuMemsetD32Async(data + 252 => u64, 7 => u32, 1 => usize, stream => usize)), 0);
    let graph = end(stream).unwrap();
    assert_eq!(launches(), runs, "captured, not done");
    assert_eq!(download(data, 64).unwrap(), [1; 64]);

    let (mut executable, mut nodes) = (0usize, 0usize);
    assert_eq!(
        call!(cuGraphGetNodes(graph => usize, std::ptr::null_mut() => *mut usize, &mut nodes => *mut usize)),
        0
    );
    assert_eq!(nodes, 3);
    assert_eq!(
        call!(cuGraphInstantiateWithFlags(&mut executable => *mut usize, graph => usize, 0 => u64)),
        0
    );
    assert_eq!(call!(cuGraphDestroy(graph => usize)), 0);
    let waits = synchronisations();
    for _ in 0..2 {
        assert_eq!(call!(cuGraphLaunch(executable => usize, stream => usize)), 0);
    }
    assert_eq!((launches() - runs, synchronisations()), (4, waits));
    let mut wanted = [21; 64];
    wanted[..32].fill(221);
    wanted[63] = 7;
    assert_eq!(download(data, 64).unwrap(), wanted);
    assert_eq!(call!(cuGraphExecDestroy(executable => usize)), 0);
    assert_eq!(call!(cuGraphLaunch(executable => usize, stream => usize)), 400);
}

/// Allocating is forbidden to all threads by a global capture, to its own by a thread's.
#[test]
fn a_threads_capture_forbids_nothing_to_others() {
    let _device = device();
    let stream = stream();
    let mut context = 0usize;
    assert_eq!(call!(cuCtxGetCurrent(&mut context => *mut usize)), 0);
    let allocate = || {
        assert_eq!(call!(cuCtxSetCurrent(context => usize)), 0);
        let mut address = 0u64;
        call!(cuMemAlloc_v2(&mut address => *mut u64, 64 => usize))
    };
    // Whether an allocation here, or in another thread, fails and ends a capture of the mode.
    for (mode, here, there) in [(0, true, true), (1, true, false), (2, false, false)] {
        for (fails, elsewhere) in [(here, false), (there, true)] {
            assert_eq!(call!(cuStreamBeginCapture_v2(stream => usize, mode => i32)), 0);
            let code = match elsewhere {
                true => std::thread::scope(|scope| scope.spawn(allocate).join().unwrap()),
                false => allocate(),
            };
            assert_eq!(code == 900, fails, "mode {mode}, elsewhere: {elsewhere}");
            assert_eq!(end(stream).is_err(), fails, "mode {mode}, elsewhere: {elsewhere}");
        }
    }
}

#[test]
fn an_external_mark_is_set_by_every_launch_of_its_graph() {
    let _device = device();
    let stream = stream();
    let (mut before, mut after) = (0usize, 0usize);
    for event in [&mut before, &mut after] {
        assert_eq!(call!(cuEventCreate(event => *mut usize, 0 => u32)), 0);
    }
    let elapsed = |from: usize, to: usize| {
        let mut milliseconds = 0.0f32;
        match call!(cuEventElapsedTime(&mut milliseconds => *mut f32, from => usize, to => usize)) {
            0 => Ok(milliseconds),
            code => Err(code),
        }
    };
    assert_eq!(call!(cuEventRecord(before => usize, stream => usize)), 0);
    assert_eq!(call!(cuStreamBeginCapture_v2(stream => usize, 0 => i32)), 0);
    assert_eq!(call!(cuEventRecordWithFlags(after => usize, stream => usize, 1 => u32)), 0);
    let graph = end(stream).unwrap();
    assert_eq!(elapsed(before, after), Err(400), "kept, not set");
    let mut executable = 0usize;
    assert_eq!(
        call!(cuGraphInstantiateWithFlags(&mut executable => *mut usize, graph => usize, 0 => u64)),
        0
    );
    let mut last = -1.0;
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(call!(cuGraphLaunch(executable => usize, stream => usize)), 0);
        let now = elapsed(before, after).unwrap();
        assert!(now >= last + 1.0, "{now} after {last}");
        last = now;
    }
}

#[test]
fn waiting_for_a_captured_stream_ends_the_capture() {
    let _device = device();
    let (data, stream) = (upload(&[1; 64]), stream());
    assert_eq!(call!(cuStreamBeginCapture_v2(stream => usize, 0 => i32)), 0);
    assert_eq!(call!(cuStreamBeginCapture_v2(stream => usize, 0 => i32)), 401);
    assert_eq!(call!(cuStreamSynchronize(stream => usize)), 900);
    assert_eq!(end(stream), Err(901));
    assert_eq!(end(stream), Err(401));
    assert_eq!(call!(cuStreamBeginCapture_v2(stream => usize, 0 => i32)), 0);
    assert_eq!(download(data, 1), Err(906));
    assert_eq!(end(stream), Err(901));
    // All is well again.
    assert_eq!(download(data, 1), Ok(vec![1]));
    assert_eq!(call!(cuStreamBeginCapture_v2(0 => usize, 0 => i32)), 900);
}

#[test]
fn a_stream_that_waits_for_a_captured_event_is_captured_too() {
    let _device = device();
    let (function, data, first, second) = (function(""), upload(&[1; 64]), stream(), stream());
    let mut event = 0usize;
    assert_eq!(call!(cuEventCreate(&mut event => *mut usize, 2 => u32)), 0);
    assert_eq!(call!(cuStreamBeginCapture_v2(first => usize, 0 => i32)), 0);
    assert_eq!(call!(cuEventRecord(event => usize, first => usize)), 0);
    assert_eq!(call!(cuStreamWaitEvent(second => usize, event => usize, 0 => u32)), 0);
    assert_eq!(launch(function, 64, second, data, 3), 0);
    assert_eq!(call!(cuEventRecord(event => usize, second => usize)), 0);
    assert_eq!(call!(cuStreamWaitEvent(first => usize, event => usize, 0 => u32)), 0);
    let graph = end(first).unwrap();
    assert_eq!(download(data, 64).unwrap(), [1; 64]);
    let mut executable = 0usize;
    let null = std::ptr::null_mut;
    assert_eq!(
        call!(cuGraphInstantiate_v2(&mut executable => *mut usize, graph => usize, null() => *mut usize, std::ptr::null_mut() => *mut u8, 0 => usize)),
        0
    );
    assert_eq!(call!(cuGraphLaunch(executable => usize, first => usize)), 0);
    assert_eq!(download(data, 64).unwrap(), [4; 64]);
}
