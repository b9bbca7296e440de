//! The program itself.

use std::process::Command;

#[test]
fn both_methods_learn_the_digits() {
    let output = Command::new(env!("CARGO_BIN_EXE_sam-on-candle")).args(["digits", "2"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Vec<&str>> = text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    // 1200 images are 38 batches of 32.
    let counts: Vec<_> = rows.iter().map(|row| (row[0], row[1], row[2])).collect();
    assert_eq!(counts, [("SGD", "2", "76"), ("SGD", "4", "152"), ("SAM", "2", "152")], "{text}");
    for row in rows {
        let error: f64 = row[4].parse().unwrap();
        assert!(error < 60.0, "guessing is wrong nine times out of ten:\n{text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (arguments, expected) in [
        (["letters", "1", "1"], "expected digits"),
        (["digits", "many", "1"], "expected a number of epochs, found many"),
        (["digits", "1", "all"], "expected a number of training images, found all"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sam-on-candle")).args(arguments).output().unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(expected), "{text}");
    }
}
