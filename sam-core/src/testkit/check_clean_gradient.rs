//! The clean gradient of a storage, which it may take in its own way.

use core::borrow::{Borrow, BorrowMut};
use std::vec::Vec;

use super::{Storage, numbers, succeed};
use crate::{FnOracle, ParamSpace, Pass, Rule, StepError};

type Params<S> = <<S as Storage>::Space as ParamSpace>::Params;
type Grads<S> = <<S as Storage>::Space as ParamSpace>::Grads;

/// The clean gradient's norm is the norm of the gradient, bit for bit; the oracle is asked once, in the clean pass; what it fails
/// with is passed on. The oracles here leave the gradient as it is.
pub(super) fn check_clean_gradient<S: Storage>(
    storage: &mut S,
    space: &mut S::Space,
    rule: &Rule<S::Scalar>,
    g: &[f64],
    what: &str,
) {
    let (w, mut grads) = (storage.params(&numbers(g.len(), 7)), storage.grads(g));
    let expected = succeed(space.dual_norm(w.borrow(), grads.borrow(), rule), what);
    let mut passes = Vec::new();
    let mut oracle = FnOracle(|_: &Params<S>, _: &mut Grads<S>, pass: Pass| {
        passes.push(pass);
        Ok::<_, ()>(())
    });
    let ((), found) = succeed(space.clean_gradient(w.borrow(), grads.borrow_mut(), rule, &mut oracle), what);
    assert_eq!(passes, [Pass::Clean], "{what}: what the clean gradient asks the oracle for");
    assert_eq!(space.verdict(&found), space.verdict(&expected), "{what}: verdict of the clean gradient");
    let (found, expected) = (storage.read_norm(&found), storage.read_norm(&expected));
    assert_eq!(
        found.to_bits(),
        expected.to_bits(),
        "{what}: norm of the clean gradient {found}, not {expected}"
    );

    let mut broken = FnOracle(|_: &Params<S>, _: &mut Grads<S>, _: Pass| Err::<(), _>(()));
    let failed = space.clean_gradient(w.borrow(), grads.borrow_mut(), rule, &mut broken);
    assert!(
        matches!(failed, Err(StepError::Oracle((), Pass::Clean))),
        "{what}: expected the oracle's error from the clean gradient"
    );
}
