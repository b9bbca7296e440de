//! Pages as they are packed.

use std::io::Read;

use super::Fault;
use crate::data::{UnpackLimit, unpacking::Expanded};

/// What may still come out of a file.
pub struct Budget {
    packed: u64,
    unpacked: u64,
    limit: UnpackLimit,
}

impl Budget {
    /// Of a file of `packed` bytes.
    pub const fn new(packed: u64, limit: UnpackLimit) -> Self {
        Self { packed, unpacked: 0, limit }
    }

    /// Takes note of so many bytes before there is memory for them.
    pub fn spend(&mut self, bytes: usize) -> Result<(), Expanded> {
        self.unpacked = self.unpacked.saturating_add(bytes as u64);
        self.limit.check(self.packed, self.unpacked)
    }
}

/// The `size` bytes that `packed` unpacks to. `codec` is the format's number.
pub fn unpack(codec: i64, packed: &[u8], size: usize, budget: &mut Budget) -> Result<Vec<u8>, Fault> {
    budget.spend(size)?;
    let damaged = Fault::Damaged("a page that does not unpack to its size");
    let unpacked = match codec {
        0 => Some(packed.to_vec()),
        1 => match snap::raw::decompress_len(packed) {
            Ok(found) if found == size => snap::raw::Decoder::new().decompress_vec(packed).ok(),
            _ => None,
        },
        2 => read(flate2::bufread::MultiGzDecoder::new(packed), size),
        6 => ruzstd::decoding::StreamingDecoder::new(packed).ok().and_then(|stream| read(stream, size)),
        other => {
            let name = match other {
                3 => "LZO",
                4 => "Brotli",
                5 | 7 => "LZ4",
                _ => "a format of the future",
            };
            return Err(Fault::refused(
                "pages packed by Snappy, gzip or Zstandard, or not packed",
                name.into(),
            ));
        }
    };
    unpacked.filter(|unpacked| unpacked.len() == size).ok_or(damaged)
}

/// Up to one byte more than is expected, which says that there is more.
fn read(stream: impl Read, size: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    stream.take(size as u64 + 1).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}
