//! Segments of the parameters, cut into pieces: the host's side of `kernels/segments.cuh`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;
use sam_core::Segment;

use super::sweep::CHUNK;

/// Neighbouring entries of one segment that a block of threads works on.
#[derive(Clone, Copy, Debug, PartialEq, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Piece {
    first: u32,
    len: u32,
    segment: u32,
    adaptive: u32,
    radius: f32,
}

/// The pieces of which a norm is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Pieces {
    pub first: u32,
    pub count: u32,
}

/// The segments in pieces, and of each segment which those are.
pub(crate) fn cut(segments: &[Segment<f32>]) -> (Vec<Piece>, Vec<Pieces>) {
    let (mut pieces, mut of_segments, mut first) = (Vec::new(), Vec::new(), 0);
    for (number, segment) in segments.iter().enumerate() {
        let before = pieces.len();
        let starts = (0..segment.len).step_by(CHUNK as usize);
        pieces.extend(starts.map(|start| Piece {
            first: (first + start) as u32,
            len: (segment.len - start).min(CHUNK as usize) as u32,
            segment: number as u32,
            adaptive: u32::from(segment.adaptive),
            radius: segment.radius,
        }));
        of_segments.push(Pieces { first: before as u32, count: (pieces.len() - before) as u32 });
        first += segment.len;
    }
    (pieces, of_segments)
}
