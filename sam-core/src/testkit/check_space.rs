//! A storage against the reference.

use core::borrow::{Borrow, BorrowMut};
use std::vec::Vec;
use std::{format, vec};

use super::{Storage, bits, numbers, reference, succeed};
use crate::{Norm, ParamSpace, Real, Rule, Sam, Verdict};

/// Short, odd, around powers of two, and longer than a block.
const LENGTHS: [usize; 9] = [1, 2, 3, 17, 64, 255, 1000, 1025, 4099];

/// Compares a storage with plain loops: every kind of norm, plain and adaptive; ordinary, huge, tiny, sparse,
/// zero and non-finite gradients; odd lengths; bit-exact restoring in place, also twice and when the guard is dropped; a second step
/// at other parameters.
///
/// # Panics
/// If the storage does not do what [`ParamSpace`] says.
pub fn check_space<S: Storage>(storage: &mut S) {
    for p in [1.0, 1.5, 2.0, 3.0, f64::INFINITY] {
        let norm = succeed(Norm::from_p(p), "the norm");
        for eta in [None, Some(0.125)] {
            let scalar = |x: f64| S::Scalar::narrow(x);
            let rule = Rule::new(scalar(0.25), norm).with_adaptive(eta.map(scalar));
            for len in LENGTHS {
                for (name, g) in gradients(len) {
                    let what = format!("p = {p}, eta = {eta:?}, {len} weights, {name} gradient");
                    check(storage, &rule, p, eta, len, &g, &what);
                }
            }
            check_without_radius(storage, &rule.with_rho(scalar(0.0)));
        }
    }
}

/// Gradients whose values are exact in `f32`.
fn gradients(len: usize) -> Vec<(&'static str, Vec<f64>)> {
    let plain: Vec<f64> = numbers(len, len as u64 + 1).iter().map(|x| f64::from(*x as f32)).collect();
    let scaled = |by: f64| plain.iter().map(|x| x * by).collect::<Vec<_>>();
    let with = |place: usize, value: f64| {
        let mut g = plain.clone();
        g[place] = value;
        g
    };
    let mut sparse = vec![0.0; len];
    sparse[len / 2] = -0.5;
    vec![
        ("ordinary", plain.clone()),
        ("huge", scaled(2f64.powi(100))),
        ("tiny", scaled(2f64.powi(-100))),
        ("sparse", sparse),
        ("zero", vec![0.0; len]),
        ("NaN-first", with(0, f64::NAN)),
        ("NaN-last", with(len - 1, f64::NAN)),
        ("infinite", with(len / 2, f64::NEG_INFINITY)),
    ]
}

fn check<S: Storage>(
    storage: &mut S,
    rule: &Rule<S::Scalar>,
    p: f64,
    eta: Option<f64>,
    len: usize,
    g: &[f64],
    what: &str,
) {
    let (mut w, grads) = (storage.params(&numbers(len, 7)), storage.grads(g));
    let before = storage.read(w.borrow());
    let address: *const _ = w.borrow();
    let (norm, eps) = reference::eps_hat(p, eta, 0.25, &before, g);
    let mut space = storage.space(len);

    let found = succeed(space.dual_norm(w.borrow(), grads.borrow(), rule), what);
    let verdict = space.verdict(&found);
    let expected = if !norm.is_finite() {
        Verdict::NonFinite
    } else if norm == 0.0 {
        Verdict::Zero
    } else {
        Verdict::Finite
    };
    assert!(
        verdict == expected || verdict == Verdict::Unknown,
        "{what}: verdict {verdict:?}, expected {expected:?}"
    );
    if norm.is_finite() {
        let value = storage.read_norm(&found);
        assert!(
            (value - norm).abs() <= S::TOLERANCE * norm,
            "{what}: norm {value:e}, expected {norm:e} to {:e}",
            S::TOLERANCE
        );
    }

    super::check_clean_gradient::check_clean_gradient(storage, &mut space, rule, g, what);

    succeed(space.ascend(w.borrow_mut(), grads.borrow(), rule, &found), what);
    let up = storage.read(space.perturbed(w.borrow()));
    assert_eq!(up.len(), len, "{what}: number of perturbed parameters");
    if expected == Verdict::Finite {
        for i in 0..len {
            let error = (up[i] - (before[i] + eps[i])).abs();
            assert!(
                error <= S::TOLERANCE * before[i].abs().max(eps[i].abs()),
                "{what}: perturbed parameter {i} is {:e}, expected {:e}",
                up[i],
                before[i] + eps[i]
            );
        }
    } else {
        assert_eq!(
            bits(&up),
            bits(&before),
            "{what}: there is nothing to perturb along, yet parameters moved"
        );
    }
    succeed(space.restore(w.borrow_mut()), what);
    assert_eq!(bits(&storage.read(w.borrow())), bits(&before), "{what}: restored parameters");

    succeed(space.restore(w.borrow_mut()), what);
    assert_eq!(
        bits(&storage.read(w.borrow())),
        bits(&before),
        "{what}: parameters after restoring what was restored already"
    );
    assert!(core::ptr::eq(address, w.borrow()), "{what}: the parameters are somewhere else now");
    check_next(storage, &mut space, rule, (p, eta), g, what);

    // Where parameters are handles to one memory, the next step has changed these too.
    let before = storage.read(w.borrow());
    let mut sam = Sam::new(space, *rule, ());
    drop(succeed(sam.ascend(w.borrow_mut(), grads.borrow()), what));
    assert_eq!(bits(&storage.read(w.borrow())), bits(&before), "{what}: parameters after dropping the guard");

    let verdict = succeed(sam.space.check(grads.borrow()), what);
    let fits = match verdict {
        Verdict::Unknown => true,
        Verdict::NonFinite => !norm.is_finite(),
        Verdict::Finite | Verdict::Zero => norm.is_finite(),
    };
    assert!(fits, "{what}: check says {verdict:?}");
}

/// The next step is at other parameters: nothing of the first may be left.
fn check_next<S: Storage>(
    storage: &mut S,
    space: &mut S::Space,
    rule: &Rule<S::Scalar>,
    (p, eta): (f64, Option<f64>),
    g: &[f64],
    what: &str,
) {
    let (mut w, grads) = (storage.params(&numbers(g.len(), 11)), storage.grads(g));
    let before = storage.read(w.borrow());
    let (norm, eps) = reference::eps_hat(p, eta, 0.25, &before, g);
    let found = succeed(space.dual_norm(w.borrow(), grads.borrow(), rule), what);
    succeed(space.ascend(w.borrow_mut(), grads.borrow(), rule, &found), what);
    let up = storage.read(space.perturbed(w.borrow()));
    let moves = norm.is_finite() && norm != 0.0;
    for i in 0..g.len() {
        let expected = if moves { before[i] + eps[i] } else { before[i] };
        assert!(
            (up[i] - expected).abs() <= S::TOLERANCE * before[i].abs().max(eps[i].abs()),
            "{what}: in the next step perturbed parameter {i} is {:e}, expected {expected:e}",
            up[i]
        );
    }
    succeed(space.restore(w.borrow_mut()), what);
    assert_eq!(
        bits(&storage.read(w.borrow())),
        bits(&before),
        "{what}: restored parameters of the next step"
    );
}

/// With `rho = 0` the second gradient is taken at the parameters themselves, -0 included.
fn check_without_radius<S: Storage>(storage: &mut S, rule: &Rule<S::Scalar>) {
    let values = [0.5, -0.0, 0.0, -1.5];
    let (mut w, grads) = (storage.params(&values), storage.grads(&[1.0, -2.0, 0.0, 3.0]));
    let mut space = storage.space(4);
    let norm = succeed(space.dual_norm(w.borrow(), grads.borrow(), rule), "dual_norm");
    succeed(space.ascend(w.borrow_mut(), grads.borrow(), rule, &norm), "ascend");
    let up = storage.read(space.perturbed(w.borrow()));
    assert_eq!(bits(&up), bits(&values), "rho = 0: the perturbed parameters are not the parameters");
}
