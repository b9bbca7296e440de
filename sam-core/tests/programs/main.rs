//! Programs of users, each as its user would write it, and each against an independent reference. How much they have to write is part
//! of what they test: the lines between `// glue` and `// end of glue` are what stands between a program and `sam-core`.

#[cfg(feature = "alloc")]
mod choice;
mod owned;
mod sensor;
mod tape;
mod tensors;
mod workers;

const N: usize = 4;
type Vector = [f64; N];
const ZERO: Vector = [0.0; N];
const START: Vector = [1.0, -2.0, 0.5, 3.0];

/// Half of a weighted square, whose gradient goes to `g`.
fn slope(w: &[f64], g: &mut [f64]) -> f64 {
    g.iter_mut().zip(w).enumerate().for_each(|(i, (g, w))| *g = (i as f64 + 1.0) * w);
    w.iter().zip(g).map(|(w, g)| 0.5 * w * *g).sum()
}

/// The longest piece of glue in a program, in lines.
fn glue(program: &str) -> usize {
    let pieces = program.split("// glue\n").skip(1);
    let lines =
        pieces.map(|piece| piece.split("// end of glue").next().unwrap_or(piece).trim_end().lines().count());
    lines.max().expect("no glue is marked")
}

#[test]
fn glue_is_as_short_as_promised() {
    let owned = glue(include_str!("owned.rs"));
    assert!(owned <= 15, "a loop that owns control takes {owned} lines");
    let choice = glue(include_str!("choice.rs"));
    assert!(choice <= 25, "three base optimizers and four methods by name take {choice} lines");
}
