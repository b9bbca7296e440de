//! Choosing between this crate's kernel for a product and a library's.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{Geometry, native::Native, trial, verdicts::Shelf};
use crate::{CudaError, Device, KernelChoice, Precision, Product, vendor::VendorKernel};

/// What a layer chooses its kernels by.
pub(crate) struct Choosing<'a> {
    pub device: &'a Device,
    pub choice: KernelChoice,
    /// Samples of the batches that libraries' kernels are for.
    pub samples: usize,
    /// The layer's name.
    pub layer: &'a str,
    /// Values before the layer's parameters in their vector.
    pub parameter: usize,
    /// Whether anybody needs the gradient of its input.
    pub input_gradient: bool,
}

/// A library's kernel, if it is to be taken, and what speaks for the choice.
type Choice = (Option<Box<dyn VendorKernel>>, String);

impl Choosing<'_> {
    pub(super) fn choose(
        &self,
        native: &Native,
        geometry: &Geometry,
        product: Product,
    ) -> Result<Choice, CudaError> {
        let &Self { device, choice, parameter, .. } = self;
        if choice == KernelChoice::Native {
            return Ok((None, "as asked for".to_owned()));
        }
        let precision = native.precision;
        let kernel = match device.vendor()?.kernel(device, geometry, product, precision, parameter) {
            Ok(Ok(kernel)) => kernel,
            Ok(Err(reason)) => return Ok((None, reason)),
            // Nothing that a library does may break what would work without.
            Err(error) if choice == KernelChoice::Auto => return Ok((None, error.to_string())),
            Err(error) => return Err(error),
        };
        if choice == KernelChoice::Vendor {
            let name = kernel.name();
            return Ok((Some(kernel), format!("{name}, as asked for")));
        }
        let name = kernel.name();
        let key =
            Key { geometry: *geometry, product, precision, alignment: parameter.trailing_zeros().min(6) };
        let libraries = device.vendor()?.description();
        let shelf = || Shelf::new(device, &libraries);
        let trial = |kernel: &mut _| trial::run(device, native, geometry, product, kernel);
        let (verdict, kernel) = device.trials().verdict(shelf, key, kernel, trial);
        let reason = format!("{name}, {}", verdict.reason);
        Ok((verdict.taken.then_some(kernel), reason))
    }
}

/// What trials of libraries' kernels came to, so that equal layers choose alike; with where that is kept for other processes,
/// once somebody has asked.
#[derive(Default)]
pub(crate) struct Trials(Mutex<Option<(HashMap<Key, Verdict>, Shelf)>>);

/// What a kernel is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub geometry: Geometry,
    pub product: Product,
    pub precision: Precision,
    /// Of the parameters, as a library sees it.
    pub alignment: u32,
}

/// Whether a library's kernel is taken, and why.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub taken: bool,
    pub reason: String,
}

impl Trials {
    /// The verdict on a kernel: an earlier one, of this process or another, or that of a trial, in which a failure counts against
    /// the library, in this process only. One trial at a time.
    fn verdict<K>(
        &self,
        shelf: impl FnOnce() -> Shelf,
        key: Key,
        mut kernel: K,
        trial: impl FnOnce(&mut K) -> Result<Verdict, CudaError>,
    ) -> (Verdict, K) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (verdicts, shelf) = known.get_or_insert_with(|| {
            let shelf = shelf();
            (shelf.read(), shelf)
        });
        let verdict = verdicts.entry(key).or_insert_with(|| match trial(&mut kernel) {
            Ok(verdict) => {
                shelf.add(&key, &verdict);
                verdict
            }
            Err(error) => Verdict { taken: false, reason: error.to_string() },
        });
        (verdict.clone(), kernel)
    }
}
