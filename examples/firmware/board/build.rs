//! Puts the target's memory map where the runtime's linker script looks for it.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let memory = format!("memory/{arch}.x");
    println!("cargo:rerun-if-changed=memory");
    println!("cargo:rerun-if-changed=build.rs");
    if !Path::new(&memory).exists() {
        return Err(format!("no {memory}: expected the target to be arm or riscv32, found {arch}").into());
    }
    let out = env::var("OUT_DIR")?;
    fs::copy(memory, Path::new(&out).join("memory.x"))?;
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rustc-link-arg=--nmagic");
    Ok(())
}
