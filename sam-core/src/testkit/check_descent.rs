//! A base optimizer against the reference.

use core::borrow::{Borrow, BorrowMut};
use std::vec::Vec;

use super::{Storage, Update, bits, numbers, succeed};
use crate::{Descent, ParamSpace};

/// Compares a base optimizer with a loop over single weights through six steps, and checks that without a
/// learning rate no bit moves and that the same steps give the same bits.
///
/// `make(len, lr)` makes the optimizer with that learning rate and otherwise `update`'s hyper-parameters: see
/// [`sgd`](super::sgd), [`adam`](super::adam), [`rmsprop`](super::rmsprop), [`lion`](super::lion), whose rate
/// is 0.05.
///
/// # Panics
/// If the optimizer does not agree to the storage's tolerance.
pub fn check_descent<S, D>(storage: &mut S, mut make: impl FnMut(&mut S, usize, f64) -> D, update: Update)
where
    S: Storage,
    D: Descent<<S::Space as ParamSpace>::Params, <S::Space as ParamSpace>::Grads>,
{
    for len in [1, 3, 64, 1025] {
        let start = numbers(len, 5);
        let mut run = |lr: f64| {
            let mut base = make(storage, len, lr);
            let mut w = storage.params(&start);
            let mut steps = Vec::new();
            for step in 0..6 {
                let mut g = storage.grads(&numbers(len, 100 + step));
                succeed(base.descend(w.borrow_mut(), g.borrow_mut()), "descend");
                steps.push(storage.read(w.borrow()));
            }
            steps
        };
        let (still, steps, again) = (run(0.0), run(0.05), run(0.05));
        // Both as the storage rounds them.
        let start = storage.params(&start);
        let start = storage.read(start.borrow());
        assert!(still.iter().all(|w| bits(w) == bits(&start)), "{len} weights: lr = 0 moved a parameter");
        for (a, b) in steps.iter().zip(&again) {
            assert_eq!(bits(a), bits(b), "{len} weights: the same steps gave different bits");
        }
        for (i, start) in start.iter().enumerate() {
            let (mut w, mut memory) = (*start, [0.0; 2]);
            for (step, found) in steps.iter().enumerate() {
                let g = storage.params(&numbers(len, 100 + step as u64));
                update(&mut w, storage.read(g.borrow())[i], &mut memory, step as i32 + 1);
                let error = (found[i] - w).abs();
                // Rounding of every step adds up.
                assert!(
                    error <= 8.0 * S::TOLERANCE * w.abs().max(1.0),
                    "{len} weights, step {step}: parameter {i} is {:e}, expected {w:e}",
                    found[i]
                );
            }
        }
    }
}
