//! How much stack a piece of the program took: the unused part is painted before, and looked at afterwards.
#![allow(unsafe_code)]

use core::arch::asm;

use crate::memory_map::{stack_end, stack_start};

/// Unlikely to be pushed: neither an address of these boards nor a number of this program.
const PAINT: u32 = 0xdead_10cc;

/// Room for the frame of [`paint`] itself, whose size only the compiler knows.
const FRAME: usize = 64;

/// Paints everything below the stack pointer but for a few words.
#[inline(never)]
pub fn paint() {
    let top = pointer() - FRAME;
    let mut word = stack_end();
    while (word as usize) < top {
        // SAFETY: between the end of the statics and the last frame lies RAM that holds nothing.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// Bytes from the stack's start to the deepest word that lost its paint.
pub fn used() -> usize {
    let start = stack_start();
    let mut word = stack_end();
    // SAFETY: aligned words of RAM.
    while word < start && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    start as usize - word as usize
}

fn pointer() -> usize {
    let sp;
    // SAFETY: reads a register.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "riscv32")]
        asm!("mv {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags));
    }
    sp
}
