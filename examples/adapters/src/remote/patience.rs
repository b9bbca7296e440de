//! A connection that is waited for so long and no longer: a thread reads from each end of it, or writes to it.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel},
    thread,
    time::Duration,
};

/// Bytes read at a time, at most.
const CHUNK: usize = 1 << 16;

fn too_late(patience: Duration) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("expected the other side within {patience:?}, it was silent"))
}

fn wait<T>(from: &Receiver<io::Result<T>>, patience: Duration) -> io::Result<T> {
    from.recv_timeout(patience).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Err(too_late(patience)),
        RecvTimeoutError::Disconnected => Err(ErrorKind::UnexpectedEof.into()),
    })
}

/// What another end sends. After an error nothing more comes.
#[derive(Debug)]
pub struct PatientReader {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    taken: usize,
    patience: Duration,
}

impl PatientReader {
    /// Reads `from`; a silence that is longer than `patience` is an error. The thread ends with the stream, or with the first
    /// chunk that nobody wants.
    pub fn new(mut from: impl Read + Send + 'static, patience: Duration) -> Self {
        let (send, chunks) = sync_channel(1);
        thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                let read = match from.read(&mut buffer) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read.map(|count| buffer[..count].to_vec()),
                };
                let last = read.as_ref().map_or(true, Vec::is_empty);
                if send.send(read).is_err() || last {
                    return;
                }
            }
        });
        Self { chunks, chunk: Vec::new(), taken: 0, patience }
    }
}

impl Read for PatientReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.chunk.len() {
            self.chunk = wait(&self.chunks, self.patience)?;
            self.taken = 0;
        }
        let count = (&self.chunk[self.taken..]).read(to)?;
        self.taken += count;
        Ok(count)
    }
}

/// What is sent to another end. After an error nothing more is sent.
#[derive(Debug)]
pub struct PatientWriter {
    chunks: Sender<Vec<u8>>,
    written: Receiver<io::Result<()>>,
    patience: Duration,
}

impl PatientWriter {
    /// Writes `to`; an end that takes nothing for longer than `patience` is an error. `to` is dropped with this.
    pub fn new(mut to: impl Write + Send + 'static, patience: Duration) -> Self {
        let (chunks, asked) = channel::<Vec<u8>>();
        let (answer, written) = channel();
        thread::spawn(move || {
            for chunk in asked {
                let outcome = to.write_all(&chunk).and_then(|()| to.flush());
                let last = outcome.is_err();
                if answer.send(outcome).is_err() || last {
                    return;
                }
            }
        });
        Self { chunks, written, patience }
    }
}

impl Write for PatientWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = &bytes[..bytes.len().min(CHUNK)];
        // A thread that is gone has told why, or has told it before.
        let _ = self.chunks.send(chunk.to_vec());
        wait(&self.written, self.patience)?;
        Ok(chunk.len())
    }

    /// Every write is flushed.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
