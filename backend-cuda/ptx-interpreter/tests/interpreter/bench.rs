//! Runs kernels: whole ones with buffers, or a few instructions over many inputs.

use proptest::prelude::*;
use ptx_interpreter::{Checks, Device, Fault, Launch};

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub enum Argument {
    Word(u32),
    Long(u64),
}

/// A device with one module on it.
pub struct Bench {
    pub device: Device,
    module: ptx_interpreter::Module,
}

impl Bench {
    pub fn new(source: &str) -> Self {
        let mut device = Device::new(1 << 28, Checks { limit: 1 << 30, ..Checks::default() });
        let module = device.load(source).unwrap_or_else(|error| panic!("{error}"));
        Self { device, module }
    }

    /// A buffer with these bytes.
    pub fn buffer(&mut self, bytes: &[u8]) -> u64 {
        let address = self.fresh(bytes.len());
        let (region, offset) = self.device.heap.find(address).unwrap();
        region.write(offset, bytes.len()).unwrap().copy_from_slice(bytes);
        address
    }

    /// A buffer that nobody has written.
    pub fn fresh(&mut self, bytes: usize) -> u64 {
        self.device.heap.allocate(bytes).unwrap()
    }

    pub fn floats(&mut self, values: &[f32]) -> u64 {
        self.buffer(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    pub fn words(&mut self, values: &[u32]) -> u64 {
        self.buffer(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    pub fn read(&mut self, address: u64, bytes: usize) -> Vec<u8> {
        let (region, offset) = self.device.heap.find(address).unwrap();
        region.read(offset, bytes).unwrap().to_vec()
    }

    pub fn read_words(&mut self, address: u64, count: usize) -> Vec<u32> {
        self.read(address, 4 * count).chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
    }

    pub fn read_floats(&mut self, address: u64, count: usize) -> Vec<f32> {
        self.read_words(address, count).into_iter().map(f32::from_bits).collect()
    }

    pub fn variable(&self, name: &str) -> u64 {
        self.module.variables[name].0
    }

    /// Launches the kernel `name`.
    pub fn launch(
        &mut self,
        name: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared: usize,
        arguments: &[Argument],
    ) -> Result<u64, Fault> {
        let kernel =
            self.module.kernels.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("no kernel {name}"));
        let mut parameters = Vec::new();
        for (&(offset, size), argument) in kernel.parameters.iter().zip(arguments) {
            parameters.resize(offset, 0);
            let bytes = match *argument {
                Argument::Word(value) => u64::from(value),
                Argument::Long(value) => value,
            };
            parameters.extend_from_slice(&bytes.to_le_bytes()[..size]);
        }
        self.launch_with(name, grid, block, shared, &parameters)
    }

    /// Launches the kernel `name` with parameters as they lie in memory.
    pub fn launch_with(
        &mut self,
        name: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared: usize,
        parameters: &[u8],
    ) -> Result<u64, Fault> {
        let kernel =
            self.module.kernels.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("no kernel {name}"));
        self.device.launch(kernel, Launch { grid, block, dynamic_shared: shared, parameters })
    }
}

/// The head of a module.
pub const HEAD: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// Evaluates `body` for each triple of inputs. It finds them in `%ha` to `%hc` (16 bits), `%ra` to `%rc` (32) and
/// `%da` to `%dc` (64) and leaves its result of `width` bits in `%ho`, `%ro` or `%do`.
pub fn evaluate(body: &str, width: u32, inputs: &[[u64; 3]]) -> Vec<u64> {
    let result = match width {
        16 => "st.global.b16 [%q4], %ho;",
        32 => "st.global.b32 [%q4], %ro;",
        _ => "st.global.b64 [%q4], %do;",
    };
    let source = format!(
        "{HEAD}
.visible .entry evaluate(.param .u64 inputs, .param .u64 outputs) {{
    .reg .b16 %ha, %hb, %hc, %ho;
    .reg .b32 %ra, %rb, %rc, %ro, %t<8>;
    .reg .b64 %da, %db, %dc, %do, %q<8>;
    .reg .pred %p<8>;
    ld.param.u64 %q1, [inputs];
    ld.param.u64 %q2, [outputs];
    mov.u32 %t1, %tid.x;
    mov.u32 %t2, %ctaid.x;
    mad.lo.u32 %t1, %t2, 32, %t1;
    mul.wide.u32 %q3, %t1, 24;
    add.u64 %q3, %q1, %q3;
    mul.wide.u32 %q4, %t1, 8;
    add.u64 %q4, %q2, %q4;
    ld.global.b16 %ha, [%q3];
    ld.global.b16 %hb, [%q3+8];
    ld.global.b16 %hc, [%q3+16];
    ld.global.b32 %ra, [%q3];
    ld.global.b32 %rb, [%q3+8];
    ld.global.b32 %rc, [%q3+16];
    ld.global.b64 %da, [%q3];
    ld.global.b64 %db, [%q3+8];
    ld.global.b64 %dc, [%q3+16];
    {body}
    {result}
    ret;
}}"
    );
    let mut bench = Bench::new(&source);
    // Whole warps: the rest repeats the first input.
    let count = inputs.len().next_multiple_of(32);
    let padded = inputs.iter().copied().cycle().take(count);
    let bytes: Vec<u8> = padded.flatten().flat_map(u64::to_le_bytes).collect();
    let from = bench.buffer(&bytes);
    let to = bench.buffer(&vec![0; 8 * count]);
    let arguments = [Argument::Long(from), Argument::Long(to)];
    bench
        .launch("evaluate", [count as u32 / 32, 1, 1], [32, 1, 1], 0, &arguments)
        .unwrap_or_else(|f| panic!("{f}"));
    let out = bench.read(to, 8 * inputs.len());
    out.chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect()
}

/// Checks `body` against `expected` for all inputs.
pub fn check(body: &str, width: u32, inputs: &[[u64; 3]], expected: impl Fn([u64; 3]) -> u64) {
    for (input, found) in inputs.iter().zip(evaluate(body, width, inputs)) {
        let wanted = expected(*input);
        assert_eq!(found, wanted, "{body}: of {input:x?} found {found:#x}, expected {wanted:#x}");
    }
}

/// Bits that matter: any, small ones, and those of special numbers in all formats.
pub fn bits() -> impl Strategy<Value = u64> {
    const SPECIAL: [u64; 30] = [
        0,
        1,
        2,
        31,
        32,
        33,
        63,
        64,
        65,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x3f80_0000,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0x0080_0000,
        0x007f_ffff,
        0x3c00,
        0x7c00,
        0x3ff0_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0x8000_0000_0000_0000,
        u64::MAX,
    ];
    prop_oneof![
        4 => any::<u64>(),
        1 => proptest::sample::select(&SPECIAL[..]),
        1 => any::<f32>().prop_map(|x| u64::from(x.to_bits())),
        1 => any::<f64>().prop_map(f64::to_bits),
        // Floats of ordinary size.
        2 => (-100f32..100.0).prop_map(|x| u64::from(x.to_bits())),
        2 => (-100f64..100.0).prop_map(f64::to_bits),
    ]
}

/// Inputs for [`evaluate`].
pub fn inputs() -> impl Strategy<Value = Vec<[u64; 3]>> {
    proptest::collection::vec([bits(), bits(), bits()], 64)
}
