//! Trains in static buffers and reports, through the debugger, what came out and what it took.
#![no_std]
#![no_main]

mod instructions;
mod memory_map;
mod stack;

#[cfg(target_arch = "arm")]
use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
use riscv_rt::entry;
use semihosting::println;
use trainer::Failure;
use trainer::digits::{BYTES, PRETRAINED};
use trainer::experiment::{Memory, Task, Trained};

use instructions::Counter;

static mut MEMORY: Memory = Memory::ZERO;

#[entry]
fn main() -> ! {
    #[allow(unsafe_code)]
    // SAFETY: the runtime calls `main` once, and nothing else names `MEMORY`.
    let memory = unsafe { &mut *(&raw mut MEMORY) };
    let code = match report(memory, &Counter::new()) {
        Ok(()) => 0,
        Err(failure) => {
            println!("training failed: {failure}");
            1
        }
    };
    semihosting::process::exit(code)
}

fn report(memory: &mut Memory, counter: &Counter) -> Result<(), Failure> {
    let flash = memory_map::flash();
    let constants = flash.constants - BYTES - size_of_val(PRETRAINED);
    println!("flash: code {} bytes", flash.code);
    println!("flash: constants {constants} bytes");
    println!("flash: pretrained weights {} bytes", size_of_val(PRETRAINED));
    println!("flash: digits {BYTES} bytes");
    for (name, bytes) in [
        ("weights", size_of_val(&memory.weights)),
        ("gradient", size_of_val(&memory.gradient)),
        ("momentum", size_of_val(&memory.momentum)),
        ("perturbed weights, for SAM", size_of_val(&memory.perturbed)),
        ("one image", size_of_val(&memory.sight)),
        ("other statics", memory_map::statics() - size_of::<Memory>()),
    ] {
        println!("ram: {name} {bytes} bytes");
    }
    for (name, task) in [("fine-tune", Task::FineTune), ("scratch", Task::Scratch)] {
        for (method, sam) in [("SGD", false), ("SAM", true)] {
            stack::paint();
            let trained = train(task, sam, memory)?;
            let used = stack::used();
            println!("{name} {method}: {trained}");
            println!("{name} {method}: worst-case stack {used} bytes");
            println!("{name} {method}: {} instructions a step", step_cost(task, sam, memory, counter)?);
        }
    }
    Ok(())
}

/// Not inlined, so that its frame is where the paint was.
#[inline(never)]
fn train(task: Task, sam: bool, memory: &mut Memory) -> Result<Trained, Failure> {
    task.run(sam, memory)
}

/// Instructions of the second step; the first has no momentum yet.
fn step_cost(task: Task, sam: bool, memory: &mut Memory, counter: &Counter) -> Result<u32, Failure> {
    let set = task.images();
    let mut trainer = task.start(sam, memory);
    trainer.step(&set)?;
    let mut result = Ok(None);
    let instructions = counter.count(|| result = trainer.step(&set));
    result.map(|_| instructions)
}
