//! Arithmetic on gradients, for the methods that combine several: GSAM, LookSAM, WSAM, Friendly SAM.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use sam_core::GradientAlgebra;

use crate::space::with_values;
use crate::{CandleSpace, Element};

/// A gradient that a variable lacks counts as zero. Sums run in `f64`, in the order of the variables; every entry is
/// divided by the largest first.
impl<T: Element> GradientAlgebra for CandleSpace<T> {
    /// Copies handles, not values: nothing of candle's changes a gradient in place.
    fn copy(&mut self, from: &GradStore, to: &mut GradStore) -> Result<()> {
        for var in self.vars() {
            match from.get(var) {
                Some(gradient) => to.insert(var, gradient.clone()),
                None => to.remove(var),
            };
        }
        Ok(())
    }

    fn mix(&mut self, a: T, x: &GradStore, b: T, y: &mut GradStore) -> Result<()> {
        let times = |by: T, tensor: &Tensor| tensor.affine(by.to_f64(), 0.0);
        for var in self.vars() {
            let mixed = match (x.get(var), y.get(var)) {
                (Some(x), Some(y)) => (times(a, x)? + times(b, y)?)?,
                (Some(x), None) => times(a, x)?,
                (None, Some(y)) => times(b, y)?,
                (None, None) => continue,
            };
            y.insert(var, mixed);
        }
        Ok(())
    }

    fn projection(&mut self, a: &GradStore, b: &GradStore) -> Result<T> {
        let (a_peak, b_peak) = (self.peak(a)?, self.peak(b)?);
        if a_peak == 0.0 || b_peak == 0.0 {
            return Ok(T::narrow(if a_peak.is_nan() || b_peak.is_nan() { f64::NAN } else { 0.0 }));
        }
        let along = self.dot((a, a_peak), (b, b_peak))? / self.dot((b, b_peak), (b, b_peak))?;
        Ok(T::narrow(along * (a_peak / b_peak)))
    }

    fn ratio(&mut self, a: &GradStore, b: &GradStore) -> Result<T> {
        let (a_peak, b_peak) = (self.peak(a)?, self.peak(b)?);
        if a_peak == 0.0 || b_peak == 0.0 {
            return Ok(T::narrow(0.0));
        }
        let squares = self.dot((a, a_peak), (a, a_peak))? / self.dot((b, b_peak), (b, b_peak))?;
        Ok(T::narrow(squares.sqrt() * (a_peak / b_peak)))
    }
}

impl<T: Element> CandleSpace<T> {
    /// The largest absolute value; NaN if an entry is infinite or NaN.
    fn peak(&self, g: &GradStore) -> Result<f64> {
        let mut peak = 0f64;
        for gradient in self.vars().iter().filter_map(|var| g.get(var)) {
            with_values(&gradient.contiguous()?, |values: &[T]| {
                for x in values {
                    let size = if x.is_finite() { x.widen().abs() } else { f64::NAN };
                    peak = if size.is_nan() || size > peak { size } else { peak };
                }
            })?;
        }
        Ok(peak)
    }

    /// `sum (a / a_peak) (b / b_peak)`.
    fn dot(&self, (a, a_peak): (&GradStore, f64), (b, b_peak): (&GradStore, f64)) -> Result<f64> {
        let both = |var: &Var| Some((a.get(var)?, b.get(var)?));
        let mut sum = 0.0;
        for (a, b) in self.vars().iter().filter_map(both) {
            let (a, b) = (a.contiguous()?, b.contiguous()?);
            sum += with_values(&a, |a: &[T]| {
                with_values(&b, |b: &[T]| {
                    a.iter().zip(b).map(|(a, b)| (a.widen() / a_peak) * (b.widen() / b_peak)).sum::<f64>()
                })
            })??;
        }
        Ok(sum)
    }
}
