//! What the device is told to do, line by line in the file that `PTX_INTERPRETER_LOG` names: for counts of launches and bytes.
//!
//! ```text
//! kernel NAME GRID BLOCK READ WRITTEN PARAMETER..      copy BYTES      fill BYTES      in BYTES      out BYTES
//! ```
//!
//! Grid and block as three numbers with commas between, parameters as hexadecimal digits in the order that they lie in memory. Bytes of
//! a kernel are those of the words that it reads and writes, each counted once: what it moves at least. With `PTX_INTERPRETER_DRY=1`
//! nothing is done and memory holds nothing, and both are `-`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use ptx_interpreter::program::Kernel;
use ptx_interpreter::{Launch, Traffic};

/// Where it goes.
#[derive(Debug)]
pub struct Log(File);

impl Log {
    /// The file that the environment names, if it does.
    pub fn open() -> Option<Self> {
        File::create(std::env::var_os("PTX_INTERPRETER_LOG")?).ok().map(Self)
    }

    /// A launch, and what it has touched if it was run.
    pub fn launch(&mut self, kernel: &Kernel, launch: &Launch<'_>, traffic: Option<Traffic>) {
        let [grid, block] = [launch.grid, launch.block].map(|[x, y, z]| format!("{x},{y},{z}"));
        let bytes = traffic.map_or("- -".to_owned(), |Traffic { read, written }| format!("{read} {written}"));
        let mut line = format!("kernel {} {grid} {block} {bytes}", kernel.name);
        for &(offset, size) in &kernel.parameters {
            line.push(' ');
            for byte in launch.parameters.get(offset..offset + size).unwrap_or_default() {
                // Writing to a text does not fail.
                let _ = write!(line, "{byte:02x}");
            }
        }
        self.line(&line);
    }

    /// Something else that moves bytes.
    pub fn note(&mut self, what: &str, bytes: usize) {
        self.line(&format!("{what} {bytes}"));
    }

    fn line(&mut self, line: &str) {
        // Whoever reads it counts what is there.
        let _ = writeln!(self.0, "{line}");
    }
}
