//! Counters among tensors of single precision.

use super::state::{State, Tensor};

/// The first part of their tensors' names.
const COUNTS: &str = "counts/";

/// Counters as a tensor: four numbers of 16 bits each, which single precision holds exactly.
pub fn counters(piece: &str, counts: &[u64]) -> Tensor {
    let words = counts.iter().flat_map(|&count| (0..4).map(move |i| f32::from((count >> (16 * i)) as u16)));
    Tensor { name: format!("{COUNTS}{piece}"), shape: vec![counts.len(), 4], values: words.collect() }
}

/// The counters that [`counters`] has written.
pub fn copy_counters(state: &State, piece: &str, counts: &mut [u64]) {
    if let Some(tensor) = state.get(&format!("{COUNTS}{piece}")) {
        for (count, words) in counts.iter_mut().zip(tensor.values.chunks_exact(4)) {
            *count = words.iter().rev().fold(0, |count, &word| count << 16 | u64::from(word as u16));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counters_come_back_bit_for_bit(counts in proptest::collection::vec(any::<u64>(), 0..4)) {
            let state = State { tensors: vec![counters("look.since", &counts)] };
            let mut found = vec![7; counts.len()];
            copy_counters(&state, "look.since", &mut found);
            prop_assert_eq!(found, counts);
        }
    }
}
