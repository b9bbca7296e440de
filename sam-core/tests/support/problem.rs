//! A loss whose gradient and Hessian are known in closed form, and plain-loop linear algebra to check methods
//! with.

use std::ops::Range;

use sam_core::{GradientOracle, HessianVector, MiniBatch, Pass};

pub const N: usize = 6;
pub const SAMPLES: usize = 5;

pub type Vector = [f64; N];

/// The mean over samples `s` of `1/2 w.A w + sum_i c_i sin(k_i w_i + phase(s, i))`.
#[derive(Clone, Copy)]
pub struct Waves;

fn a(i: usize, j: usize) -> f64 {
    if i == j { 1.0 + 0.3 * i as f64 } else { 0.1 * ((i + j) as f64 * 1.7).sin() }
}

fn c(i: usize) -> f64 {
    0.4 + 0.1 * i as f64
}

fn k(i: usize) -> f64 {
    1.0 + 0.5 * (i % 3) as f64
}

fn phase(s: usize, i: usize) -> f64 {
    (s * N + i) as f64 * 0.9
}

impl Waves {
    pub fn loss(samples: Range<usize>, w: &[f64]) -> f64 {
        let count = samples.len() as f64;
        let mut loss = 0.0;
        for i in 0..N {
            for (j, other) in w.iter().enumerate() {
                loss += 0.5 * w[i] * a(i, j) * other;
            }
            for s in samples.clone() {
                loss += c(i) * (k(i) * w[i] + phase(s, i)).sin() / count;
            }
        }
        loss
    }

    pub fn gradient(samples: Range<usize>, w: &[f64]) -> Vector {
        let count = samples.len() as f64;
        std::array::from_fn(|i| {
            let mut g = 0.0;
            for (j, w) in w.iter().enumerate() {
                g += a(i, j) * w;
            }
            for s in samples.clone() {
                g += c(i) * k(i) * (k(i) * w[i] + phase(s, i)).cos() / count;
            }
            g
        })
    }

    pub fn hessian(w: &[f64], v: &[f64]) -> Vector {
        std::array::from_fn(|i| {
            let mut out = 0.0;
            for (j, v) in v.iter().enumerate() {
                out += a(i, j) * v;
            }
            for s in 0..SAMPLES {
                out -= c(i) * k(i) * k(i) * (k(i) * w[i] + phase(s, i)).sin() * v[i] / SAMPLES as f64;
            }
            out
        })
    }

    /// The whole batch's gradient.
    pub fn grad(w: &[f64]) -> Vector {
        Self::gradient(0..SAMPLES, w)
    }
}

impl MiniBatch<f64> for Waves {
    type Error = &'static str;

    fn samples(&self) -> usize {
        SAMPLES
    }

    fn gradient_of(
        &mut self,
        samples: Range<usize>,
        w: &[f64],
        g: &mut [f64],
        _: Pass,
    ) -> Result<f64, &'static str> {
        g.copy_from_slice(&Self::gradient(samples.clone(), w));
        Ok(Self::loss(samples, w))
    }
}

impl GradientOracle<[f64]> for Waves {
    type Loss = f64;
    type Error = &'static str;

    fn gradient(&mut self, w: &[f64], g: &mut [f64], pass: Pass) -> Result<f64, &'static str> {
        self.gradient_of(0..SAMPLES, w, g, pass)
    }
}

impl HessianVector<[f64]> for Waves {
    fn hessian_vector(&mut self, w: &[f64], v: &[f64], out: &mut [f64]) -> Result<(), &'static str> {
        out.copy_from_slice(&Self::hessian(w, v));
        Ok(())
    }
}

pub const START: Vector = [0.9, -1.3, 0.4, 2.1, -0.2, 0.7];

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

/// `a x + b y`.
pub fn mix(a: f64, x: Vector, b: f64, y: Vector) -> Vector {
    std::array::from_fn(|i| a * x[i] + b * y[i])
}

/// `rho g / ||g||`.
pub fn eps(rho: f64, g: Vector) -> Vector {
    let n = norm(&g);
    g.map(|g| rho * g / n)
}

/// The SAM gradient, p = 2.
pub fn sharp(rho: f64, w: Vector) -> Vector {
    Waves::grad(&mix(1.0, w, 1.0, eps(rho, Waves::grad(&w))))
}

#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "coordinate {i}: {a:e} is not {b:e}, off by {:e}", a - b);
    }
}
