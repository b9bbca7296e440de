//! The PTX interpreter on any kernel: it ends, or stops with a fault, and does the same the second time.

use ptx_interpreter::{Checks, Device, Launch};

const MEMORY: usize = 1 << 16;
/// Bytes that the kernels' pointers lead to.
const BUFFER: usize = 1024;

/// The first byte chooses the launch, the rest is the module.
pub fn check(data: &[u8]) {
    let Some((&shape, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    assert_eq!(run(shape, text), run(shape, text));
}

/// What came of each kernel, and the buffer afterwards.
fn run(shape: u8, text: &str) -> Option<(Vec<String>, Vec<u8>)> {
    let checks = Checks { limit: 20_000, uninitialised: shape & 1 == 0, ..Checks::default() };
    let mut device = Device::new(MEMORY, checks);
    let buffer = device.heap.allocate(BUFFER)?;
    if let Some((region, offset)) = device.heap.find(buffer)
        && let Some(bytes) = region.write(offset, BUFFER)
    {
        bytes.iter_mut().zip(0_usize..).for_each(|(byte, i)| *byte = i as u8);
    }
    let module = device.load(text).ok()?;
    let grid = [1 + u32::from(shape >> 7), 1, 1];
    let block = [[1, 1, 1], [32, 1, 1], [33, 2, 1], [5, 3, 2]][usize::from(shape >> 1 & 3)];
    // Pointers where a parameter has eight bytes, small numbers elsewhere.
    let parameters = |sizes: &[(usize, usize)]| {
        let end = sizes.last().map_or(0, |(offset, size)| offset + size);
        let mut bytes = vec![0; end.min(4096)];
        for &(offset, size) in sizes {
            let value = if size == 8 { buffer } else { 16 };
            if let Some(place) = bytes.get_mut(offset..offset + size.min(8)) {
                place.copy_from_slice(&value.to_le_bytes()[..size.min(8)]);
            }
        }
        bytes
    };
    let outcomes = module.kernels.iter().map(|kernel| {
        let parameters = parameters(&kernel.parameters);
        let launch = Launch { grid, block, dynamic_shared: 256, parameters: &parameters };
        match device.launch(kernel, launch) {
            Ok(instructions) => format!("{instructions} instructions"),
            Err(fault) => fault.to_string(),
        }
    });
    let outcomes = outcomes.collect();
    let (region, offset) = device.heap.find(buffer)?;
    let bytes = region.write(offset, BUFFER)?.to_vec();
    Some((outcomes, bytes))
}
