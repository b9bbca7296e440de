//! A stretch of memory: bytes, which of them were written, and who touched them.

use super::{
    race::{Access, Conflict, Races, Toucher},
    tally::{Tally, Traffic},
};

/// What fresh memory holds: a NaN in every format, an odd number far from zero as an integer.
const POISON: u8 = 0xff;

/// A stretch of memory.
#[derive(Debug)]
pub struct Region {
    bytes: Vec<u8>,
    size: usize,
    /// One bit a byte: written since it was allocated.
    defined: Vec<u64>,
    races: Races,
    tally: Option<Box<Tally>>,
}

/// Why an access is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// It reaches beyond the end.
    OutOfBounds,
    /// Its offset is not a multiple of its size.
    Misaligned,
    /// It reads what nobody wrote.
    Uninitialised,
    /// Another thread touched the same bytes with nothing between to order the two.
    Race(Conflict),
}

impl Region {
    /// Poisoned memory.
    pub fn new(size: usize) -> Self {
        let (bytes, defined) = (vec![POISON; size], vec![0; size.div_ceil(64)]);
        Self { bytes, size, defined, races: Races::default(), tally: None }
    }

    /// So many bytes that nobody reads or writes.
    pub fn hollow(size: usize) -> Self {
        Self { size, ..Self::new(0) }
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Poisons it again.
    pub fn reset(&mut self) {
        self.bytes.fill(POISON);
        self.defined.fill(0);
    }

    /// Refuses what is not within bounds and aligned to `bytes`.
    ///
    /// # Errors
    /// [`Violation::OutOfBounds`] or [`Violation::Misaligned`].
    #[inline]
    pub fn check(&self, offset: u64, bytes: usize) -> Result<usize, Violation> {
        let length = self.bytes.len() as u64;
        if offset > length || length - offset < bytes as u64 {
            return Err(Violation::OutOfBounds);
        }
        if offset & (bytes as u64 - 1) != 0 {
            return Err(Violation::Misaligned);
        }
        Ok(offset as usize)
    }

    /// One, two, four or eight bytes of a checked range, as a little-endian number.
    #[inline]
    pub fn load(&self, at: usize, bytes: usize) -> u64 {
        // Fixed sizes are single moves; a copy of any length is a call.
        fn fixed<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
            std::array::from_fn(|i| bytes[at..at + N][i])
        }
        match bytes {
            4 => u32::from_le_bytes(fixed(&self.bytes, at)).into(),
            8 => u64::from_le_bytes(fixed(&self.bytes, at)),
            2 => u16::from_le_bytes(fixed(&self.bytes, at)).into(),
            _ => self.bytes[at].into(),
        }
    }

    /// Writes the one, two, four or eight low bytes of `value` to a checked range.
    #[inline]
    pub fn store(&mut self, at: usize, bytes: usize, value: u64) {
        match bytes {
            4 => self.bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes()),
            8 => self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()),
            2 => self.bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes()),
            _ => self.bytes[at] = value as u8,
        }
    }

    /// Whether an aligned range of up to 16 bytes was written.
    #[inline]
    pub fn is_defined(&self, at: usize, bytes: usize) -> bool {
        let wanted = ((1u64 << bytes) - 1) << (at & 63);
        self.defined[at / 64] & wanted == wanted
    }

    /// Marks an aligned range of up to 16 bytes as written.
    #[inline]
    pub fn define(&mut self, at: usize, bytes: usize) {
        self.defined[at / 64] |= ((1u64 << bytes) - 1) << (at & 63);
    }

    /// Notes who touches an aligned range.
    ///
    /// # Errors
    /// [`Violation::Race`] if nothing orders it after an earlier access.
    #[inline]
    pub fn touch(&mut self, at: usize, bytes: usize, who: Toucher, access: Access) -> Result<(), Violation> {
        self.races.touch(self.bytes.len(), at, bytes, who, access).map_err(Violation::Race)
    }

    /// Notes that an aligned range is touched, for [`Region::take_traffic`].
    pub fn count(&mut self, at: usize, bytes: usize, access: Access) {
        let size = self.bytes.len();
        self.tally.get_or_insert_with(|| Box::new(Tally::new(size))).touch(at, bytes, access);
    }

    /// What was touched since this was last asked.
    pub fn take_traffic(&mut self) -> Traffic {
        self.tally.take().map_or_else(Traffic::default, |tally| tally.traffic())
    }

    /// A range as the host sees it; `None` if it reaches beyond the end.
    pub fn read(&self, offset: u64, bytes: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(bytes)?)
    }

    /// A range that the host is about to write: it counts as written.
    pub fn write(&mut self, offset: u64, bytes: usize) -> Option<&mut [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(bytes).filter(|&end| end <= self.bytes.len())?;
        self.define_range(start, end);
        self.bytes.get_mut(start..end)
    }

    /// Marks bytes `start..end` as written, whole words of bits at a time.
    fn define_range(&mut self, start: usize, end: usize) {
        let (first, last) = (start.next_multiple_of(64).min(end), end / 64 * 64);
        if first >= last {
            return self.set_defined(start, end, |_| true);
        }
        self.set_defined(start, first, |_| true);
        self.defined[first / 64..last / 64].fill(u64::MAX);
        self.set_defined(last, end, |_| true);
    }

    /// Marks bytes `start..end` as written where `written(i)` says so for the i-th of them.
    pub fn set_defined(&mut self, start: usize, end: usize, written: impl Fn(usize) -> bool) {
        for at in start..end {
            let bit = 1 << (at & 63);
            if written(at - start) {
                self.defined[at / 64] |= bit;
            } else {
                self.defined[at / 64] &= !bit;
            }
        }
    }

    /// Which bytes of a range were written.
    pub fn defined(&self, start: usize, bytes: usize) -> Vec<bool> {
        (start..start + bytes).map(|at| self.defined[at / 64] >> (at & 63) & 1 == 1).collect()
    }
}
