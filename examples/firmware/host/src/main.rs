//! Trains as the board does and prints what the board prints about it.

use trainer::Failure;
use trainer::experiment::{Memory, Task};

fn main() -> Result<(), Failure> {
    let mut memory = Memory::ZERO;
    for (name, task) in [("fine-tune", Task::FineTune), ("scratch", Task::Scratch)] {
        for (method, sam) in [("SGD", false), ("SAM", true)] {
            println!("{name} {method}: {}", task.run(sam, &mut memory)?);
        }
    }
    Ok(())
}
