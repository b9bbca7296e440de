//! The functions for weights in `f64`. Those for `f32` are the same but for the type, which a test holds.
#![allow(unsafe_code, reason = "names and pointers of C programs")]

use core::ffi::c_void;
use core::ptr::NonNull;

use crate::border::{self, Place};
use crate::handle::Handle;
use crate::lent::Lent;
use crate::method;
use crate::{SamSettings, SamStatus};

/// A method for weights in `f64`, in memory that the caller lent.
pub struct SamF64(Handle<f64>);

/// Bytes of memory that a handle needs.
#[unsafe(no_mangle)]
pub const extern "C" fn sam_f64_size() -> usize {
    size_of::<SamF64>()
}

/// What the address of that memory must be a multiple of: a power of two, at most 16.
#[unsafe(no_mangle)]
pub const extern "C" fn sam_f64_align() -> usize {
    align_of::<SamF64>()
}

/// Numbers that the buffer must have for `n` weights; `SIZE_MAX` if there is no such method or base optimizer, the pointer is null or
/// no memory holds as many.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_words(settings: *const SamSettings, n: usize) -> usize {
    // SAFETY: the caller's promise.
    let settings = unsafe { border::shared(settings) };
    settings.and_then(|settings| method::words::<f64>(settings, n)).unwrap_or(usize::MAX)
}

/// Makes a handle in `memory` of `size` bytes, with a `buffer` of `words` numbers that it keeps, and puts it into `handle`. There is
/// nothing to free: the lender takes both back when the handle is not used any more.
///
/// # Safety
/// As the whole library. `buffer` need not be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_init(
    memory: *mut c_void,
    size: usize,
    settings: *const SamSettings,
    buffer: *mut f64,
    words: usize,
    n: usize,
    handle: *mut *mut SamF64,
) -> SamStatus {
    let make = || {
        let place = memory.cast::<SamF64>();
        let taken = Place::of(place, 1)?;
        if size < size_of::<SamF64>() {
            return Err(SamStatus::TooSmall);
        }
        let lent = Place::of(buffer, words)?;
        let answer = Place::of(handle, 1)?;
        taken.apart_from(lent)?;
        answer.apart_from(taken)?;
        answer.apart_from(lent)?;
        // SAFETY: the caller's promise.
        let settings = *unsafe { border::shared(settings)? };
        if words < method::words::<f64>(&settings, n)? {
            return Err(SamStatus::TooSmall);
        }
        Handle::<f64>::check_settings(&settings)?;
        // SAFETY: `Place::of` has seen that `words` numbers fit; zero bytes are the number 0.
        unsafe { buffer.write_bytes(0, words) };
        // SAFETY: aligned and initialised above; lent as long as the handle is used, and written to by the handle alone.
        let buffer = unsafe { Lent::new(NonNull::new(buffer).ok_or(SamStatus::Null)?, words) };
        let made = SamF64(Handle::new(&settings, buffer, n)?);
        // SAFETY: aligned, large enough, apart from all that is read, and the caller's to lend.
        unsafe { place.write(made) };
        // SAFETY: aligned, and the caller's to write to.
        unsafe { handle.write(place) };
        Ok(SamStatus::Ok)
    };
    make().unwrap_or_else(|error| error)
}

/// First half of a step: `g` is the gradient at `w`, which is scratch space afterwards, `loss` the loss there (0 if nobody knows it).
/// Answers `SAM_STATUS_GRADIENT` if a second gradient is wanted, at `sam_f64_perturbed`, else what came of the step.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_begin(sam: *mut SamF64, w: *mut f64, g: *mut f64, loss: f64) -> SamStatus {
    // SAFETY: the caller's promise.
    unsafe { with(sam, w, g, |sam, w, g| sam.begin(w, g, loss)) }
}

/// Where the second gradient is wanted: as many numbers as there are weights, where the buffer begins. The pointer is the same in all
/// steps; what it points to is of use from `begin` to the end of the step. NULL if the handle is.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_perturbed(sam: *const SamF64) -> *const f64 {
    // SAFETY: the caller's promise.
    let sam = unsafe { border::shared(sam) };
    sam.map_or(core::ptr::null(), |sam| sam.0.perturbed())
}

/// Second half of a step: `g` is the gradient at `sam_f64_perturbed`, `loss` the loss there (0 if nobody knows it). `w` is the pointer
/// that `begin` got; another one is refused, and the step waits on.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_finish(sam: *mut SamF64, w: *mut f64, g: *mut f64, loss: f64) -> SamStatus {
    // SAFETY: the caller's promise.
    unsafe { with(sam, w, g, |sam, w, g| sam.finish(w, g, loss)) }
}

/// Gives a step up that was begun. Weights and state are as before it.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_cancel(sam: *mut SamF64) -> SamStatus {
    // SAFETY: the caller's promise.
    unsafe { border::exclusive(sam) }.and_then(|sam| sam.0.cancel()).unwrap_or_else(|error| error)
}

/// Dual norm of the latest step's first gradient; NaN before the first step and for NULL.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_norm(sam: *const SamF64) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { border::shared(sam) }.map_or(f64::NAN, |sam| sam.0.norm())
}

/// The learning rate of the next step; NaN for NULL.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_lr(sam: *const SamF64) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { border::shared(sam) }.map_or(f64::NAN, |sam| sam.0.learning_rate())
}

/// Changes the learning rate of the steps to come.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_set_lr(sam: *mut SamF64, lr: f64) -> SamStatus {
    // SAFETY: the caller's promise.
    let sam = unsafe { border::exclusive(sam) };
    sam.and_then(|sam| sam.0.set_learning_rate(lr)).unwrap_or_else(|error| error)
}

/// Changes the radius of the steps to come.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_set_rho(sam: *mut SamF64, rho: f64) -> SamStatus {
    // SAFETY: the caller's promise.
    unsafe { border::exclusive(sam) }.and_then(|sam| sam.0.set_rho(rho)).unwrap_or_else(|error| error)
}

/// Numbers of the state that outlives a step; 0 for NULL.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_state_reals(sam: *const SamF64) -> usize {
    // SAFETY: the caller's promise.
    unsafe { border::shared(sam) }.map_or(0, |sam| sam.0.state_lengths().0)
}

/// Counters of the state that outlives a step; 0 for NULL.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_state_counts(sam: *const SamF64) -> usize {
    // SAFETY: the caller's promise.
    unsafe { border::shared(sam) }.map_or(0, |sam| sam.0.state_lengths().1)
}

/// Copies the state out, between two steps: as many numbers and counters as `sam_f64_state_reals` and `sam_f64_state_counts` say.
/// Neither pointer may be null, also where nothing is written to it.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_save(sam: *const SamF64, reals: *mut f64, counts: *mut u64) -> SamStatus {
    let save = || {
        let handle = Place::of(sam, 1)?;
        // SAFETY: the caller's promise.
        let sam = unsafe { border::shared(sam)? };
        let (n, m) = sam.0.state_lengths();
        sam.0.check_state(handle, Place::of(reals, n)?, Place::of(counts, m)?)?;
        // SAFETY: the caller's promise; the two lie apart from each other, the handle and its buffer.
        let (reals, counts) = unsafe { (border::slice_mut(reals, n)?, border::slice_mut(counts, m)?) };
        sam.0.save(reals, counts)
    };
    save().unwrap_or_else(|error| error)
}

/// Copies a state in, between two steps, that a handle with the same settings and as many weights gave: the steps to come have the bits
/// of those that one would have made.
///
/// # Safety
/// As the whole library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sam_f64_load(sam: *mut SamF64, reals: *const f64, counts: *const u64) -> SamStatus {
    let load = || {
        let handle = Place::of(sam, 1)?;
        // SAFETY: the caller's promise.
        let sam = unsafe { border::exclusive(sam)? };
        let (n, m) = sam.0.state_lengths();
        sam.0.check_state(handle, Place::of(reals, n)?, Place::of(counts, m)?)?;
        // SAFETY: the caller's promise; handle and buffer, which are written to, lie apart from both.
        let (reals, counts) = unsafe { (border::slice(reals, n)?, border::slice(counts, m)?) };
        sam.0.load(reals, counts)
    };
    load().unwrap_or_else(|error| error)
}

/// # Safety
/// As the whole library.
unsafe fn with(
    sam: *mut SamF64,
    w: *mut f64,
    g: *mut f64,
    half: impl FnOnce(&mut Handle<f64>, &mut [f64], &mut [f64]) -> Result<SamStatus, SamStatus>,
) -> SamStatus {
    let run = || {
        let place = Place::of(sam, 1)?;
        // SAFETY: the caller's promise.
        let sam = unsafe { &mut border::exclusive(sam)?.0 };
        let n = sam.check(w, g)?;
        place.apart_from(Place::of(w, n)?)?;
        place.apart_from(Place::of(g, n)?)?;
        // SAFETY: the caller's promise; handle, buffer and both vectors lie apart, so that no two references share a byte.
        let (w, g) = unsafe { (border::slice_mut(w, n)?, border::slice_mut(g, n)?) };
        half(sam, w, g)
    };
    run().unwrap_or_else(|error| error)
}
