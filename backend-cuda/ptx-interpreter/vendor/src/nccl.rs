//! NCCL: communicators whose ranks are threads or processes, each with an interpreter's device of its own.

mod hub;
mod work;

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::device::{current_device, submit};
use crate::objects::{Object, create, destroy, find, put};
use hub::Link;
use work::{Operation, by_stream};

pub use work::Communicator;

type Status = u32;
const SUCCESS: Status = 0;
const UNHANDLED_CUDA_ERROR: Status = 1;
const SYSTEM_ERROR: Status = 2;
const INVALID_ARGUMENT: Status = 4;
const INVALID_USAGE: Status = 5;
const REMOTE_ERROR: Status = 6;

/// As in the header: opaque bytes. Here they are a hub's name.
#[repr(C)]
pub struct UniqueId {
    internal: [u8; 128],
}

/// Says what is wrong.
fn refuse(status: Status, what: &str) -> Status {
    eprintln!("vendor-stand-in: NCCL: {what}");
    status
}

/// A group that this thread is collecting calls of: how many are open, and the calls.
#[derive(Default)]
struct Group {
    depth: usize,
    calls: Vec<(Arc<Communicator>, usize, Operation)>,
}

thread_local! {
    static GROUP: RefCell<Group> = RefCell::default();
}

#[unsafe(no_mangle)]
extern "C" fn ncclGetVersion(version: *mut c_int) -> Status {
    if put(version, 22_703) { SUCCESS } else { refuse(INVALID_ARGUMENT, "no place for the version") }
}

#[unsafe(no_mangle)]
extern "C" fn ncclGetErrorString(status: Status) -> *const c_char {
    let text: &CStr = match status {
        SUCCESS => c"no error",
        UNHANDLED_CUDA_ERROR => c"unhandled cuda error",
        SYSTEM_ERROR => c"unhandled system error",
        INVALID_ARGUMENT => c"invalid argument",
        INVALID_USAGE => c"invalid usage",
        REMOTE_ERROR => c"remote process exited or there was a network error",
        _ => c"unknown result code",
    };
    text.as_ptr()
}

/// Details are on standard error.
#[unsafe(no_mangle)]
extern "C" fn ncclGetLastError(_communicator: usize) -> *const c_char {
    c"".as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn ncclGetUniqueId(place: *mut UniqueId) -> Status {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("vendor-stand-in-nccl-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    let mut internal = [0; 128];
    internal[..name.len()].copy_from_slice(name.as_bytes());
    if place.is_null() {
        return refuse(INVALID_ARGUMENT, "no place for the unique id");
    }
    if let Err(error) = hub::open(name.as_bytes()) {
        return refuse(SYSTEM_ERROR, &format!("no hub: {error}"));
    }
    put(place, UniqueId { internal });
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn ncclCommInitRank(place: *mut usize, ranks: c_int, id: UniqueId, rank: c_int) -> Status {
    let (Ok(ranks), Ok(rank)) = (u32::try_from(ranks), u32::try_from(rank)) else {
        return refuse(INVALID_ARGUMENT, "a negative number of ranks");
    };
    if place.is_null() || rank >= ranks {
        return refuse(INVALID_ARGUMENT, &format!("rank {rank} of {ranks}, or no place for it"));
    }
    let Some(device) = current_device() else { return refuse(UNHANDLED_CUDA_ERROR, "no context is current") };
    let name = id.internal.split(|&byte| byte == 0).next().unwrap_or_default();
    match Link::join(name, [rank, ranks, process::id(), device as u32]) {
        Ok(Some(link)) => {
            let communicator = Communicator { link, rank, ranks, device, failure: AtomicU32::new(0) };
            create(place, Object::Communicator(Arc::new(communicator)));
            SUCCESS
        }
        Ok(None) => {
            refuse(INVALID_USAGE, "a rank or a device that is there twice, or another number of ranks")
        }
        Err(error) => refuse(SYSTEM_ERROR, &format!("no hub: {error}")),
    }
}

fn end(number: usize) -> Status {
    let is = |object: &Object| matches!(object, Object::Communicator(_));
    if destroy(number, is) { SUCCESS } else { refuse(INVALID_ARGUMENT, "no such communicator") }
}

#[unsafe(no_mangle)]
extern "C" fn ncclCommDestroy(number: usize) -> Status {
    end(number)
}

#[unsafe(no_mangle)]
extern "C" fn ncclCommAbort(number: usize) -> Status {
    end(number)
}

#[unsafe(no_mangle)]
extern "C" fn ncclCommGetAsyncError(number: usize, place: *mut Status) -> Status {
    match find(number) {
        Some(Object::Communicator(communicator)) if !place.is_null() => {
            put(place, communicator.failure.load(Ordering::SeqCst));
            SUCCESS
        }
        _ => refuse(INVALID_ARGUMENT, "no such communicator, or no place for its state"),
    }
}

#[unsafe(no_mangle)]
extern "C" fn ncclGroupStart() -> Status {
    GROUP.with_borrow_mut(|group| group.depth += 1);
    SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn ncclGroupEnd() -> Status {
    let calls = GROUP.with_borrow_mut(|group| {
        group.depth = group.depth.checked_sub(1)?;
        Some(if group.depth == 0 { std::mem::take(&mut group.calls) } else { Vec::new() })
    });
    let Some(calls) = calls else { return refuse(INVALID_USAGE, "the end of no group") };
    for (communicator, stream, operations) in by_stream(calls) {
        // Work belongs to the communicator's device, whose context must be current as for any launch.
        if current_device() != Some(communicator.device) {
            return refuse(INVALID_USAGE, "a communicator of another device than the current one");
        }
        if communicator.failure.load(Ordering::SeqCst) != 0 {
            return communicator.failure.load(Ordering::SeqCst);
        }
        let done = submit(stream, move |memory| communicator.run(&operations, memory));
        if let Err(code) = done {
            return refuse(UNHANDLED_CUDA_ERROR, &format!("the driver answers {code}"));
        }
    }
    SUCCESS
}

/// Bytes of a value of a type by its number; half types are nobody's here.
fn size(datatype: u32) -> Option<usize> {
    match datatype {
        0 | 1 => Some(1),
        2 | 3 | 7 => Some(4),
        4 | 5 | 8 => Some(8),
        _ => None,
    }
}

/// Adds a call to the group, or does it at once.
fn ask(
    number: usize,
    stream: usize,
    (count, datatype): (usize, u32),
    peer: c_int,
    operation: impl FnOnce(u32, usize) -> Operation,
) -> Status {
    let Some(Object::Communicator(communicator)) = find(number) else {
        return refuse(INVALID_ARGUMENT, "no such communicator");
    };
    let (Some(size), Ok(peer)) = (size(datatype), u32::try_from(peer)) else {
        return refuse(INVALID_ARGUMENT, &format!("values of type {datatype}, or rank {peer}"));
    };
    if peer >= communicator.ranks {
        return refuse(INVALID_ARGUMENT, &format!("rank {peer} of {}", communicator.ranks));
    }
    let operation = operation(peer, count * size);
    ncclGroupStart();
    GROUP.with_borrow_mut(|group| group.calls.push((communicator, stream, operation)));
    ncclGroupEnd()
}

#[unsafe(no_mangle)]
extern "C" fn ncclSend(
    from: u64,
    count: usize,
    datatype: u32,
    peer: c_int,
    communicator: usize,
    stream: usize,
) -> Status {
    ask(communicator, stream, (count, datatype), peer, |to, bytes| Operation::Send { to, from, bytes })
}

#[unsafe(no_mangle)]
extern "C" fn ncclRecv(
    to: u64,
    count: usize,
    datatype: u32,
    peer: c_int,
    communicator: usize,
    stream: usize,
) -> Status {
    ask(communicator, stream, (count, datatype), peer, |from, bytes| Operation::Receive { from, to, bytes })
}

#[unsafe(no_mangle)]
extern "C" fn ncclAllGather(
    from: u64,
    to: u64,
    count: usize,
    datatype: u32,
    communicator: usize,
    stream: usize,
) -> Status {
    ask(communicator, stream, (count, datatype), 0, |_, bytes| Operation::AllGather { from, to, bytes })
}

#[unsafe(no_mangle)]
extern "C" fn ncclBroadcast(
    from: u64,
    to: u64,
    count: usize,
    datatype: u32,
    root: c_int,
    communicator: usize,
    stream: usize,
) -> Status {
    ask(communicator, stream, (count, datatype), root, |root, bytes| Operation::Broadcast {
        root,
        from,
        to,
        bytes,
    })
}
