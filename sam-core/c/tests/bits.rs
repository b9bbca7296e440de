//! Steps through the C interface have the bits of steps through `sam-core`.
#![allow(unsafe_code, reason = "calls as C programs make them")]

use std::ptr;

use proptest::prelude::*;
use sam_core::{
    Adam, AlongGradient, Descent, Gsam, LearningRate, LengthMismatch, LookSam, Real, Reuse, Rule, Sam, Sgd,
    SliceSpace, Variant, WeightDecay,
};
use sam_core_c::*;

/// A gradient that depends on the weights, with some zeros.
fn gradient<T: Real>(w: &[T], g: &mut [T], step: usize) {
    for (i, (w, g)) in w.iter().zip(g).enumerate() {
        let target = T::narrow(((i * 7 + step) % 5) as f64 - 2.0);
        *g = if (i + step).is_multiple_of(6) { T::ZERO } else { *w - target };
    }
}

fn decay<T: Real>(settings: &SamSettings) -> WeightDecay<T> {
    let decay = T::narrow(settings.decay);
    if settings.decoupled == 0 { WeightDecay::Coupled(decay) } else { WeightDecay::Decoupled(decay) }
}

/// Weights after `steps` steps of the Rust calls, the learning rate halved after each.
fn through_rust<T: Real>(settings: &SamSettings, start: &[T], steps: usize) -> Vec<T> {
    let lr = T::narrow(settings.lr);
    if settings.base == SAM_BASE_ADAM {
        let zeros = || vec![T::ZERO; start.len()];
        let mut adam = Adam::new(lr, zeros(), zeros()).with_decay(decay(settings));
        adam.beta1 = T::narrow(settings.beta1);
        adam.beta2 = T::narrow(settings.beta2);
        adam.epsilon = T::narrow(settings.epsilon);
        around(adam, settings, start, steps)
    } else {
        let sgd = Sgd::new(lr).with_decay(decay(settings));
        let mut sgd = sgd.with_momentum(T::narrow(settings.momentum), vec![T::ZERO; start.len()]);
        sgd.nesterov = settings.nesterov != 0;
        around(sgd, settings, start, steps)
    }
}

fn around<T, D>(base: D, settings: &SamSettings, start: &[T], steps: usize) -> Vec<T>
where
    T: Real,
    D: Descent<[T], Error = LengthMismatch> + LearningRate<T>,
{
    let zeros = || vec![T::ZERO; start.len()];
    let (mut w, mut g) = (start.to_vec(), zeros());
    let (space, rule) = (SliceSpace::new(zeros()), Rule::l2(T::narrow(settings.rho)));
    let alpha = T::narrow(settings.alpha);
    macro_rules! run {
        ($method:expr) => {{
            let mut method = $method;
            for step in 0..steps {
                let outcome =
                    method.step_with(&mut w, &mut g, |w, g, _| gradient(w, g, step)).unwrap().outcome;
                assert!(outcome.moved());
                let half = T::narrow(method.learning_rate().widen() / 2.0);
                method.set_learning_rate(half);
            }
        }};
    }
    match settings.method {
        SAM_METHOD_GSAM => run!(Variant::new(space, rule, AlongGradient, Gsam::new(alpha, zeros()), base)),
        SAM_METHOD_LOOKSAM => {
            run!(LookSam::new(space, rule, Reuse::new(settings.k, alpha, zeros(), zeros()), base));
        }
        SAM_METHOD_ASAM => run!(Sam::new(space, rule.adaptive(T::narrow(settings.eta)), base)),
        _ => run!(Sam::new(space, rule, base)),
    }
    w
}

macro_rules! interface {
    ($module:ident, $real:ty, $handle:ty: $size:ident $words:ident $init:ident $begin:ident $perturbed:ident $finish:ident
     $lr:ident $set_lr:ident $reals:ident $counts:ident $save:ident $load:ident $cancel:ident $norm:ident) => {
        mod $module {
            use super::*;

            /// A handle and what was lent to it.
            struct Lent {
                sam: *mut $handle,
                _memory: Vec<u128>,
                _buffer: Vec<$real>,
            }

            fn lend(settings: &SamSettings, n: usize) -> Lent {
                let mut memory = vec![0u128; $size().div_ceil(16)];
                // SAFETY: a reference.
                let words = unsafe { $words(settings, n) };
                let mut buffer = vec![<$real>::NAN; words];
                let mut sam = ptr::null_mut();
                // SAFETY: both pieces of memory live as long as the handle, and have the lengths that are said.
                let status = unsafe {
                    $init(memory.as_mut_ptr().cast(), memory.len() * 16, settings, buffer.as_mut_ptr(), words, n, &mut sam)
                };
                assert_eq!(status, SamStatus::Ok);
                Lent { sam, _memory: memory, _buffer: buffer }
            }

            /// Takes the state to a second handle after half of the steps.
            fn through_c(settings: &SamSettings, start: &[$real], steps: usize) -> Vec<$real> {
                let n = start.len();
                let (mut w, mut g) = (start.to_vec(), vec![0.0; n]);
                let mut lent = lend(settings, n);
                for step in 0..steps {
                    if step == steps / 2 {
                        let next = lend(settings, n);
                        // SAFETY: the handles are alive, the vectors as long as they say, and never null.
                        unsafe {
                            let mut reals = Vec::with_capacity($reals(lent.sam) + 1);
                            reals.resize($reals(lent.sam), 0.0);
                            let mut counts = Vec::with_capacity($counts(lent.sam) + 1);
                            counts.resize($counts(lent.sam), 0);
                            assert_eq!($save(lent.sam, reals.as_mut_ptr(), counts.as_mut_ptr()), SamStatus::Ok);
                            assert_eq!($load(next.sam, reals.as_ptr(), counts.as_ptr()), SamStatus::Ok);
                            assert_eq!($set_lr(next.sam, f64::from($lr(lent.sam))), SamStatus::Ok);
                        }
                        lent = next;
                    }
                    let sam = lent.sam;
                    // SAFETY: the handle is alive; the vectors are as long as `init` was told.
                    unsafe {
                        gradient(&w, &mut g, step);
                        let mut status = $begin(sam, w.as_mut_ptr(), g.as_mut_ptr(), 0.0);
                        if status == SamStatus::Gradient {
                            // Given up and begun again: a step that was cancelled leaves no trace.
                            assert_eq!($cancel(sam), SamStatus::Ok);
                            gradient(&w, &mut g, step);
                            assert_eq!($begin(sam, w.as_mut_ptr(), g.as_mut_ptr(), 0.0), SamStatus::Gradient);
                            let up = std::slice::from_raw_parts($perturbed(sam), n).to_vec();
                            gradient(&up, &mut g, step);
                            status = $finish(sam, w.as_mut_ptr(), g.as_mut_ptr(), 0.0);
                        }
                        assert_eq!(status, SamStatus::Descended);
                        assert!($norm(sam) > 0.0);
                        assert_eq!($set_lr(sam, f64::from($lr(sam)) / 2.0), SamStatus::Ok);
                    }
                }
                w
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(64))]

                #[test]
                fn steps_have_the_bits_of_the_rust_calls(
                    method in 0u32..4, base in 0u32..2, nesterov in 0u32..2, decoupled in 0u32..2,
                    k in 0u64..4, rho in 0.0..0.5f64, decay in 0.0..0.1f64, momentum in prop::sample::select(vec![0.0, 0.9]),
                    start in prop::collection::vec(-3.0..3.0 as $real, 3..40), steps in 1usize..9,
                ) {
                    let usual = sam_settings(method, base);
                    let settings = SamSettings { nesterov, decoupled, k, rho, decay, momentum, ..usual };
                    let (c, rust) = (through_c(&settings, &start, steps), through_rust(&settings, &start, steps));
                    let bits = |w: &[$real]| w.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
                    prop_assert_eq!(bits(&c), bits(&rust));
                }
            }
        }
    };
}

interface!(single, f32, SamF32: sam_f32_size sam_f32_words sam_f32_init sam_f32_begin sam_f32_perturbed sam_f32_finish
    sam_f32_lr sam_f32_set_lr sam_f32_state_reals sam_f32_state_counts sam_f32_save sam_f32_load sam_f32_cancel sam_f32_norm);
interface!(double, f64, SamF64: sam_f64_size sam_f64_words sam_f64_init sam_f64_begin sam_f64_perturbed sam_f64_finish
    sam_f64_lr sam_f64_set_lr sam_f64_state_reals sam_f64_state_counts sam_f64_save sam_f64_load sam_f64_cancel sam_f64_norm);
