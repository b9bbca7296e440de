//! Vectors of numbers that begin at a cache line.

use crate::Number;
use core::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// As many numbers as it was made with. The first one begins a cache line, so that a vector that is loaded at a multiple of its width is
/// not spread over two lines: allocators give large blocks 16 bytes behind one, and on processors that load 64 bytes at a time each
/// load then takes two.
pub struct Buffer<T> {
    /// With a line's length to spare.
    allocated: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Number> Buffer<T> {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let spare = LINE / size_of::<T>();
        let allocated = vec![T::zero(); len + spare];
        // The allocation does not move with the vector. Where it cannot be aligned nothing is wrong but the speed.
        let start = allocated.as_ptr().align_offset(LINE).min(spare);
        Self { allocated, start, len }
    }
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self { allocated: Vec::new(), start: 0, len: 0 }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.allocated[self.start..][..self.len]
    }
}

impl<T> DerefMut for Buffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.allocated[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_as_long_as_asked_for_zero_and_begins_a_line_wherever_it_is_moved(len in 0usize..300) {
            let buffers = Vec::from([Buffer::<f32>::zeros(len), Buffer::zeros(2 * len + 1)]);
            for (buffer, len) in buffers.iter().zip([len, 2 * len + 1]) {
                prop_assert_eq!(buffer.len(), len);
                prop_assert!(buffer.iter().all(|&x| x == 0.0));
                prop_assert_eq!(buffer.as_ptr().addr() % LINE, 0);
            }
            let mut wide = Buffer::<f64>::zeros(len);
            prop_assert_eq!(wide.as_ptr().addr() % LINE, 0);
            wide.fill(1.0);
            prop_assert_eq!(wide.iter().sum::<f64>(), len as f64);
        }
    }
}
