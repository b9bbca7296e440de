//! The program is the README's example, line for line.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

#[test]
fn the_program_holds_every_line_of_the_readme_s_example_in_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(folder.join("../../README.md")).unwrap();
    let program = fs::read_to_string(folder.join("src/main.rs")).unwrap();
    let example = readme.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    // Lines that begin with # are what documentation hides.
    let mut expected =
        example.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let count = expected.clone().count();
    assert!(count > 8, "the example was not found");
    let mut wanted = expected.next();
    for line in program.lines().map(str::trim) {
        if Some(line) == wanted {
            wanted = expected.next();
        }
    }
    assert_eq!(wanted, None, "the README has this line where the program has none");
}
