//! Sums in the background beside sums at once: the same bits, whoever is late, and however many are on their way.

use std::{process::ExitCode, thread, time::Duration};

use sam_train::ranks::Ranks;

/// Lengths of what is summed up: shorter than the ranks are many, no multiple of them, and longer than what MPI sends at once.
const LENGTHS: [usize; 7] = [1, 3, 1_000, 65_537, 4, 300_000, 2];
/// Sums that are on their way at a time.
const UNDER_WAY: usize = 3;
const ROUNDS: usize = 5;

/// What this rank brings to a sum: numbers of very different sizes, so that the order of additions is seen.
fn summand(rank: usize, number: usize, length: usize) -> Vec<f32> {
    let value = |entry: usize| {
        let mixed = (entry + 31 * number + 1009 * rank).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (mixed as f32 - 8e6) * 10_f32.powi((mixed % 9) as i32 - 4)
    };
    (0..length).map(value).collect()
}

fn main() -> ExitCode {
    let started = match sam_mpi::start() {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ranks: &dyn Ranks = &*started.ranks;
    let own = ranks.rank();
    let Some(background) = ranks.background() else {
        eprintln!("error: expected ranks with sums in the background, found {} without", ranks.size());
        return ExitCode::FAILURE;
    };
    let sums: Vec<Vec<f32>> = (0..ROUNDS * LENGTHS.len())
        .map(|number| summand(own, number, LENGTHS[number % LENGTHS.len()]))
        .collect();
    let mut found: Vec<Vec<f32>> = Vec::new();
    let end = |found: &mut Vec<Vec<f32>>| {
        let mut values = vec![f32::NAN; sums[found.len()].len()];
        background.end(&mut values);
        found.push(values);
    };
    for (number, sum) in sums.iter().enumerate() {
        if number - found.len() == UNDER_WAY {
            end(&mut found);
        }
        // Each is late at another one.
        if number % ranks.size() == own {
            thread::sleep(Duration::from_millis(20));
        }
        background.begin(sum);
        background.proceed();
    }
    while found.len() < sums.len() {
        end(&mut found);
    }
    for (number, mut expected) in sums.into_iter().enumerate() {
        ranks.sum(&mut expected);
        let differ = expected.iter().zip(&found[number]).position(|(a, b)| a.to_bits() != b.to_bits());
        if let Some(entry) = differ {
            let (expected, found) = (expected[entry], found[number][entry]);
            eprintln!("error: sum {number}, entry {entry}: expected {expected}, found {found}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
