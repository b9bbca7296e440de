//! Four worker threads, each with a group of samples and a perturbation of its own.

use std::ops::Range;
use std::thread;

use sam_core::*;

use super::{START, Vector, ZERO};

/// Samples on a line, whose mean squared distance is the loss.
#[derive(Clone)]
struct Samples(Vec<f64>);

impl MiniBatch<f64> for Samples {
    type Error = LengthMismatch;

    fn samples(&self) -> usize {
        self.0.len()
    }

    fn gradient_of(
        &mut self,
        part: Range<usize>,
        w: &[f64],
        g: &mut [f64],
        _: Pass,
    ) -> Result<f64, LengthMismatch> {
        let part = &self.0[part];
        let pull = |i: usize| part.iter().map(|x| (w[i] - x).sin()).sum::<f64>() / part.len() as f64;
        g.iter_mut().enumerate().for_each(|(i, g)| *g = pull(i));
        Ok(0.5 * g.iter().map(|g| g * g).sum::<f64>())
    }
}

/// One worker for each group: each climbs to a point of its own, as on accelerators that share nothing but their gradients' mean.
struct Workers(Vec<SamGradient<f64, Samples, Vector>>);

impl GradientOracle<[f64]> for Workers {
    type Loss = f64;
    type Error = BufferedError<LengthMismatch>;

    fn gradient(&mut self, w: &[f64], g: &mut [f64], pass: Pass) -> Result<f64, Self::Error> {
        let share = 1.0 / self.0.len() as f64;
        let parts: Result<Vec<_>, _> = thread::scope(|scope| {
            let work = |one: &mut SamGradient<_, Samples, _>| {
                let mut g = ZERO;
                one.gradient(w, &mut g, pass).map(|loss| (loss, g))
            };
            let threads: Vec<_> = self.0.iter_mut().map(|one| scope.spawn(move || work(one))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no worker panics")).collect()
        });
        g.fill(0.0);
        Ok(parts?.into_iter().fold(0.0, |sum, (loss, part)| {
            g.iter_mut().zip(part).for_each(|(g, part)| *g += share * part);
            sum + share * loss
        }))
    }
}

#[test]
fn four_workers_have_the_bits_of_m_sharpness_on_one() {
    let all: Vec<f64> = (0..16).map(|i| (i as f64).sin()).collect();
    let worker = |part: &[f64]| SamGradient::new(Samples(part.to_vec()), Rule::l2(0.1), ZERO);
    let mut workers = Workers(all.chunks(4).map(worker).collect());
    let mut alone = MicroBatches::new(worker(&all), 4, ZERO);
    let (mut a, mut b) =
        (Plain::new(SliceSpace::new(ZERO), Sgd::new(0.1)), Plain::new(SliceSpace::new(ZERO), Sgd::new(0.1)));
    let (mut w, mut v, mut g) = (START, START, ZERO);
    for _ in 0..30 {
        let found = a.step(&mut w, &mut g, &mut workers).unwrap();
        let expected = b.step(&mut v, &mut g, &mut alone).unwrap();
        assert_eq!(found.loss.to_bits(), expected.loss.to_bits());
    }
    assert_eq!(w.map(f64::to_bits), v.map(f64::to_bits));
}
