//! Which words of a region a launch has touched: the bytes that it moves at least, however often it reads them.

use super::race::Access;

/// Bytes that a launch has read and written, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Of words that were read.
    pub read: u64,
    /// Of words that were written.
    pub written: u64,
}

/// The words of a region that were read, and those that were written.
#[derive(Debug, Default)]
pub struct Tally {
    read: Vec<u64>,
    written: Vec<u64>,
    traffic: Traffic,
}

impl Tally {
    /// Of a region of so many bytes.
    pub fn new(size: usize) -> Self {
        let bits = vec![0; size.div_ceil(4 * 64)];
        Self { read: bits.clone(), written: bits, traffic: Traffic::default() }
    }

    /// Notes an access to bytes `at..at + bytes`.
    pub fn touch(&mut self, at: usize, bytes: usize, access: Access) {
        let Self { read, written, traffic } = self;
        for word in at / 4..(at + bytes).div_ceil(4) {
            let bit = 1 << (word % 64);
            if access != Access::Write && read[word / 64] & bit == 0 {
                read[word / 64] |= bit;
                traffic.read += 4;
            }
            if access != Access::Read && written[word / 64] & bit == 0 {
                written[word / 64] |= bit;
                traffic.written += 4;
            }
        }
    }

    /// What was touched.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }
}

impl core::ops::Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { read: self.read + other.read, written: self.written + other.written }
    }
}
