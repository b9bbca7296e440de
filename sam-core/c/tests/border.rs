//! What the C interface refuses it leaves as it was.
#![allow(unsafe_code, reason = "calls as C programs make them")]

use std::ptr;

use sam_core_c::*;

const N: usize = 3;

#[test]
fn a_setting_out_of_range_leaves_the_lent_memory_as_it_was() {
    for (name, change) in [
        ("rho", (|settings: &mut SamSettings| settings.rho = f64::NAN) as fn(&mut SamSettings)),
        ("lr", |settings| settings.lr = -1.0),
        ("method", |settings| settings.method = 99),
        ("base", |settings| settings.base = 99),
    ] {
        let mut settings = sam_settings(SAM_METHOD_SAM, SAM_BASE_ADAM);
        change(&mut settings);
        let mut memory = vec![7_u128; sam_f32_size().div_ceil(16)];
        let mut buffer = vec![7.0_f32; 16 * N];
        let mut sam = ptr::null_mut();
        // SAFETY: both pieces of memory have the lengths that are said.
        let status = unsafe {
            let (memory_at, bytes) = (memory.as_mut_ptr().cast(), memory.len() * 16);
            sam_f32_init(memory_at, bytes, &settings, buffer.as_mut_ptr(), buffer.len(), N, &mut sam)
        };
        assert!((status as i32) < 0, "{name}: {status:?}");
        assert!(sam.is_null() && memory.iter().all(|&word| word == 7), "{name}");
        assert!(buffer.iter().all(|&word| word == 7.0), "{name}");
    }
}

#[test]
fn a_state_is_copied_neither_to_nor_from_what_the_handle_was_lent() {
    let settings = sam_settings(SAM_METHOD_SAM, SAM_BASE_ADAM);
    let mut memory = vec![0_u128; sam_f32_size().div_ceil(16)];
    let (memory_at, bytes) = (memory.as_mut_ptr(), memory.len() * 16);
    // SAFETY: a reference; then memory of the lengths that are said, which outlives the handle.
    unsafe {
        let words = sam_f32_words(&settings, N);
        let mut buffer = vec![0.0_f32; words];
        let buffer_at = buffer.as_mut_ptr();
        let mut sam = ptr::null_mut();
        let status = sam_f32_init(memory_at.cast(), bytes, &settings, buffer_at, words, N, &mut sam);
        assert_eq!(status, SamStatus::Ok);
        let mut reals = vec![0.0_f32; sam_f32_state_reals(sam)];
        let mut counts = vec![0_u64; sam_f32_state_counts(sam)];
        assert!(!reals.is_empty() && !counts.is_empty());
        let (reals, counts) = (reals.as_mut_ptr(), counts.as_mut_ptr());
        for (reals, counts) in [(buffer_at, counts), (memory_at.cast(), counts), (reals, memory_at.cast())] {
            assert_eq!(sam_f32_save(sam, reals, counts), SamStatus::Overlap);
            assert_eq!(sam_f32_load(sam, reals, counts), SamStatus::Overlap);
        }
        assert_eq!(sam_f32_save(sam, reals, counts), SamStatus::Ok);
        assert_eq!(sam_f32_load(sam, reals, counts), SamStatus::Ok);
    }
}

/// A handle on three weights, and what it was lent: SAM around SGD.
struct Lent {
    sam: *mut SamF32,
    _memory: Vec<u128>,
    buffer: *mut f32,
    words: usize,
}

impl Lent {
    fn new(method: u32) -> Self {
        let settings = sam_settings(method, SAM_BASE_SGD);
        let mut memory = vec![0_u128; sam_f32_size().div_ceil(16)];
        // SAFETY: a reference.
        let words = unsafe { sam_f32_words(&settings, N) };
        let buffer = Box::leak(vec![0.0_f32; words].into_boxed_slice()).as_mut_ptr();
        let mut sam = ptr::null_mut();
        // SAFETY: memory of the lengths that are said, which outlives the handle.
        let status = unsafe {
            sam_f32_init(memory.as_mut_ptr().cast(), memory.len() * 16, &settings, buffer, words, N, &mut sam)
        };
        assert_eq!(status, SamStatus::Ok);
        Self { sam, _memory: memory, buffer, words }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: a boxed slice of that length was leaked, and the handle is not used any more.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(self.buffer, self.words)) });
    }
}

#[test]
fn a_step_is_finished_with_the_weights_that_it_was_begun_with() {
    let lent = Lent::new(SAM_METHOD_SAM);
    let (mut w, mut other, mut g) = ([1.0_f32, -2.0, 3.0], [9.0_f32; 3], [0.5_f32, 1.0, -1.0]);
    // SAFETY: the vectors have three numbers and the handle is alive.
    unsafe {
        assert_eq!(sam_f32_begin(lent.sam, w.as_mut_ptr(), g.as_mut_ptr(), 0.0), SamStatus::Gradient);
        let refused = sam_f32_finish(lent.sam, other.as_mut_ptr(), g.as_mut_ptr(), 0.0);
        assert_eq!(refused, SamStatus::Weights);
        assert_eq!((w, other), ([1.0, -2.0, 3.0], [9.0; 3]));
        // The step still waits, for the right ones.
        assert_eq!(sam_f32_finish(lent.sam, w.as_mut_ptr(), g.as_mut_ptr(), 0.0), SamStatus::Descended);
        // Another step may have other weights.
        assert_eq!(sam_f32_begin(lent.sam, other.as_mut_ptr(), g.as_mut_ptr(), 0.0), SamStatus::Gradient);
        assert_eq!(sam_f32_finish(lent.sam, other.as_mut_ptr(), g.as_mut_ptr(), 0.0), SamStatus::Descended);
    }
    assert!(w[0] != 1.0 && other[0] != 9.0);
}

/// Under Miri too, which sees whether a reference of the library's has made the pointer invalid.
#[test]
fn a_pointer_to_the_perturbed_weights_serves_every_step() {
    for method in [SAM_METHOD_SAM, SAM_METHOD_ASAM, SAM_METHOD_GSAM, SAM_METHOD_LOOKSAM] {
        let lent = Lent::new(method);
        let (mut w, mut g) = ([1.0_f32, -2.0, 3.0], [0.0_f32; 3]);
        // SAFETY: the vectors have three numbers and the handle is alive; the pointer is to as many, while no step runs.
        unsafe {
            let up = sam_f32_perturbed(lent.sam);
            assert_eq!(up, lent.buffer.cast_const());
            for _ in 0..7 {
                g.copy_from_slice(&w);
                let begun = sam_f32_begin(lent.sam, w.as_mut_ptr(), g.as_mut_ptr(), 0.0);
                if begun == SamStatus::Gradient {
                    assert_eq!(sam_f32_perturbed(lent.sam), up);
                    (0..N).for_each(|i| g[i] = *up.add(i));
                    assert_ne!(g, w);
                    let finished = sam_f32_finish(lent.sam, w.as_mut_ptr(), g.as_mut_ptr(), 0.0);
                    assert_eq!(finished, SamStatus::Descended);
                }
            }
        }
        assert_ne!(w, [1.0, -2.0, 3.0]);
    }
}
