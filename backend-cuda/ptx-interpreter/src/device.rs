//! A device: memory, and modules whose kernels can be launched.

use std::collections::HashMap;

use crate::ast::{self, Initial, Space, Variable};
use crate::error::ParseError;
use crate::fault::Fault;
use crate::lower::{Globals, lower};
use crate::machine::{self, Checks, Launch};
use crate::memory::{Clock, Heap};
use crate::parser::parse;
use crate::program::Kernel;

/// Memory and what executes on it.
#[derive(Debug)]
pub struct Device {
    /// Global memory.
    pub heap: Heap,
    /// What launches are checked for.
    pub checks: Checks,
    clock: Clock,
}

/// A module whose variables have memory on the device.
#[derive(Debug)]
pub struct Module {
    /// Kernels, in the order of the text.
    pub kernels: Vec<Kernel>,
    /// Address and size of each global or constant variable.
    pub variables: HashMap<String, (u64, usize)>,
}

impl Device {
    /// A device with `capacity` bytes of memory.
    pub fn new(capacity: usize, checks: Checks) -> Self {
        Self { heap: Heap::new(capacity), checks, clock: Clock::default() }
    }

    /// A device whose memory holds nothing, with `capacity` bytes of it: modules are read and nothing is run.
    pub fn hollow(capacity: usize) -> Self {
        Self { heap: Heap::hollow(capacity), ..Self::new(capacity, Checks::default()) }
    }

    /// Reads a module and gives its variables memory.
    ///
    /// # Errors
    /// What is wrong with the text, or more variables than there is memory.
    pub fn load(&mut self, source: &str) -> Result<Module, ParseError> {
        let tree = parse(source)?;
        let mut variables = HashMap::new();
        for variable in in_device_memory(&tree) {
            let address = self.heap.allocate(variable.size).ok_or_else(|| {
                let what = format!("no memory for the {} bytes of `{}`", variable.size, variable.name);
                ParseError::new(variable.line, what)
            })?;
            variables.insert(variable.name.clone(), (address, variable.size));
        }
        let addresses: Globals =
            variables.iter().map(|(name, &(address, _))| (name.clone(), address)).collect();
        let kernels = self.initialise(&tree, &addresses).and_then(|()| {
            tree.functions.iter().filter(|f| f.entry).map(|f| lower(&tree, f, &addresses)).collect()
        });
        let module = Module { kernels: Vec::new(), variables };
        match kernels {
            Ok(kernels) => Ok(Module { kernels, ..module }),
            Err(error) => {
                self.unload(&module);
                Err(error)
            }
        }
    }

    /// Gives the memory of a module's variables back.
    pub fn unload(&mut self, module: &Module) {
        for &(address, _) in module.variables.values() {
            self.heap.free(address);
        }
    }

    fn initialise(&mut self, tree: &ast::Module, addresses: &Globals) -> Result<(), ParseError> {
        for variable in in_device_memory(tree) {
            // What has no value starts as zero.
            let mut bytes = Vec::with_capacity(variable.size);
            for initial in &variable.initial {
                let bits = match initial {
                    Initial::Bits(bits) => *bits,
                    Initial::Address(name, offset) => {
                        let address = addresses.get(name).ok_or_else(|| {
                            ParseError::new(
                                variable.line,
                                format!("`{name}` is no variable in device memory; pointers to functions are not supported"),
                            )
                        })?;
                        address.wrapping_add_signed(*offset)
                    }
                };
                bytes.extend_from_slice(&bits.to_le_bytes()[..variable.element.size()]);
            }
            if bytes.len() > variable.size {
                let what = format!("`{}` has more initial values than elements", variable.name);
                return Err(ParseError::new(variable.line, what));
            }
            bytes.resize(variable.size, 0);
            let found = self.heap.find(addresses[&variable.name]);
            if let Some(memory) = found.and_then(|(region, offset)| region.write(offset, variable.size)) {
                memory.copy_from_slice(&bytes);
            }
        }
        Ok(())
    }

    /// Runs a kernel to its end; the number of instructions, counted for each thread.
    ///
    /// # Errors
    /// The first fault.
    pub fn launch(&mut self, kernel: &Kernel, launch: Launch<'_>) -> Result<u64, Fault> {
        machine::run(kernel, launch, &mut self.heap, &mut self.clock, self.checks)
    }
}

fn in_device_memory(tree: &ast::Module) -> impl Iterator<Item = &Variable> {
    tree.variables.iter().filter(|v| !v.external && matches!(v.space, Space::Global | Space::Const))
}
