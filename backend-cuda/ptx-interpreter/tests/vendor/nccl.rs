//! The stand-in for NCCL: what ranks that are threads tell each other, and what it refuses.

use std::ffi::c_void;
use std::thread;

use crate::api::{allocate, bind, call, device, download, upload};

const SUCCESS: u32 = 0;
const INVALID_ARGUMENT: u32 = 4;
const INVALID_USAGE: u32 = 5;
const REMOTE_ERROR: u32 = 6;
const FLOAT: u32 = 7;

#[repr(C)]
#[derive(Clone, Copy)]
struct UniqueId {
    internal: [u8; 128],
}

fn unique_id() -> UniqueId {
    let mut id = UniqueId { internal: [0; 128] };
    assert_eq!(call!(ncclGetUniqueId(&mut id => *mut UniqueId)), SUCCESS);
    assert!(id.internal.iter().any(|&byte| byte != 0));
    id
}

fn join(id: UniqueId, rank: usize, ranks: usize) -> Result<usize, u32> {
    let mut communicator = 0;
    let status = call!(ncclCommInitRank(
        &mut communicator => *mut usize, ranks as i32 => i32, id => UniqueId, rank as i32 => i32,
    ));
    if status == SUCCESS { Ok(communicator) } else { Err(status) }
}

fn failure(communicator: usize) -> u32 {
    let mut state = 0;
    assert_eq!(call!(ncclCommGetAsyncError(communicator => usize, &mut state => *mut u32)), SUCCESS);
    state
}

/// Has `rank` do something on a device of its own, for each rank at the same time; what they return, in their order.
fn on_ranks<R: Send>(ranks: usize, rank: impl Fn(usize, usize) -> R + Sync) -> Vec<R> {
    let id = unique_id();
    let own = |number: usize| {
        bind(number as i32);
        let communicator = join(id, number, ranks).unwrap();
        let done = rank(number, communicator);
        assert_eq!(call!(ncclCommDestroy(communicator => usize)), SUCCESS);
        done
    };
    at_once(ranks, own)
}

/// What `work` gives for each of so many numbers, all at the same time.
fn at_once<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn all_to_all_all_gather_and_broadcast_move_every_value_to_its_place() {
    let _turn = device();
    for ranks in [1, 2, 4] {
        let found = on_ranks(ranks, |rank, communicator| {
            let own: Vec<f32> = (0..ranks).map(|other| (10 * rank + other) as f32).collect();
            let (from, to, all) = (upload(&own), allocate(ranks), allocate(ranks));
            assert_eq!(call!(ncclGroupStart()), SUCCESS);
            for other in 0..ranks {
                let (at, peer) = (4 * other as u64, other as i32);
                assert_eq!(
                    call!(ncclSend(
                        from + at => u64, 1 => usize, FLOAT => u32, peer => i32, communicator => usize, 0 => usize
                    )),
                    SUCCESS
                );
                assert_eq!(
                    call!(ncclRecv(
                        to + at => u64, 1 => usize, FLOAT => u32, peer => i32, communicator => usize, 0 => usize
                    )),
                    SUCCESS
                );
            }
            assert_eq!(call!(ncclGroupEnd()), SUCCESS);
            let at = from + 4 * rank as u64;
            assert_eq!(
                call!(ncclAllGather(
                    at => u64, all => u64, 1 => usize, FLOAT => u32, communicator => usize, 0 => usize
                )),
                SUCCESS
            );
            let root = ranks as i32 - 1;
            assert_eq!(
                call!(ncclBroadcast(
                    from => u64, from => u64, ranks => usize, FLOAT => u32, root => i32, communicator => usize, 0 => usize
                )),
                SUCCESS
            );
            assert_eq!(failure(communicator), 0);
            [to, all, from].map(|values| download::<f32>(values, ranks))
        });
        for (rank, [to, all, from]) in found.into_iter().enumerate() {
            let expected = |value: fn(usize, usize) -> usize| {
                (0..ranks).map(|other| value(other, rank) as f32).collect::<Vec<_>>()
            };
            assert_eq!(to, expected(|other, rank| 10 * other + rank));
            assert_eq!(all, expected(|other, _| 11 * other));
            assert_eq!(from, (0..ranks).map(|other| (10 * (ranks - 1) + other) as f32).collect::<Vec<_>>());
        }
    }
}

/// Recorded, a message is sent at every launch of the graph, and not before.
#[test]
fn messages_are_captured() {
    let _turn = device();
    let found = on_ranks(2, |rank, communicator| {
        let (own, all) = (upload(&[rank as f32 + 1.0]), allocate(2));
        let (mut stream, mut graph, mut executable) = (0usize, 0usize, 0usize);
        assert_eq!(call!(cuStreamCreateWithPriority(&mut stream => *mut usize, 1 => u32, 0 => i32)), 0);
        assert_eq!(call!(cuStreamBeginCapture_v2(stream => usize, 1 => i32)), 0);
        assert_eq!(
            call!(ncclAllGather(
                own => u64, all => u64, 1 => usize, FLOAT => u32, communicator => usize, stream => usize
            )),
            SUCCESS
        );
        assert_eq!(call!(cuStreamEndCapture(stream => usize, &mut graph => *mut usize)), 0);
        assert_eq!(
            call!(cuGraphInstantiateWithFlags(&mut executable => *mut usize, graph => usize, 0 => u64)),
            0
        );
        let mut seen: Vec<f32> = Vec::new();
        for step in 1..3 {
            let value = [(10 * step + rank) as f32];
            let code = call!(cuMemcpyHtoD_v2(own => u64, value.as_ptr().cast() => *const c_void, 4 => usize));
            assert_eq!(code, 0);
            assert_eq!(call!(cuGraphLaunch(executable => usize, stream => usize)), 0);
            seen.extend(download::<f32>(all, 2));
        }
        seen
    });
    assert_eq!(found, [[10.0, 11.0, 20.0, 21.0], [10.0, 11.0, 20.0, 21.0]]);
}

#[test]
fn a_rank_that_has_gone_is_told_by_the_asynchronous_error() {
    let _turn = device();
    let found = on_ranks(2, |rank, communicator| {
        if rank == 1 {
            return None;
        }
        let to = upload::<f32>(&[5.0]);
        let receive = || call!(ncclRecv(to => u64, 1 => usize, FLOAT => u32, 1 => i32, communicator => usize, 0 => usize));
        // As on a GPU, asking succeeds and nothing comes.
        Some((receive(), failure(communicator), download::<f32>(to, 1), receive()))
    });
    assert_eq!(found[0], Some((SUCCESS, REMOTE_ERROR, vec![5.0], REMOTE_ERROR)));
}

#[test]
fn ranks_that_ask_for_other_things_are_found_out() {
    let _turn = device();
    let found = on_ranks(2, |rank, communicator| {
        let to = upload::<f32>(&[0.0; 8]);
        let count = 1 + rank;
        assert_eq!(
            call!(ncclAllGather(
                to => u64, to => u64, count => usize, FLOAT => u32, communicator => usize, 0 => usize
            )),
            SUCCESS
        );
        failure(communicator)
    });
    assert_eq!(found, [INVALID_USAGE, INVALID_USAGE]);
}

#[test]
fn two_ranks_on_one_device_are_refused() {
    let _turn = device();
    let id = unique_id();
    let outcomes = at_once(2, |rank| {
        bind(0);
        join(id, rank, 2)
    });
    assert_eq!(outcomes, [Err(INVALID_USAGE), Err(INVALID_USAGE)]);
}

#[test]
fn wrong_arguments_are_refused() {
    let _turn = device();
    assert_eq!(join(unique_id(), 2, 2), Err(INVALID_ARGUMENT));
    assert_eq!(call!(ncclGroupEnd()), INVALID_USAGE);
    assert_eq!(call!(ncclCommDestroy(12345 => usize)), INVALID_ARGUMENT);
    let communicator = join(unique_id(), 0, 1).unwrap();
    let send = |datatype: u32, peer: i32| {
        call!(ncclSend(
            0 => u64, 1 => usize, datatype => u32, peer => i32, communicator => usize, 0 => usize
        ))
    };
    assert_eq!(send(99, 0), INVALID_ARGUMENT);
    assert_eq!(send(FLOAT, 1), INVALID_ARGUMENT);
    // Memory that is nobody's.
    assert_eq!(send(FLOAT, 0), 1);
    assert_eq!(call!(ncclCommDestroy(communicator => usize)), SUCCESS);
}
