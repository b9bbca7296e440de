//! Messages between ranks, which are threads or processes: all are connected to one hub, in the process that made the unique id.
//!
//! ```text
//! rank -> hub:   to, kind, length, bytes          hub -> rank:   from, kind, length, bytes
//! ```
//!
//! The hub keeps what a rank does not take yet, so that all may send before any receives.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// What a message is part of: ranks that do not call the same functions are found out.
pub const POINT_TO_POINT: u32 = 0;
pub const ALL_GATHER: u32 = 1;
pub const BROADCAST: u32 = 2;
/// The sender has gone.
const GONE: u32 = u32::MAX;

/// What the hub says to those who join.
const WELCOME: u8 = 1;
const REFUSED: u8 = 0;

/// Who joins: rank, ranks, process and device.
type Hello = [u32; 4];

/// A message.
struct Frame {
    /// Its receiver on the way to the hub, its sender on the way back.
    rank: u32,
    kind: u32,
    bytes: Vec<u8>,
}

impl Frame {
    fn read(from: &mut UnixStream) -> io::Result<Self> {
        let mut head = [0; 16];
        from.read_exact(&mut head)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = u64::from(word(8)) | u64::from(word(12)) << 32;
        let mut bytes = vec![0; length as usize];
        from.read_exact(&mut bytes)?;
        Ok(Self { rank: word(0), kind: word(4), bytes })
    }

    fn write(&self, to: &mut UnixStream) -> io::Result<()> {
        let mut head = Vec::with_capacity(16);
        head.extend_from_slice(&self.rank.to_le_bytes());
        head.extend_from_slice(&self.kind.to_le_bytes());
        head.extend_from_slice(&(self.bytes.len() as u64).to_le_bytes());
        to.write_all(&head)?;
        to.write_all(&self.bytes)
    }
}

/// Opens a hub of that name.
pub fn open(name: &[u8]) -> io::Result<()> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    thread::spawn(move || serve(&listener));
    Ok(())
}

/// Waits for all ranks, and passes on what they send.
fn serve(listener: &UnixListener) {
    let mut joined: Vec<(Hello, UnixStream)> = Vec::new();
    loop {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut words = [0; 16];
        if stream.read_exact(&mut words).is_err() {
            continue;
        }
        let hello: Hello = std::array::from_fn(|i| {
            let at = 4 * i;
            u32::from_le_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]])
        });
        let fits = hello[0] < hello[1]
            && joined.iter().all(|(other, _)| {
                // A rank is there once, and so is a device.
                other[1] == hello[1] && other[0] != hello[0] && other[2..] != hello[2..]
            });
        joined.push((hello, stream));
        if !fits {
            joined.iter_mut().for_each(|(_, stream)| drop(stream.write_all(&[REFUSED])));
            return;
        }
        if joined.len() == hello[1] as usize {
            break;
        }
    }
    joined.sort_by_key(|(hello, _)| hello[0]);
    let mut queues: Vec<Sender<Frame>> = Vec::new();
    let mut readers = Vec::new();
    for (_, mut stream) in joined {
        let (queue, frames) = channel::<Frame>();
        let Ok(reader) = stream.try_clone() else { return };
        queues.push(queue);
        readers.push(reader);
        thread::spawn(move || {
            let _ = stream.write_all(&[WELCOME]);
            // A rank that has gone takes nothing any more.
            let _ = frames.iter().try_for_each(|frame| frame.write(&mut stream));
        });
    }
    for (rank, mut reader) in (0..).zip(readers) {
        let queues = queues.clone();
        thread::spawn(move || {
            while let Ok(frame) = Frame::read(&mut reader) {
                if let Some(queue) = queues.get(frame.rank as usize) {
                    let _ = queue.send(Frame { rank, ..frame });
                }
            }
            queues.iter().for_each(|queue| drop(queue.send(Frame { rank, kind: GONE, bytes: Vec::new() })));
        });
    }
}

/// Messages that have come and were not asked for yet.
#[derive(Default)]
struct Inbox {
    /// Of each sender, in their order.
    messages: HashMap<u32, VecDeque<(u32, Vec<u8>)>>,
    gone: Vec<u32>,
    closed: bool,
}

/// A rank's connection to the hub.
pub struct Link {
    stream: Mutex<UnixStream>,
    inbox: Arc<(Mutex<Inbox>, Condvar)>,
}

/// Why a message did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The other rank has gone.
    Gone,
    /// It sent something else.
    Other,
}

impl Link {
    /// Joins the hub of that name and waits until all ranks have; `None` if it refuses.
    pub fn join(name: &[u8], hello: Hello) -> io::Result<Option<Self>> {
        let mut stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        stream.write_all(&hello.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())?;
        let mut answer = [REFUSED];
        stream.read_exact(&mut answer)?;
        if answer != [WELCOME] {
            return Ok(None);
        }
        let inbox = Arc::new((Mutex::new(Inbox::default()), Condvar::new()));
        let (mut reader, filled) = (stream.try_clone()?, Arc::clone(&inbox));
        thread::spawn(move || {
            let (inbox, news) = &*filled;
            loop {
                let frame = Frame::read(&mut reader);
                let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
                match frame {
                    Ok(Frame { rank, kind: GONE, .. }) => inbox.gone.push(rank),
                    Ok(Frame { rank, kind, bytes }) => {
                        inbox.messages.entry(rank).or_default().push_back((kind, bytes));
                    }
                    Err(_) => inbox.closed = true,
                }
                news.notify_all();
                if inbox.closed {
                    return;
                }
            }
        });
        Ok(Some(Self { stream: Mutex::new(stream), inbox }))
    }

    /// Sends a message to a rank, which may be this one.
    pub fn send(&self, rank: u32, kind: u32, bytes: Vec<u8>) -> Result<(), Lost> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        Frame { rank, kind, bytes }.write(&mut stream).map_err(|_| Lost::Gone)
    }

    /// The next message of a rank, waited for.
    pub fn receive(&self, rank: u32, kind: u32, length: usize) -> Result<Vec<u8>, Lost> {
        let (inbox, news) = &*self.inbox;
        let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some((found, bytes)) = inbox.messages.get_mut(&rank).and_then(VecDeque::pop_front) {
                return if (found, bytes.len()) == (kind, length) { Ok(bytes) } else { Err(Lost::Other) };
            }
            if inbox.closed || inbox.gone.contains(&rank) {
                return Err(Lost::Gone);
            }
            inbox = news.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The thread that reads ends.
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.shutdown(Shutdown::Both);
    }
}
