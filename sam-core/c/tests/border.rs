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
