//! Writes the weights that the board fine-tunes, as little-endian `f32`, into the file it is given.

use std::{env, error::Error, fs};

use trainer::experiment::{Memory, Task};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("expected a path to write the weights to, found none")?;
    let mut memory = Memory::ZERO;
    println!("pretrain SAM: {}", Task::Pretrain.run(true, &mut memory)?);
    let bytes: Vec<u8> = memory.weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    fs::write(path, bytes)?;
    Ok(())
}
