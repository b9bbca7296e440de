//! What handles and descriptors stand for, and places that a C program gives.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::{cublaslt, cudnn, nccl};

/// A thing of one of the libraries'.
#[derive(Clone)]
pub enum Object {
    CublasLt,
    Operation(cublaslt::Operation),
    Layout(cublaslt::Layout),
    Preference(cublaslt::Preference),
    /// With the stream that it computes on.
    Cudnn(usize),
    Tensor(Option<cudnn::Tensor>),
    Filters(Option<cudnn::Tensor>),
    Convolution(Option<cudnn::Geometry>),
    /// Of cuDNN's graph interface.
    Backend(cudnn::Backend),
    Communicator(Arc<nccl::Communicator>),
}

static OBJECTS: LazyLock<Mutex<HashMap<usize, Object>>> = LazyLock::new(Mutex::default);

/// Does something with all of them.
fn with<R>(action: impl FnOnce(&mut HashMap<usize, Object>) -> R) -> R {
    action(&mut OBJECTS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Writes the number of a new object; `false` without a place for it.
pub fn create(place: *mut usize, object: Object) -> bool {
    if place.is_null() {
        return false;
    }
    with(|objects| {
        // Numbers are not used again, so that a stale one is told from a live one.
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0x1_0000);
        let number = NEXT.fetch_add(16, std::sync::atomic::Ordering::Relaxed);
        objects.insert(number, object);
        put(place, number)
    })
}

/// Forgets an object if `is` says that it is of the right kind.
pub fn destroy(number: usize, is: fn(&Object) -> bool) -> bool {
    with(|objects| objects.get(&number).is_some_and(is) && objects.remove(&number).is_some())
}

/// A copy of an object.
pub fn find(number: usize) -> Option<Object> {
    with(|objects| objects.get(&number).cloned())
}

/// Changes an object; `false` if there is none, or `change` says that it is not one of its kind.
pub fn change(number: usize, change: impl FnOnce(&mut Object) -> bool) -> bool {
    with(|objects| objects.get_mut(&number).is_some_and(change))
}

/// Live objects.
pub fn count() -> usize {
    with(|objects| objects.len())
}

/// Writes to a place of the caller's; `false` if it is null.
pub fn put<T>(place: *mut T, value: T) -> bool {
    if place.is_null() {
        return false;
    }
    // SAFETY: not null, and by the library's contract a place for a `T`.
    unsafe { place.write_unaligned(value) };
    true
}

/// Reads what the caller points to.
pub fn get<T: Copy>(place: *const T) -> Option<T> {
    // SAFETY: not null, and by the library's contract a `T`.
    (!place.is_null()).then(|| unsafe { place.read_unaligned() })
}
