//! Where the linker put what. Its symbols have addresses and no contents.
#![allow(unsafe_code)]

unsafe extern "C" {
    static __stext: u32;
    static __etext: u32;
    static __srodata: u32;
    static __erodata: u32;
    static __sdata: u32;
    static __ebss: u32;
    #[cfg_attr(target_arch = "arm", link_name = "_stack_end")]
    #[cfg_attr(target_arch = "riscv32", link_name = "__estack")]
    static mut STACK_END: u32;
    static mut _stack_start: u32;
}

/// Bytes of flash.
pub struct Flash {
    /// Instructions.
    pub code: usize,
    /// Everything else.
    pub constants: usize,
}

/// What the program takes of the flash.
pub fn flash() -> Flash {
    Flash {
        code: (&raw const __etext).addr() - (&raw const __stext).addr(),
        constants: (&raw const __erodata).addr() - (&raw const __srodata).addr(),
    }
}

/// Bytes of RAM that static variables take.
pub fn statics() -> usize {
    (&raw const __ebss).addr() - (&raw const __sdata).addr()
}

/// The lowest word that the stack may grow down to.
pub fn stack_end() -> *mut u32 {
    &raw mut STACK_END
}

/// The end of RAM, from which the stack grows down.
pub fn stack_start() -> *mut u32 {
    &raw mut _stack_start
}
