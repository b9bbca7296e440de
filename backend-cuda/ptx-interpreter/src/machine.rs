//! Executes kernels: blocks one after the other, the warps of a block in turns, the lanes of a warp together.

mod access;
mod barrier;
mod carry;
mod collective;
mod execute;
mod matrix;
mod warp;

use crate::fault::{Fault, FaultKind};
use crate::memory::{Clock, Heap, Region};
use crate::program::{Kernel, Special};
use warp::Warp;

/// Most threads of a block, as on every device since `sm_20`.
pub const MAX_THREADS: u32 = 1024;

/// One launch.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// Blocks in each dimension.
    pub grid: [u32; 3],
    /// Threads of a block in each dimension.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub dynamic_shared: usize,
    /// Parameters as they lie in memory; shorter than the kernel's if some were not given.
    pub parameters: &'a [u8],
}

/// What a launch is checked for.
#[derive(Debug, Clone, Copy)]
pub struct Checks {
    /// Look for races: two to three times the work for each access.
    pub races: bool,
    /// Refuse reads of memory that nobody wrote.
    pub uninitialised: bool,
    /// Instructions of single threads after which a launch is given up.
    pub limit: u64,
    /// Note which words are touched: [`Heap::take_traffic`].
    pub traffic: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self { races: true, uninitialised: true, limit: 1 << 38, traffic: false }
    }
}

/// Why a warp stopped, before it is known where that was.
#[derive(Debug)]
struct Stop {
    kind: FaultKind,
    lane: usize,
    detail: String,
}

type Outcome<T = ()> = Result<T, Box<Stop>>;

fn stop<T>(kind: FaultKind, lane: usize, detail: impl Into<String>) -> Outcome<T> {
    Err(Box::new(Stop { kind, lane, detail: detail.into() }))
}

/// What the warps of a block share.
struct Block<'a> {
    kernel: &'a Kernel,
    launch: Launch<'a>,
    checks: Checks,
    heap: &'a mut Heap,
    shared: Region,
    clock: Clock,
    /// Threads that arrived at each barrier without waiting.
    arrivals: [u32; 16],
    /// Instructions of single threads so far.
    instructions: u64,
}

/// Runs a kernel to its end; the number of instructions, counted for each thread.
///
/// # Errors
/// The first fault. What the kernel wrote before stays written.
pub fn run(
    kernel: &Kernel,
    launch: Launch<'_>,
    heap: &mut Heap,
    clock: &mut Clock,
    checks: Checks,
) -> Result<u64, Fault> {
    let threads = threads(launch.block);
    if threads > MAX_THREADS {
        let detail = format!("blocks of {threads} threads, the most is {MAX_THREADS}");
        let (kind, kernel, line) = (FaultKind::Undefined, kernel.name.clone(), 0);
        return Err(Fault { kind, kernel, line, block: [0; 3], thread: [0; 3], detail });
    }
    let shared = Region::new(kernel.shared.next_multiple_of(16) + launch.dynamic_shared);
    let mut block =
        Block { kernel, launch, checks, heap, shared, clock: *clock, arrivals: [0; 16], instructions: 0 };
    let mut warps: Vec<Warp> = (0..threads.div_ceil(32)).map(|w| Warp::new(kernel, w, threads)).collect();
    let [gx, gy, gz] = launch.grid;
    for z in 0..gz {
        for y in 0..gy {
            for x in 0..gx {
                block.shared.reset();
                block.clock.tick();
                for warp in &mut warps {
                    block.start(warp, [x, y, z]);
                }
                let outcome = block.run(&mut warps);
                *clock = block.clock;
                outcome.map_err(|at| Fault {
                    kind: at.stop.kind,
                    kernel: kernel.name.clone(),
                    line: kernel.code[at.pc as usize].line,
                    block: [x, y, z],
                    thread: index(at.warp * 32 + at.stop.lane as u32, launch.block),
                    detail: at.stop.detail,
                })?;
            }
        }
    }
    Ok(block.instructions)
}

/// Threads of a block.
pub fn threads([x, y, z]: [u32; 3]) -> u32 {
    x.saturating_mul(y).saturating_mul(z)
}

/// Index of thread `number` in the block.
fn index(number: u32, [x, y, _]: [u32; 3]) -> [u32; 3] {
    [number % x, number / x % y, number / x / y]
}

/// A stop and where it was.
struct Located {
    stop: Box<Stop>,
    warp: u32,
    pc: u32,
}

impl Block<'_> {
    /// Prepares a warp for the block at `position`.
    fn start(&mut self, warp: &mut Warp, position: [u32; 3]) {
        warp.restart();
        let launch = self.launch;
        let warps = threads(launch.block).div_ceil(32);
        let dynamic = self.kernel.shared.next_multiple_of(16);
        for &(register, special) in &self.kernel.specials {
            let first = warp.number * 32;
            warp.registers[usize::from(register)] = std::array::from_fn(|lane| {
                let lane = lane as u32;
                u64::from(match special {
                    Special::Tid(d) => index(first + lane, launch.block)[usize::from(d)],
                    Special::Ntid(d) => launch.block[usize::from(d)],
                    Special::Ctaid(d) => position[usize::from(d)],
                    Special::Nctaid(d) => launch.grid[usize::from(d)],
                    Special::LaneId => lane,
                    Special::WarpId => warp.number,
                    Special::WarpCount => warps,
                    Special::LaneMaskEq => 1 << lane,
                    Special::LaneMaskLt => (1 << lane) - 1,
                    Special::LaneMaskLe => (1 << lane) | ((1 << lane) - 1),
                    Special::LaneMaskGe => !((1 << lane) - 1),
                    Special::LaneMaskGt => !((1 << lane) | ((1 << lane) - 1)),
                    Special::Zero => 0,
                    Special::DynamicShared => dynamic as u32,
                    Special::DynamicSharedSize => launch.dynamic_shared as u32,
                    Special::TotalSharedSize => (dynamic + launch.dynamic_shared) as u32,
                })
            });
        }
    }

    /// Runs the warps of a block in turns until all threads have exited.
    fn run(&mut self, warps: &mut [Warp]) -> Result<(), Located> {
        self.arrivals = [0; 16];
        loop {
            let mut moved = false;
            for warp in warps.iter_mut() {
                let before = self.instructions;
                if let Err(stop) = self.turn(warp) {
                    return Err(Located { stop, warp: warp.number, pc: warp.pc });
                }
                moved |= self.instructions != before;
            }
            if warps.iter().all(Warp::finished) {
                return Ok(());
            }
            if !moved {
                self.release(warps)?;
            }
        }
    }
}
