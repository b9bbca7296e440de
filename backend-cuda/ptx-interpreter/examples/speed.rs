//! How fast a matrix product is interpreted, with and without the checks:
//! `cargo run --release -p ptx-interpreter --example speed`

use std::time::Instant;

use ptx_interpreter::{Checks, Device, Launch};

const CORPUS: &str = include_str!("../tests/kernels/corpus.ptx");
/// Rows, columns and depth of the product.
const SIZE: u32 = 128;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (races, uninitialised) in [(false, false), (false, true), (true, true)] {
        let mut device = Device::new(1 << 28, Checks { races, uninitialised, ..Checks::default() });
        let module = device.load(CORPUS)?;
        let kernel = module.kernels.iter().find(|k| k.name == "matrix_product").ok_or("no such kernel")?;
        let bytes = 4 * (SIZE * SIZE) as usize;
        let mut parameters = Vec::new();
        for _ in 0..3 {
            let address = device.heap.allocate(bytes).ok_or("out of memory")?;
            let (region, offset) = device.heap.find(address).ok_or("no such memory")?;
            region.write(offset, bytes).ok_or("out of bounds")?.fill(1);
            parameters.extend_from_slice(&address.to_le_bytes());
        }
        for _ in 0..3 {
            parameters.extend_from_slice(&SIZE.to_le_bytes());
        }
        let grid = [SIZE / 16, SIZE / 16, 1];
        let launch = Launch { grid, block: [16, 16, 1], dynamic_shared: 0, parameters: &parameters };
        let start = Instant::now();
        let instructions = device.launch(kernel, launch)?;
        let seconds = start.elapsed().as_secs_f64();
        let rate = instructions as f64 / seconds / 1e6;
        println!(
            "races {races}, uninitialised {uninitialised}: {instructions} instructions, {rate:.0} million a second"
        );
    }
    Ok(())
}
