//! Sums in the background beside sums at once, and in parts beside whole ones: the same bits, whoever is late, and however many are on
//! their way.

use std::{ops::Range, process::ExitCode, thread, time::Duration};

use sam_train::ranks::Ranks;

/// Lengths of what is summed up: shorter than the ranks are many, no multiple of them, and longer than what MPI sends at once.
const LENGTHS: [usize; 7] = [1, 3, 1_000, 65_537, 4, 300_000, 2];
/// Sums that are on their way at a time.
const UNDER_WAY: usize = 3;
const ROUNDS: usize = 5;
/// Every so many sums one of which each rank gets a part, of a multiple of so many entries.
const IN_PARTS: usize = 3;
const BLOCK: usize = 64;

/// What this rank brings to a sum: numbers of very different sizes, so that the order of additions is seen.
fn summand(rank: usize, number: usize, length: usize) -> Vec<f32> {
    let value = |entry: usize| {
        let mixed = (entry + 31 * number + 1009 * rank).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (mixed as f32 - 8e6) * 10_f32.powi((mixed % 9) as i32 - 4)
    };
    (0..length).map(value).collect()
}

/// Entries of each rank's part.
fn part(length: usize, ranks: usize) -> usize {
    length.div_ceil(ranks).next_multiple_of(BLOCK)
}

/// Where the part of a rank lies.
fn part_of(rank: usize, length: usize, ranks: usize) -> Range<usize> {
    let begin = |rank: usize| (rank * part(length, ranks)).min(length);
    begin(rank)..begin(rank + 1)
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
    let (own, size) = (ranks.rank(), ranks.size());
    let is_in_parts = |number: usize| number.is_multiple_of(IN_PARTS);
    let Some(background) = ranks.background() else {
        eprintln!("error: expected ranks with sums in the background, found {} without", ranks.size());
        return ExitCode::FAILURE;
    };
    let sums: Vec<Vec<f32>> = (0..ROUNDS * LENGTHS.len())
        .map(|number| summand(own, number, LENGTHS[number % LENGTHS.len()]))
        .collect();
    let mut found: Vec<Vec<f32>> = Vec::new();
    let end = |found: &mut Vec<Vec<f32>>| {
        let (number, length) = (found.len(), sums[found.len()].len());
        let entries = if is_in_parts(number) { part_of(own, length, size) } else { 0..length };
        let mut values = vec![f32::NAN; entries.len()];
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
        if is_in_parts(number) {
            background.begin_part(sum, part(sum.len(), size));
        } else {
            background.begin(sum);
        }
        background.proceed();
    }
    while found.len() < sums.len() {
        end(&mut found);
    }
    for (number, mut expected) in sums.into_iter().enumerate() {
        let (length, summand) = (expected.len(), expected.clone());
        ranks.sum(&mut expected);
        let entries = part_of(own, length, size);
        let mut at_once = vec![f32::NAN; entries.len()];
        ranks.reduce_scatter(&summand, part(length, size), &mut at_once);
        let mut whole = vec![f32::NAN; length];
        ranks.all_gather(&at_once, part(length, size), &mut whole);
        let in_background = if is_in_parts(number) { &expected[entries.clone()] } else { &expected[..] };
        for (what, expected, found) in [
            ("in the background", in_background, &found[number]),
            ("in parts", &expected[entries], &at_once),
            ("of parts", &expected, &whole),
        ] {
            let differ = expected.iter().zip(found).position(|(a, b)| a.to_bits() != b.to_bits());
            if let Some(entry) = differ {
                let (expected, found) = (expected[entry], found[entry]);
                eprintln!("error: sum {number} {what}, entry {entry}: expected {expected}, found {found}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
