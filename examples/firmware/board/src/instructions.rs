//! Counts instructions, under an emulator that runs one in a fixed time (QEMU's `-icount shift=0`: 1 ns).

#[cfg(target_arch = "arm")]
pub use systick::Counter;

#[cfg(target_arch = "riscv32")]
pub use retired::Counter;

/// ARM: the system timer.
#[cfg(target_arch = "arm")]
mod systick {
    use core::arch::asm;

    use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};

    /// The timer has 24 bits.
    const RANGE: u32 = 0x00ff_ffff;

    const LOOPS: u32 = 2_000_000;

    /// Good for 2^24 ticks, 671 million instructions at 25 MHz; exact to one tick, 40 instructions.
    pub struct Counter {
        /// Ticks of `2 * LOOPS` instructions.
        unit: u64,
    }

    impl Counter {
        /// Starts the timer and measures how long an instruction takes. Once only.
        pub fn new() -> Self {
            if let Some(mut peripherals) = Peripherals::take() {
                let timer = &mut peripherals.SYST;
                timer.set_clock_source(SystClkSource::Core);
                timer.set_reload(RANGE);
                timer.clear_current();
                timer.enable_counter();
            }
            let unit = ticks(|| {
                #[allow(unsafe_code)]
                // SAFETY: counts a register down; two instructions a round.
                unsafe {
                    asm!("2: subs {0}, {0}, #1", "bne 2b", inout(reg) LOOPS => _, options(nomem, nostack));
                }
            });
            Self { unit: u64::from(unit) }
        }

        /// Instructions of `work`.
        pub fn count(&self, work: impl FnOnce()) -> u32 {
            (u64::from(ticks(work)) * u64::from(2 * LOOPS) / self.unit.max(1)) as u32
        }
    }

    fn ticks(work: impl FnOnce()) -> u32 {
        let start = SYST::get_current();
        work();
        // It counts down.
        start.wrapping_sub(SYST::get_current()) & RANGE
    }
}

/// RISC-V: the register that counts retired instructions.
#[cfg(target_arch = "riscv32")]
mod retired {
    use riscv::register::minstret;

    /// Exact.
    pub struct Counter;

    impl Counter {
        /// The register always counts.
        pub fn new() -> Self {
            Self
        }

        /// Instructions of `work`.
        pub fn count(&self, work: impl FnOnce()) -> u32 {
            let start = minstret::read64();
            work();
            minstret::read64().wrapping_sub(start) as u32
        }
    }
}
