//! The sizes that `step_traffic` counts bytes by are what kernels touch.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, process::Command};

/// What the example prints for some arguments.
fn traffic(arguments: &[&str]) -> String {
    let program = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/step_traffic");
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (said, errors) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}{errors}");
    said
}

/// Rows of the tables: launches, megabytes read and written, operations.
fn rows(said: &str) -> Vec<(&str, Vec<f64>)> {
    said.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let name = fields.next()?;
            let numbers: Option<Vec<f64>> = fields.map(|field| field.parse().ok()).collect();
            numbers.filter(|numbers| numbers.len() == 4).map(|numbers| (name, numbers))
        })
        .collect()
}

/// Kernels are run, and every one of them touches what its operands have.
#[test]
fn operands_are_what_kernels_touch() {
    for arguments in [["wrn-10-1", "2", "16", "3", "run"], ["resnet-8", "3", "12", "1", "run"]] {
        let said = traffic(&arguments);
        let told = traffic(&arguments[..4]);
        assert_eq!(rows(&said), rows(&told), "what is run is what is told");
        assert_eq!(rows(&said).iter().filter(|(name, _)| *name == "all").count(), 6, "{said}");
    }
}

/// Products of wrn-28-10: 5.25 billion multiplications an image forwards, three times as many a gradient but for the first layer's
/// input.
#[test]
fn the_network_of_the_paper_is_counted_without_running_it() {
    let said = traffic(&["wrn-28-10", "256", "32", "3"]);
    let products: Vec<f64> =
        rows(&said).into_iter().filter(|(name, _)| *name == "products").map(|(_, row)| row[3]).collect();
    assert_eq!(products.len(), 6, "{said}");
    for (i, &found) in products.iter().enumerate() {
        let expected = [8.05, 16.11][i % 2];
        assert!((found - expected).abs() < 0.01 * expected, "{found} TFLOP, expected {expected}");
    }
}
