//! A stretch of memory: bytes, which of them were written, and who touched them.

use super::race::{Access, Conflict, Races, Toucher};

/// What fresh memory holds: a NaN in every format, an odd number far from zero as an integer.
const POISON: u8 = 0xff;

/// A stretch of memory.
#[derive(Debug)]
pub struct Region {
    bytes: Vec<u8>,
    /// One bit a byte: written since it was allocated.
    defined: Vec<u64>,
    races: Races,
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
        Self { bytes: vec![POISON; size], defined: vec![0; size.div_ceil(64)], races: Races::default() }
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
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

    /// Up to eight bytes of a checked range, as a little-endian number.
    #[inline]
    pub fn load(&self, at: usize, bytes: usize) -> u64 {
        let mut out = [0; 8];
        out[..bytes].copy_from_slice(&self.bytes[at..at + bytes]);
        u64::from_le_bytes(out)
    }

    /// Writes the low bytes of `value` to a checked range.
    #[inline]
    pub fn store(&mut self, at: usize, bytes: usize, value: u64) {
        self.bytes[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
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

    /// A range as the host sees it; `None` if it reaches beyond the end.
    pub fn read(&self, offset: u64, bytes: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(bytes)?)
    }

    /// A range that the host is about to write: it counts as written.
    pub fn write(&mut self, offset: u64, bytes: usize) -> Option<&mut [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(bytes).filter(|&end| end <= self.bytes.len())?;
        self.set_defined(start, end, |_| true);
        self.bytes.get_mut(start..end)
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
