//! The `sam` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    sam_train::command::run()
}
