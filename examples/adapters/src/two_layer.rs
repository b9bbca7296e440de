//! Somebody's own network: two dense layers on `ndarray` arrays, its gradient worked out by hand.
//!
//! Nothing here but the implementation of [`Tensors`] knows of SAM.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};

use sam_core::Tensors;

/// `logits = tanh(x W1 + b1) W2 + b2`; also its gradient, which has the same shape.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoLayer {
    /// Inputs to hidden units.
    pub w1: Array2<f64>,
    /// A bias for each hidden unit.
    pub b1: Array1<f64>,
    /// Hidden units to classes.
    pub w2: Array2<f64>,
    /// A bias for each class.
    pub b2: Array1<f64>,
}

impl TwoLayer {
    /// All zero.
    #[must_use]
    pub fn zeros(inputs: usize, hidden: usize, classes: usize) -> Self {
        Self {
            w1: Array2::zeros((inputs, hidden)),
            b1: Array1::zeros(hidden),
            w2: Array2::zeros((hidden, classes)),
            b2: Array1::zeros(classes),
        }
    }

    /// Logits of samples `x`, one a row.
    #[must_use]
    pub fn logits(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        self.hidden(x).dot(&self.w2) + &self.b2
    }

    fn hidden(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        (x.dot(&self.w1) + &self.b1).mapv_into(f64::tanh)
    }

    /// Mean cross-entropy in nats of samples `x` and their `classes`; overwrites `gradient` with its gradient.
    ///
    /// # Panics
    /// If there are fewer classes than samples, or the network has no such class.
    pub fn loss(&self, x: ArrayView2<'_, f64>, classes: ArrayView1<'_, usize>, gradient: &mut Self) -> f64 {
        let hidden = self.hidden(x);
        let mut error = hidden.dot(&self.w2) + &self.b2;
        let samples = x.nrows() as f64;
        let mut loss = 0.0;
        // Turns each row of logits into softmax minus target.
        Zip::from(error.rows_mut()).and(classes).for_each(|mut row, &class| {
            let largest = row.fold(f64::NEG_INFINITY, |m, x| m.max(*x));
            let log_sum = largest + row.mapv(|x| (x - largest).exp()).sum().ln();
            loss += (log_sum - row[class]) / samples;
            row.mapv_inplace(|x| (x - log_sum).exp() / samples);
            row[class] -= 1.0 / samples;
        });
        gradient.w2.assign(&hidden.t().dot(&error));
        gradient.b2.assign(&error.sum_axis(Axis(0)));
        let mut back = error.dot(&self.w2.t());
        back.zip_mut_with(&hidden, |back, hidden| *back *= 1.0 - hidden * hidden);
        gradient.w1.assign(&x.t().dot(&back));
        gradient.b1.assign(&back.sum_axis(Axis(0)));
        loss
    }
}

impl Tensors for TwoLayer {
    type Scalar = f64;

    fn tensors(&self) -> impl Iterator<Item = &[f64]> {
        let Self { w1, b1, w2, b2 } = self;
        [w1.as_slice(), b1.as_slice(), w2.as_slice(), b2.as_slice()].into_iter().map(standard)
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        let Self { w1, b1, w2, b2 } = self;
        [w1.as_slice_mut(), b1.as_slice_mut(), w2.as_slice_mut(), b2.as_slice_mut()]
            .into_iter()
            .map(|tensor| tensor.expect("new arrays lie in standard order"))
    }
}

fn standard(tensor: Option<&[f64]>) -> &[f64] {
    tensor.expect("new arrays lie in standard order")
}
