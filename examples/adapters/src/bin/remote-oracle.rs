//! The other process: serves the gradient of Rosenbrock's function at two parameters over its standard input and
//! output. It refuses parameters outside of a box, to show what a failing oracle looks like from the other side.

use std::io::{BufReader, BufWriter, stdin, stdout};

use sam_adapters::remote::serve;
use sam_core::FnOracle;

fn main() -> std::io::Result<()> {
    let oracle = FnOracle(|w: &[f64], g: &mut [f64], _| {
        let (x, y) = (w[0], w[1]);
        if x.abs() > 10.0 || y.abs() > 10.0 {
            return Err(format!("expected parameters within 10 of the origin, found ({x}, {y})"));
        }
        let valley = y - x * x;
        g.copy_from_slice(&[-2.0 * (1.0 - x) - 400.0 * x * valley, 200.0 * valley]);
        Ok((1.0 - x).powi(2) + 100.0 * valley * valley)
    });
    serve(2, oracle, BufReader::new(stdin().lock()), BufWriter::new(stdout().lock()))
}
