//! The three products in each precision against sums in f64, to the bound that rounding allows.

use super::*;
use crate::{
    Device, DeviceVec, PtrMut,
    activations::Activations,
    element::Element,
    layer::{Drawn, InputGradient, Mode},
    testing::device,
};

/// Values in (-1, 1) with no structure that a wrong index could hide behind, none of them of few bits.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A sum, and the sum of its terms' sizes.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    size: f64,
}

impl Sum {
    fn add(&mut self, a: f32, b: f32) {
        let term = f64::from(a) * f64::from(b);
        self.value += term;
        self.size += term.abs();
    }
}

struct Case {
    image: Shape,
    filters: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    samples: usize,
}

/// Output, the filters' gradient and the input's, by the definition of a convolution.
fn expected(case: &Case, out: Shape, x: &[f32], w: &[f32], dy: &[f32]) -> [Vec<Sum>; 3] {
    let Case { image, filters, kernel, stride, padding, samples } = *case;
    let (mut y, mut dw, mut dx) =
        (vec![Sum::default(); dy.len()], vec![Sum::default(); w.len()], vec![Sum::default(); x.len()]);
    for n in 0..samples {
        for (i, j) in (0..out.height).flat_map(|i| (0..out.width).map(move |j| (i, j))) {
            for (r, s) in (0..kernel).flat_map(|r| (0..kernel).map(move |s| (r, s))) {
                let (row, column) = (i * stride + r, j * stride + s);
                if row < padding || column < padding {
                    continue;
                }
                let (row, column) = (row - padding, column - padding);
                if row >= image.height || column >= image.width {
                    continue;
                }
                for c in 0..image.channels {
                    let from = ((n * image.height + row) * image.width + column) * image.channels + c;
                    for o in 0..filters {
                        let to = ((n * out.height + i) * out.width + j) * filters + o;
                        let weight = ((r * kernel + s) * image.channels + c) * filters + o;
                        y[to].add(x[from], w[weight]);
                        dw[weight].add(x[from], dy[to]);
                        dx[from].add(dy[to], w[weight]);
                    }
                }
            }
        }
    }
    [y, dw, dx]
}

/// What the device finds.
fn found(device: &Device, conv: &mut Conv, case: &Case, x: &[f32], w: &[f32], dy: &[f32]) -> [Vec<f32>; 3] {
    let element = Element::of(conv.native.precision);
    device.check_precision(conv.native.precision).unwrap();
    let kernels = device.activations(element);
    let on = |values: &[f32]| Activations::from_slice(device, element, values).unwrap();
    let zeros = |len: usize| Activations::zeros(device, element, len).unwrap();
    let (x_at, dy_at) = (on(x), on(dy));
    let (y, dx) = (zeros(dy.len()), zeros(x.len()));
    let w_at = DeviceVec::from_slice(device, w).unwrap();
    let dw = DeviceVec::<f32>::zeros(device, w.len()).unwrap();
    let scratch =
        DeviceVec::<f64>::zeros(device, conv.scratch_bytes(case.samples).div_ceil(8).max(1)).unwrap();
    let samples = case.samples;
    let drawn = Drawn { first: 0, random: Ptr::NULL, coefficients: Ptr::NULL };
    conv.forward(Forward {
        device,
        kernels,
        mode: Mode::Clean,
        samples,
        params: w_at.view().ptr(),
        statistics: PtrMut::NULL,
        input: x_at.at().reading(),
        output: y.at(),
        drawn,
        sums: None,
        residual: None,
        scratch: scratch.shared_ptr(),
    })
    .unwrap();
    conv.backward(Backward {
        device,
        kernels,
        samples,
        params: w_at.view().ptr(),
        grads: dw.shared_ptr(),
        input: x_at.at().reading(),
        output: y.at().reading(),
        d_output: dy_at.at().reading(),
        drawn,
        d_input: Some(InputGradient { values: dx.at(), accumulate: false }),
        scratch: scratch.shared_ptr(),
    })
    .unwrap();
    [y.read().unwrap(), dw.read().unwrap(), dx.read().unwrap()]
}

/// Each factor is rounded once, by at most a unit roundoff, and in bf16 so are the sums that are activations or gradients of
/// such; adding n terms, however they are grouped, costs at most n times the last place of the sum of their sizes, rounded or cut
/// off.
#[test]
fn products_are_exact_to_their_precision() {
    let Some(device) = device() else { return };
    let shape = Shape::new;
    let cases = [
        // Wide tiles forwards and in the filters' gradient.
        Case { image: shape(13, 13, 16), filters: 50, kernel: 3, stride: 1, padding: 1, samples: 4 },
        // Wide tiles in the input's gradient, strided.
        Case { image: shape(13, 13, 50), filters: 20, kernel: 3, stride: 2, padding: 1, samples: 4 },
        Case { image: shape(7, 9, 3), filters: 5, kernel: 2, stride: 1, padding: 0, samples: 3 },
        Case { image: shape(1, 1, 70), filters: 19, kernel: 1, stride: 1, padding: 0, samples: 5 },
    ];
    for (number, case) in cases.iter().enumerate() {
        let extent = |of: usize| (of + 2 * case.padding - case.kernel) / case.stride + 1;
        let out = Shape::new(extent(case.image.height), extent(case.image.width), case.filters);
        let x = noise(1, case.samples * case.image.len());
        let w = noise(2, case.kernel * case.kernel * case.image.channels * case.filters);
        let dy = noise(3, case.samples * out.len());
        let expected = expected(case, out, &x, &w, &dy);
        let patch = case.kernel * case.kernel;
        let depths = [patch * case.image.channels, case.samples * out.pixels(), patch * case.filters];
        for (precision, bits) in
            [(Precision::Single, None), (Precision::Tf32, Some(11)), (Precision::Bf16, Some(8))]
        {
            if precision != Precision::Single && device.tensor_kernels().is_none() {
                println!("{precision}: skipped: {device:?} has no tensor cores");
                continue;
            }
            let mut conv = Conv::new(case.image, out, case.kernel, case.stride, [case.padding; 2], false);
            conv.set_precision(precision);
            let found = found(&device, &mut conv, case, &x, &w, &dy);
            let unit = bits.map_or(0.0, |bits| 0.5f64.powi(bits));
            for ((what, found), (expected, depth)) in
                ["output", "filters", "input"].into_iter().zip(&found).zip(expected.iter().zip(depths))
            {
                let roundings = 2 + i32::from(precision == Precision::Bf16 && what != "filters");
                let bound = (1.0 + unit).powi(roundings) - 1.0 + (depth as f64 + 300.0) * 0.5f64.powi(23);
                let mut worst = 0.0f64;
                for (i, (found, Sum { value, size })) in found.iter().zip(expected).enumerate() {
                    let error = (f64::from(*found) - value).abs();
                    assert!(
                        error <= bound * size,
                        "case {number}, {precision}, {what} {i}: {found}, expected {value}"
                    );
                    worst = worst.max(if *size > 0.0 { error / size } else { 0.0 });
                }
                // That factors are rounded, and not further than need be.
                assert!(worst >= unit / 32.0, "case {number}, {precision}, {what}: off by {worst:e} at most");
            }
        }
    }
}
