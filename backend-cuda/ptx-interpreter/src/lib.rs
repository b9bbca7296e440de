#![doc = include_str!("../README.md")]

pub mod alu;
pub mod ast;
pub mod column;
pub mod device;
pub mod error;
pub mod exact;
pub mod fault;
mod lexer;
mod lower;
pub mod machine;
pub mod memory;
pub mod modifiers;
mod parser;
pub mod program;
mod wide;

pub use device::{Device, Module};
pub use error::ParseError;
pub use fault::{Fault, FaultKind};
pub use lower::{Globals, lower};
pub use machine::{Checks, Launch, run};
pub use memory::Traffic;
pub use parser::parse;
