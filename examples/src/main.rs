//! The `sam` command.
fn main() {}
