//! What the interpreter's log says of launches.

/// A launch.
#[derive(Clone, Debug)]
pub struct Launch {
    pub name: String,
    pub grid: [u64; 3],
    /// Bytes read and written, where kernels were run.
    pub counted: Option<[u64; 2]>,
    parameters: Vec<Vec<u8>>,
}

/// A line of the log.
pub enum Line {
    Kernel(Launch),
    /// Bytes that are copied, or filled, on the device.
    Copy(u64),
    /// Something between host and device.
    Bus,
}

impl Line {
    /// Reads a line; `None` where it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let first = fields.next()?;
        if first != "kernel" {
            let bytes = fields.next()?.parse().ok()?;
            return Some(if matches!(first, "in" | "out") { Self::Bus } else { Self::Copy(bytes) });
        }
        let name = fields.next()?.to_owned();
        let mut grid = fields.next()?.split(',').map(|n| n.parse().ok());
        let grid = [grid.next()??, grid.next()??, grid.next()??];
        let _block = fields.next()?;
        let [read, written] = [fields.next()?, fields.next()?].map(|bytes| bytes.parse().ok());
        let counted = read.zip(written).map(|(read, written)| [read, written]);
        let parameters = fields.map(bytes).collect::<Option<_>>()?;
        Some(Self::Kernel(Launch { name, grid, counted, parameters }))
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()).collect()
}

impl Launch {
    /// A parameter as an unsigned number; 0 where there is none.
    pub fn number(&self, parameter: usize) -> u64 {
        let bytes = self.parameters.get(parameter).map_or(&[][..], Vec::as_slice);
        bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    /// The words of a parameter that is a struct.
    pub fn words(&self, parameter: usize) -> Vec<u64> {
        let bytes = self.parameters.get(parameter).map_or(&[][..], Vec::as_slice);
        let word = |word: &[u8]| word.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        bytes.chunks(4).map(word).collect()
    }
}
