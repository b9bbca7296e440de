//! How far a packed file may unpack: a few kilobytes can claim to be gigabytes.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

/// Where nothing is said, a file may unpack to this many bytes whatever its ratio (256 MiB) ..
const FREE: u64 = 1 << 28;
/// .. and to any number of bytes as long as it is this many times its own size at most. Photographs unpack to less than twice
/// their size, the digits of MNIST to five times; what gzip makes of nothing but zeros, to a thousand times.
const RATIO: u64 = 100;

/// How many bytes a packed file may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnpackLimit {
    /// So many, whatever their ratio; `None`: as many as is plausible.
    pub bytes: Option<u64>,
}

/// A file unpacks to more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{unpacked} bytes out of the first {packed}")]
pub struct Expanded {
    /// Bytes of the file so far.
    pub packed: u64,
    /// What they unpacked to.
    pub unpacked: u64,
}

impl UnpackLimit {
    /// How many bytes may come of `packed`.
    pub fn allowed(self, packed: u64) -> u64 {
        self.bytes.unwrap_or_else(|| packed.saturating_mul(RATIO).max(FREE))
    }

    /// Makes sure that so many bytes of a file may unpack to so many.
    ///
    /// # Errors
    /// [`Expanded`] if not.
    pub fn check(self, packed: u64, unpacked: u64) -> Result<(), Expanded> {
        if unpacked > self.allowed(packed) { Err(Expanded { packed, unpacked }) } else { Ok(()) }
    }
}

/// Counts the bytes that are taken from a stream.
pub(super) struct Counted<R> {
    inner: R,
    taken: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    /// The stream, and the count to be looked at.
    pub fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let taken = Rc::new(Cell::new(0));
        (Self { inner, taken: Rc::clone(&taken) }, taken)
    }

    /// The stream from where it has come to.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.taken.set(self.taken.get() + count as u64);
        self.inner.consume(count);
    }
}

/// A stream that unpacks another one, and fails where that becomes more than is allowed.
pub(super) struct Bounded<R> {
    unpacked: R,
    count: u64,
    packed: Rc<Cell<u64>>,
    limit: UnpackLimit,
}

impl<R> Bounded<R> {
    /// `packed` counts what is taken from the other stream.
    pub const fn new(unpacked: R, packed: Rc<Cell<u64>>, limit: UnpackLimit) -> Self {
        Self { unpacked, count: 0, packed, limit }
    }

    /// The unpacking stream.
    pub fn into_inner(self) -> R {
        self.unpacked
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.unpacked.read(into)?;
        self.count += count as u64;
        self.limit.check(self.packed.get(), self.count).map_err(io::Error::other)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stream_without_end_is_refused_after_what_is_plausible() {
        for (packed, limit, allowed) in
            [(1000, None, FREE), (1 << 22, None, 100 << 22), (1000, Some(12_345), 12_345)]
        {
            let limit = UnpackLimit { bytes: limit };
            let mut stream = Bounded::new(io::repeat(0), Rc::new(Cell::new(packed)), limit);
            let error = io::copy(&mut stream, &mut io::sink()).unwrap_err();
            let Expanded { unpacked, .. } =
                error.get_ref().and_then(|error| error.downcast_ref()).copied().unwrap();
            // The last read is what was one too many.
            assert!(unpacked > allowed && unpacked <= allowed + (1 << 16), "{unpacked} of {allowed}");
        }
    }

    proptest! {
        #[test]
        fn what_unpacks_to_less_than_a_hundred_times_its_size_is_never_refused(packed in any::<u64>(), ratio in 0_u64..=RATIO) {
            prop_assert_eq!(UnpackLimit::default().check(packed, packed.saturating_mul(ratio)), Ok(()));
        }

        #[test]
        fn a_limit_that_was_set_is_the_only_one(packed in any::<u64>(), unpacked in any::<u64>(), bytes in any::<u64>()) {
            let limit = UnpackLimit { bytes: Some(bytes) };
            prop_assert_eq!(limit.check(packed, unpacked).is_ok(), unpacked <= bytes);
        }
    }
}
