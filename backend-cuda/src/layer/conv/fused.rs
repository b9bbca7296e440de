//! A convolution together with what stands behind it, beside the same one after the other: whether they agree, and which is faster.

use super::{
    super::{
        On,
        add::add,
        batch_norm::{measure, measure_bytes},
    },
    native::Native,
    trial::{Factors, bound, difference, faster, noise, times},
};
use crate::{
    CudaError, Device, DeviceVec, Precision, Product, Ptr,
    activations::Activations,
    element::Element,
    geometry::Geometry,
    vendor::{FusedConvolution, FusedOperands, Operands, VendorKernel, Verdict},
};

/// Runs the trial, beside the kernel that was chosen for the product alone; none is this crate's.
///
/// # Errors
/// A device that fails, or has no memory for the trial; a library that refuses.
pub(super) fn run(
    device: &Device,
    native: &Native,
    geometry: &Geometry,
    alone: &mut Option<Box<dyn VendorKernel>>,
    kernel: &mut FusedConvolution,
) -> Result<Verdict, CudaError> {
    let mut factors = Factors::new(geometry, Product::Forward);
    let alone_bytes = alone.as_ref().map_or(0, |alone| alone.scratch_bytes());
    let mut bench = Bench::new(device, geometry, Element::of(native.precision), &factors, kernel.adds())?;
    let bytes = kernel.scratch_bytes().max(alone_bytes).max(bench.measure_bytes());
    bench.scratch = DeviceVec::zeros(device, bytes.div_ceil(size_of::<f64>()).max(1))?;
    bench.apart(native, &mut None)?;
    let expected = bench.output.read()?;
    bench.output.write(&vec![f32::NAN; factors.entries])?;
    kernel.launch(device, &bench.operands())?;
    let (found, sums) = (bench.output.read()?, bench.sums.read()?);
    let squares_at = bench.channels.next_multiple_of(4);
    let off = misfit(
        &found,
        [&sums[..bench.channels], &sums[squares_at..squares_at + bench.channels]],
        native.precision,
    );
    // Both have run before they are timed.
    bench.apart(native, alone)?;
    let operands = bench.operands();
    let times =
        times(device, [&mut || bench.apart(native, alone), &mut || kernel.launch(device, &operands)])?;
    drop(bench);
    factors.left.iter_mut().chain(&mut factors.right).for_each(|value| *value = value.abs());
    let mut bench = Bench::new(device, geometry, Element::F32, &factors, kernel.adds())?;
    bench.scratch = DeviceVec::zeros(device, bench.measure_bytes().div_ceil(size_of::<f64>()).max(1))?;
    bench.addend.write(&bench.addend.read()?.iter().map(|value| value.abs()).collect::<Vec<_>>())?;
    bench.apart(&Native::new(geometry), &mut None)?;
    let sizes = bench.output.read()?;
    let wrong = difference(&expected, &found, &sizes, bound(native.precision, factors.terms + 1)).or(off);
    Ok(wrong.map_or_else(|| faster(times, "apart"), |reason| Verdict { taken: false, reason }))
}

/// Buffers of a trial.
struct Bench<'a> {
    on: On<'a>,
    rows: usize,
    channels: usize,
    samples: usize,
    input: Activations,
    filters: DeviceVec<f32>,
    /// What is added, where anything is.
    addend: Activations,
    add: bool,
    output: Activations,
    sums: DeviceVec<f32>,
    scratch: DeviceVec<f64>,
}

impl<'a> Bench<'a> {
    fn new(
        device: &'a Device,
        geometry: &Geometry,
        element: Element,
        factors: &Factors,
        add: bool,
    ) -> Result<Self, CudaError> {
        let (samples, channels) = (geometry.samples, geometry.output.channels);
        let addend = if add { noise(7, factors.entries) } else { Vec::new() };
        Ok(Self {
            on: (device, device.activations(element)),
            rows: samples * geometry.output.pixels(),
            channels,
            samples,
            input: Activations::from_slice(device, element, &factors.left)?,
            filters: DeviceVec::from_slice(device, &factors.right)?,
            addend: Activations::from_slice(device, element, &addend)?,
            add,
            output: Activations::zeros(device, element, factors.entries)?,
            sums: DeviceVec::zeros(device, 2 * channels.next_multiple_of(4))?,
            scratch: DeviceVec::zeros(device, 1)?,
        })
    }

    const fn measure_bytes(&self) -> usize {
        measure_bytes(self.rows, self.channels)
    }

    fn operands(&self) -> FusedOperands {
        let sums = self.sums.shared_ptr();
        FusedOperands {
            input: self.input.at().reading(),
            filters: self.filters.view().ptr(),
            addend: self.add.then(|| self.addend.at().reading()),
            output: self.output.at(),
            sums: [sums, sums.add(self.channels.next_multiple_of(4))],
            scratch: self.scratch.shared_ptr(),
        }
    }

    /// The product, the addition and the sweep that measures, one after the other.
    fn apart(&self, native: &Native, alone: &mut Option<Box<dyn VendorKernel>>) -> Result<(), CudaError> {
        let (device, kernels) = self.on;
        let FusedOperands { input, filters, addend, output, scratch, .. } = self.operands();
        let operands =
            Operands { left: input, right: filters.cast(), to: output, accumulate: false, scratch };
        match alone {
            Some(alone) => alone.launch(device, &operands)?,
            None => native.launch(device, Product::Forward, self.samples, Ptr::NULL, &operands)?,
        }
        if let Some(addend) = addend {
            add((device, kernels), self.rows * self.channels, output.reading(), addend, output)?;
        }
        measure(self.on, self.rows, self.channels, output.reading(), scratch.cast())
    }
}

/// The first channel whose sums are not those of `values`, if one is: further off than the rounding of the values, of which the sums are
/// not, and of sums of floats.
fn misfit(values: &[f32], sums: [&[f32]; 2], precision: Precision) -> Option<String> {
    let channels = sums[0].len();
    let unit: f64 = if Element::of(precision) == Element::Bf16 { 0.5f64.powi(8) } else { 0.0 };
    for (what, power, found) in [("sum", 1, sums[0]), ("sum of squares", 2, sums[1])] {
        let (mut expected, mut sizes) = (vec![0.0f64; channels], vec![0.0f64; channels]);
        for row in values.chunks_exact(channels) {
            for ((sum, size), value) in expected.iter_mut().zip(&mut sizes).zip(row) {
                let term = f64::from(*value).powi(power);
                *sum += term;
                *size += term.abs();
            }
        }
        let most = f64::from(power) * unit + 0.5f64.powi(14);
        let off = |c: &usize| {
            let apart = (f64::from(found[*c]) - expected[*c]).abs();
            apart.is_nan() || apart > most * sizes[*c]
        };
        if let Some(c) = (0..channels).find(off) {
            let (found, expected, most) = (found[c], expected[c], most * sizes[c]);
            return Some(format!(
                "the {what} of channel {c} is {found}, that of its values {expected}, which may be {most:.1e} apart"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_other_values_are_seen() {
        let values: Vec<f32> = (0..40).map(|i| 1.0 + (i % 7) as f32).collect();
        let of = |values: &[f32], power: i32| {
            [0, 1].map(|c| values.iter().skip(c).step_by(2).map(|value| value.powi(power)).sum::<f32>())
        };
        let [sums, squares] = [1, 2].map(|power| of(&values, power));
        assert_eq!(misfit(&values, [&sums, &squares], Precision::Tf32), None);
        assert_eq!(misfit(&values, [&sums, &squares], Precision::Bf16), None);
        let half = of(&values[..38], 2);
        assert!(misfit(&values, [&sums, &half], Precision::Bf16).unwrap().contains("squares of channel 0"));
        let cut = [sums[0], sums[1] * 1.001];
        assert!(misfit(&values, [&cut, &squares], Precision::Tf32).unwrap().contains("sum of channel 1"));
    }
}
