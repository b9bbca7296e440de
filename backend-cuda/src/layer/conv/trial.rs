//! One product by both kernels: whether they agree, and which is faster.
//!
//! A library's kernel is believed if each of its entries is as near to this crate's as rounding allows. With many terms to a
//! sum that would allow almost anything, so one factor is mostly zeros: each entry is the sum of few products, at places that
//! cover the factors, and adding zeros rounds nothing. So a product in another precision than asked for, or of other
//! entries, stands out.

use core::time::Duration;

use super::native::Native;
use crate::{
    CudaError, Device, DeviceVec, Event, Precision, Product, Ptr,
    activations::Activations,
    element::Element,
    geometry::Geometry,
    vendor::{Operands, VendorKernel, Verdict},
};

/// Products that are not zero in a sum over pixels or over a filter, at most.
const TERMS: usize = 16;
/// Timed launches of each kernel, in turn.
const LAUNCHES: usize = 5;
/// What a library's kernel may take of the time of this crate's, so that chance does not decide.
const FASTER: f64 = 0.95;

/// Runs the trial.
///
/// # Errors
/// A device that fails, or has no memory for the trial; a library that refuses.
pub(super) fn run(
    device: &Device,
    native: &Native,
    geometry: &Geometry,
    product: Product,
    kernel: &mut Box<dyn VendorKernel>,
) -> Result<Verdict, CudaError> {
    let mut factors = Factors::new(geometry, product);
    let scratch = native.scratch_bytes(geometry.samples).max(kernel.scratch_bytes());
    let scratch = scratch.div_ceil(size_of::<f64>()).max(1);
    let mut bench = Bench::new(device, product, Element::of(native.precision), &factors, scratch)?;
    let single = Native::new(geometry);
    let ours = |native: &Native, operands: &Operands| {
        native.launch(device, product, geometry.samples, Ptr::NULL, operands)
    };
    let expected = bench.result(|operands| ours(native, operands))?;
    let found = bench.result(|operands| kernel.launch(device, operands))?;
    let operands = bench.operands(false);
    let times = times(device, [&mut || ours(native, &operands), &mut || kernel.launch(device, &operands)])?;
    drop(bench);
    factors.left.iter_mut().chain(&mut factors.right).for_each(|value| *value = value.abs());
    let mut bench = Bench::new(device, product, Element::F32, &factors, scratch)?;
    let sizes = bench.result(|operands| ours(&single, operands))?;
    let bound = bound(native.precision, factors.terms);
    if let Some(difference) = difference(&expected, &found, &sizes, bound) {
        return Ok(Verdict { taken: false, reason: difference });
    }
    Ok(faster(times, "native"))
}

/// Buffers of a trial.
struct Bench {
    left: Activations,
    right: Activations,
    to: Activations,
    scratch: DeviceVec<f64>,
    /// Whether the product is added to itself, to see that it can be.
    twice: bool,
}

impl Bench {
    /// For activations of that element; weights and their gradient are f32.
    fn new(
        device: &Device,
        product: Product,
        element: Element,
        factors: &Factors,
        scratch: usize,
    ) -> Result<Self, CudaError> {
        let [right, to] = match product {
            Product::Forward | Product::InputGradient => [Element::F32, element],
            Product::WeightGradient => [element, Element::F32],
        };
        Ok(Self {
            left: Activations::from_slice(device, element, &factors.left)?,
            right: Activations::from_slice(device, right, &factors.right)?,
            to: Activations::zeros(device, to, factors.entries)?,
            scratch: DeviceVec::zeros(device, scratch)?,
            twice: product == Product::InputGradient,
        })
    }

    fn operands(&self, accumulate: bool) -> Operands {
        Operands {
            left: self.left.at().reading(),
            right: self.right.at().reading(),
            to: self.to.at(),
            accumulate,
            scratch: self.scratch.shared_ptr(),
        }
    }

    /// What a kernel writes; it must not read what was there.
    fn result(
        &mut self,
        mut launch: impl FnMut(&Operands) -> Result<(), CudaError>,
    ) -> Result<Vec<f32>, CudaError> {
        self.to.write(&vec![f32::NAN; self.to.len()])?;
        launch(&self.operands(false))?;
        if self.twice {
            launch(&self.operands(true))?;
        }
        self.to.read()
    }
}

/// The shortest time of each of two launches, which both have run before, in milliseconds.
pub(super) fn times(
    device: &Device,
    mut launches: [&mut dyn FnMut() -> Result<(), CudaError>; 2],
) -> Result<[f64; 2], CudaError> {
    let (mut before, mut after) = (Event::new(device)?, Event::new(device)?);
    let mut shortest = [Duration::MAX; 2];
    for _ in 0..LAUNCHES {
        for (launch, shortest) in launches.iter_mut().zip(&mut shortest) {
            before.record()?;
            launch()?;
            after.record()?;
            device.synchronize()?;
            *shortest = after.since(&before)?.min(*shortest);
        }
    }
    Ok(shortest.map(|time| 1e3 * time.as_secs_f64()))
}

/// The verdict on a kernel that agrees: whether it is faster than what else there is, by what both took.
pub(super) fn faster([own, its]: [f64; 2], other: &str) -> Verdict {
    Verdict { taken: its <= FASTER * own, reason: format!("{its:.3} ms, {other} {own:.3} ms") }
}

/// What is multiplied.
pub(super) struct Factors {
    pub left: Vec<f32>,
    pub right: Vec<f32>,
    /// Entries of the product.
    pub entries: usize,
    /// Products that are not zero in any entry, at most.
    pub terms: usize,
}

impl Factors {
    pub fn new(geometry: &Geometry, product: Product) -> Self {
        let Geometry { samples, input, output, kernel, .. } = *geometry;
        let (patch, filters, rows) = (geometry.patch(), output.channels, samples * output.pixels());
        let (inputs, outputs, weights) = (samples * input.len(), samples * output.len(), geometry.weights());
        // One of `period` rows of a matrix of `filters` columns, another one in each column.
        let sparse = |seed, rows: usize, period: usize| {
            let mut values = noise(seed, rows * filters);
            for (row, values) in values.chunks_exact_mut(filters).enumerate() {
                for (column, value) in values.iter_mut().enumerate() {
                    if !(row + column).is_multiple_of(period) {
                        *value = 0.0;
                    }
                }
            }
            values
        };
        let period = |rows: usize| rows.div_ceil(TERMS);
        let by_filter = period(patch);
        match product {
            Product::Forward => Self {
                left: noise(1, inputs),
                right: sparse(2, patch, by_filter),
                entries: outputs,
                terms: patch.div_ceil(by_filter),
            },
            Product::InputGradient => Self {
                left: noise(3, outputs),
                right: sparse(2, patch, by_filter),
                entries: inputs,
                // Added to itself: twice as many.
                terms: 2 * kernel * kernel * filters.div_ceil(by_filter),
            },
            Product::WeightGradient => {
                let period = period(rows);
                let right = sparse(3, rows, period);
                Self { left: noise(1, inputs), right, entries: weights, terms: rows.div_ceil(period) }
            }
        }
    }
}

/// Values in (-1, 1), none of them of few bits, that come again after a prime number of them only.
pub(super) fn noise(seed: u64, count: usize) -> Vec<f32> {
    const CYCLE: usize = 65_521;
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    let cycle: Vec<f32> = (0..CYCLE.min(count)).map(|_| next()).collect();
    cycle.iter().copied().cycle().take(count).collect()
}

/// How far two kernels' entries may be apart, in parts of the sum of their terms' sizes.
///
/// A factor is rounded to nearest by this crate's kernels, and cut off at worst by a library's. Of n terms, however they are
/// grouped, the sum is off by at most n + 8 last places of the sum of sizes, cut off at worst. In bf16 factors that are activations are
/// the same numbers for both, and what that leaves is more than the rounding of the results, which are activations or gradients too,
/// of either.
pub(super) fn bound(precision: Precision, terms: usize) -> f64 {
    let unit: f64 = match precision {
        Precision::Single => 0.0,
        Precision::Tf32 => 0.5f64.powi(11),
        Precision::Bf16 => 0.5f64.powi(8),
    };
    let rounded = |unit: f64| (1.0 + unit).powi(2) - 1.0;
    rounded(unit) + rounded(2.0 * unit) + 2.0 * (terms + 8) as f64 * 0.5f64.powi(23)
}

/// The first entry that is further off than it may be, if one is.
pub(super) fn difference(expected: &[f32], found: &[f32], sizes: &[f32], bound: f64) -> Option<String> {
    let off = |((expected, found), size): ((&f32, &f32), &f32)| {
        let apart = (f64::from(*expected) - f64::from(*found)).abs();
        apart.is_nan() || apart > bound * f64::from(*size)
    };
    let entry = expected.iter().zip(found).zip(sizes).position(off)?;
    let (expected, found, most) = (expected[entry], found[entry], bound * f64::from(sizes[entry]));
    Some(format!("entry {entry} is {found}, native {expected}, which may be {most:.1e} apart"))
}

#[cfg(test)]
mod tests {
    use sam_model::Shape;

    use super::*;

    fn geometry(input: Shape, filters: usize, kernel: usize, samples: usize) -> Geometry {
        let output = Shape::new(input.height - kernel + 1, input.width - kernel + 1, filters);
        Geometry { samples, input, output, kernel, stride: 1, padding: [0, 0] }
    }

    /// Few terms to each sum, though the sums are deep, and no row or column that is all zeros.
    #[test]
    fn sums_have_few_terms_and_cover_the_factors() {
        for geometry in [
            geometry(Shape::vector(700), 50, 1, 300),
            geometry(Shape::new(9, 8, 40), 33, 3, 5),
            geometry(Shape::new(5, 5, 2), 3, 2, 1),
        ] {
            let filters = geometry.output.channels;
            for product in Product::ALL {
                let factors = Factors::new(&geometry, product);
                let rows = factors.right.len() / filters;
                let at = |row: usize, column: usize| factors.right[row * filters + column] != 0.0;
                let terms = |column: usize| (0..rows).filter(|&row| at(row, column)).count();
                assert!((0..filters).all(|column| (1..=TERMS).contains(&terms(column))), "{product}");
                if product == Product::InputGradient {
                    let channels = geometry.input.channels;
                    let terms = |channel: usize| {
                        let rows = (0..rows).filter(|row| row % channels == channel);
                        rows.map(|row| (0..filters).filter(|&column| at(row, column)).count()).sum::<usize>()
                    };
                    assert!((0..channels).all(|channel| 2 * terms(channel) <= factors.terms));
                } else {
                    assert!((0..filters).all(|column| terms(column) <= factors.terms));
                }
            }
        }
    }

    #[test]
    fn a_product_in_a_lower_precision_stands_out() {
        let mut wider = Vec::new();
        for (precision, lower) in [(Precision::Single, 11), (Precision::Tf32, 8)] {
            let bound = bound(precision, TERMS);
            // Of two factors, each rounded as much as it can be.
            let error = (1.0 + 0.5f64.powi(lower)).powi(2) - 1.0;
            assert!(bound < error, "{precision}: {bound:e}");
            wider.push(bound);
        }
        assert!(wider[0] < wider[1]);
    }

    #[test]
    fn differences_are_found_where_they_are() {
        let (expected, sizes) = ([1.0, 2.0, 0.0], [1.0, 4.0, 0.0]);
        assert_eq!(difference(&expected, &[1.0, 2.1, 0.0], &sizes, 0.05), None);
        for (entry, found) in [(0, [1.1, 2.0, 0.0]), (1, [1.0, f32::NAN, 0.0]), (2, [1.0, 2.0, 1e-20])] {
            let text = difference(&expected, &found, &sizes, 0.05).unwrap();
            assert!(text.contains(&format!("entry {entry}")), "{text}");
        }
    }
}
