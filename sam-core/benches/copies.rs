//! The memory passes in units of a plain copy, beside the limits that they should keep. Run it with
//! `cargo bench -p sam-core --bench copies`. It reports and never fails: time on a busy machine is no proof.
//!
//! Passes run in turn, so that a busy machine slows all of them alike; medians are compared. At the memory's
//! speed norm, perturbation and update together are 9 words a weight, 4.5 copies.

#[path = "support/passes.rs"]
mod passes;

use std::time::Instant;

use passes::{PASSES, Passes, Run, WEIGHTS, passes};

const ROUNDS: usize = 15;
/// Least share of the copy's bandwidth for perturbation and update.
const LEAST_BANDWIDTH: f64 = 0.85;
/// Most copies that norm, perturbation and update may take together.
const MOST_COPIES: f64 = 5.3;

fn seconds(pass: Run, on: &mut Passes) -> f64 {
    let start = Instant::now();
    assert_eq!(pass(on), Ok(()));
    start.elapsed().as_secs_f64()
}

fn main() {
    let mut p = passes();
    let mut times = PASSES.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, _, pass), times) in PASSES.iter().zip(&mut times) {
            times.push(seconds(*pass, &mut p));
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    let [copy, norm, perturb, check, update] = medians;
    let bandwidth = |words: u64, time: f64| words as f64 / time / (2.0 / copy);
    println!("medians of {ROUNDS} rounds in turn, {WEIGHTS} f32 weights, one thread:");
    for ((name, words, _), time) in PASSES.iter().zip(medians) {
        println!("  {name:8} {:7.2} ms  {:.2} of the copy's bandwidth", time * 1e3, bandwidth(*words, time));
    }
    let together = (norm + perturb + update) / copy;
    let within = |kept: bool| if kept { "kept" } else { "NOT kept" };
    println!(
        "  norm + perturb + update: {together:.2} copies, at most {MOST_COPIES}: {}",
        within(together <= MOST_COPIES)
    );
    let least = bandwidth(3, perturb).min(bandwidth(5, update));
    println!(
        "  perturb and update: at least {LEAST_BANDWIDTH} of the copy: {}",
        within(least >= LEAST_BANDWIDTH)
    );
    println!("  with the check:          {:.2} copies", (norm + perturb + check + update) / copy);
}
