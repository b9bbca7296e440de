//! Launches, and what a function says about itself.

use std::ffi::{c_int, c_uint, c_void};

use ptx_interpreter::Launch;

use crate::code::{Code, ERROR_INVALID_HANDLE, ERROR_INVALID_VALUE, ERROR_LAUNCH_OUT_OF_RESOURCES};
use crate::counters;
use crate::device::{MAX_GRID, MAX_SHARED, MAX_SHARED_OPT_IN, MAX_THREADS};
use crate::graph::{Command, submit};
use crate::pointer::{bytes, element, put, put_optional};
use crate::state::{State, call};

/// A kernel with its arguments.
#[derive(Debug, Clone)]
pub struct Kernel {
    function: usize,
    grid: [u32; 3],
    block: [u32; 3],
    dynamic_shared: usize,
    parameters: Vec<u8>,
}

fn find(state: &State, function: usize) -> Result<&ptx_interpreter::program::Kernel, Code> {
    let &(module, index) = state.functions.get(&function).ok_or(ERROR_INVALID_HANDLE)?;
    state.modules.get(&module).and_then(|module| module.kernels.get(index)).ok_or(ERROR_INVALID_HANDLE)
}

impl Kernel {
    pub fn execute(&self, state: &mut State) -> Result<(), Code> {
        let &(module, index) = state.functions.get(&self.function).ok_or(ERROR_INVALID_HANDLE)?;
        let State { modules, device, log, dry, .. } = state;
        let kernel = modules.get(&module).and_then(|m| m.kernels.get(index)).ok_or(ERROR_INVALID_HANDLE)?;
        let launch = Launch {
            grid: self.grid,
            block: self.block,
            dynamic_shared: self.dynamic_shared,
            parameters: &self.parameters,
        };
        if *dry {
            log.iter_mut().for_each(|log| log.launch(kernel, &launch, None));
            return Ok(());
        }
        let outcome = device.launch(kernel, launch);
        if let Some(log) = log {
            log.launch(kernel, &launch, Some(device.heap.take_traffic()));
        }
        counters::launched(outcome.as_ref().copied().unwrap_or(0));
        if let Err(fault) = outcome {
            // A device tells it at the next call.
            state.fail(&fault);
        }
        Ok(())
    }

    /// Refuses what a device would refuse before it starts.
    fn check(&self, state: &mut State) -> Result<(), Code> {
        let kernel = find(state, self.function)?;
        let threads = ptx_interpreter::machine::threads(self.block);
        let name = &kernel.name;
        let (code, what) = if self.grid.contains(&0) || self.block.contains(&0) {
            (
                ERROR_INVALID_VALUE,
                format!("a dimension of zero in grid {:?} of blocks {:?}", self.grid, self.block),
            )
        } else if self.grid.iter().zip(MAX_GRID).any(|(&n, most)| n > most) {
            (ERROR_INVALID_VALUE, format!("a grid of {:?}, the most is {MAX_GRID:?}", self.grid))
        } else if threads > MAX_THREADS || self.block[2] > 64 {
            (ERROR_INVALID_VALUE, format!("blocks of {:?}, the most is {MAX_THREADS} threads", self.block))
        } else if kernel.max_threads.is_some_and(|most| threads > most) {
            let most = kernel.max_threads.unwrap_or(0);
            (
                ERROR_LAUNCH_OUT_OF_RESOURCES,
                format!("blocks of {threads} threads, its launch bound is {most}"),
            )
        } else if kernel.shared + self.dynamic_shared > MAX_SHARED_OPT_IN {
            let asked = kernel.shared + self.dynamic_shared;
            (ERROR_INVALID_VALUE, format!("{asked} bytes of shared memory, the most is {MAX_SHARED_OPT_IN}"))
        } else {
            return Ok(());
        };
        let report = format!("launch of kernel {name} refused: {what}");
        eprintln!("ptx-interpreter: {report}");
        state.report = Some(report);
        Err(code)
    }
}

/// `CU_LAUNCH_PARAM_…` of the `extra` argument.
const EXTRA_BUFFER: usize = 1;
const EXTRA_SIZE: usize = 2;

/// The arguments as they lie in the kernel's parameter memory; shorter if some are missing.
fn parameters(
    layout: &[(usize, usize)],
    given: *const *const u8,
    extra: *const usize,
) -> Result<Vec<u8>, Code> {
    if !extra.is_null() {
        let (mut buffer, mut size) = (0, 0);
        for pair in 0..2 {
            match (element(extra, 2 * pair)?, element(extra, 2 * pair + 1)?) {
                (EXTRA_BUFFER, address) => buffer = address,
                (EXTRA_SIZE, address) => size = element(std::ptr::with_exposed_provenance(address), 0)?,
                _ => break,
            }
        }
        return Ok(bytes(std::ptr::with_exposed_provenance(buffer), size)?.to_vec());
    }
    let mut out = Vec::new();
    for (index, &(offset, size)) in layout.iter().enumerate() {
        // The array has no length: a null pointer ends it, or no array at all.
        let argument = if given.is_null() { std::ptr::null() } else { element(given, index)? };
        if argument.is_null() {
            break;
        }
        out.resize(offset, 0);
        out.extend_from_slice(bytes(argument, size)?);
    }
    Ok(out)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    stream: usize,
    arguments: *const *const u8,
    extra: *const usize,
) -> Code {
    call(|state| {
        let parameters = parameters(&find(state, function)?.parameters, arguments, extra)?;
        let kernel = Kernel {
            function,
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            dynamic_shared: shared as usize,
            parameters,
        };
        kernel.check(state)?;
        submit(state, stream, Command::Launch(kernel))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncGetAttribute(value: *mut c_int, attribute: c_int, function: usize) -> Code {
    call(|state| {
        let (major, minor) = crate::device::capability();
        let kernel = find(state, function)?;
        let answer = match attribute {
            0 => kernel.max_threads.unwrap_or(MAX_THREADS) as usize,
            1 => kernel.shared,
            3 => kernel.local,
            // Registers are not allocated here; what the kernel names is an upper bound on a device, with its own limit.
            4 => kernel.columns.min(255),
            5 | 6 => (10 * major + minor) as usize,
            8 => MAX_SHARED_OPT_IN - kernel.shared.min(MAX_SHARED_OPT_IN),
            _ => 0,
        };
        put(value, answer as c_int)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(function: usize, _attribute: c_int, _value: c_int) -> Code {
    call(|state| find(state, function).map(drop))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetCacheConfig(function: usize, _config: c_int) -> Code {
    call(|state| find(state, function).map(drop))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetSharedMemConfig(function: usize, _config: c_int) -> Code {
    call(|state| find(state, function).map(drop))
}

/// Blocks that threads and shared memory leave room for on one multiprocessor.
fn blocks(kernel: &ptx_interpreter::program::Kernel, threads: usize, dynamic: usize) -> usize {
    let shared = kernel.shared + dynamic;
    let by_shared = MAX_SHARED_OPT_IN.checked_div(shared).unwrap_or(16);
    (MAX_THREADS as usize).checked_div(threads.next_multiple_of(32)).unwrap_or(0).min(by_shared).min(16)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    count: *mut c_int,
    function: usize,
    threads: c_int,
    dynamic: usize,
) -> Code {
    call(|state| {
        let threads = usize::try_from(threads).ok().filter(|&n| n > 0).ok_or(ERROR_INVALID_VALUE)?;
        put(count, blocks(find(state, function)?, threads, dynamic) as c_int)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxPotentialBlockSize(
    grid: *mut c_int,
    threads: *mut c_int,
    function: usize,
    _dynamic_of: *const c_void,
    dynamic: usize,
    limit: c_int,
) -> Code {
    call(|state| {
        let kernel = find(state, function)?;
        let most = kernel.max_threads.unwrap_or(MAX_THREADS).min(MAX_THREADS) as c_int;
        let most = if limit > 0 { most.min(limit) } else { most };
        put_optional(grid, blocks(kernel, most as usize, dynamic).max(1) as c_int);
        put(threads, most)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyAvailableDynamicSMemPerBlock(
    bytes: *mut usize,
    function: usize,
    blocks: c_int,
    _threads: c_int,
) -> Code {
    call(|state| {
        let blocks = usize::try_from(blocks).ok().filter(|&n| n > 0).ok_or(ERROR_INVALID_VALUE)?;
        let shared = find(state, function)?.shared;
        put(bytes, (MAX_SHARED_OPT_IN / blocks).min(MAX_SHARED).saturating_sub(shared))
    })
}
