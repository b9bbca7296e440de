//! The PTX reader on any text.

use ptx_interpreter::{Checks, Device, program::Kernel};

const MEMORY: usize = 1 << 16;

/// A module is read, or refused at a line of the text; either way the device's memory is what it was once the module is
/// gone.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut device = Device::new(MEMORY, Checks::default());
    let before = device.heap.usage();
    match device.load(text) {
        Ok(module) => {
            module.kernels.iter().for_each(check_kernel);
            device.unload(&module);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    assert_eq!(device.heap.usage(), before, "a module left memory behind");
}

/// Columns that instructions start from exist.
fn check_kernel(kernel: &Kernel) {
    assert!(!kernel.code.is_empty(), "{}: a kernel ends with an instruction", kernel.name);
    for register in kernel.constants.iter().map(|c| c.0).chain(kernel.specials.iter().map(|s| s.0)) {
        assert!(usize::from(register) < kernel.columns, "{}: column {register}", kernel.name);
    }
}
