//! CR-SAM's regularizer: what the gradient does on the other side of the weights.

use crate::{BufferedError, GradientOracle, InvalidSetting, LengthMismatch, Pass, Real};

/// Makes a step CR-SAM (Wu, Luo and Wunsch, AAAI 2024): each perturbed gradient also sees the one at the opposite perturbation, so
/// that the step shrinks the curvature and the slope along `eps` too.
///
/// ```text
/// h+ + gamma * (h+ + h- - 2 g) + beta * (h+ - h-)        g at w, h+ at w + eps, h- at w - eps
/// ```
///
/// The formula is that of its authors' code, which uses `gamma = 0.1`, `beta = 0.01` and a radius of 0.1. There the
/// third pass updates running statistics; here it is a [`Pass::Perturbed`], which does not.
///
/// Goes into any method whose clean pass is at `w`, around any base optimizer; around [`Sam`](crate::Sam) it is CR-SAM:
///
/// ```
/// use sam_core::{CurvatureRegularized, FnOracle, Rule, Sam, Sgd, SliceSpace};
///
/// // A narrow valley and a wide one: the gradient of w^4 + w^2 / 2.
/// let gradient = FnOracle::infallible(|w: &[f64], g: &mut [f64], _| {
///     g[0] = 4.0 * w[0].powi(3) + w[0];
///     w[0].powi(4) + 0.5 * w[0] * w[0]
/// });
/// let mut oracle = CurvatureRegularized::new(gradient, 0.1, 0.01, [[0.0]; 4]);
/// let mut sam = Sam::new(SliceSpace::new([0.0]), Rule::l2(0.1), Sgd::new(0.1));
/// let (mut w, mut g) = ([1.0], [0.0]);
/// let step = sam.step(&mut w[..], &mut g[..], &mut oracle).unwrap();
/// let [clean, up, down] = [1.0f64, 1.1, 0.9].map(|w| 4.0 * w.powi(3) + w);
/// let expected = up + 0.1 * (up + down - 2.0 * clean) + 0.01 * (up - down);
/// assert!((g[0] - expected).abs() < 1e-12 && (w[0] - (1.0 - 0.1 * expected)).abs() < 1e-12);
/// ```
///
/// Cost: 3 gradients a step, four words a weight. With `gamma = beta = 0` it is the oracle inside, bit for bit, and takes no third
/// gradient. The loss of the perturbed pass is the one at `w + eps`; if that at `w - eps` is not finite, it is that one, so
/// that the step ends.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CurvatureRegularized<T, O, B> {
    /// The oracle whose gradients are used.
    pub inner: O,
    /// Weight of the curvature.
    pub gamma: T,
    /// Weight of the slope.
    pub beta: T,
    params: B,
    clean: B,
    below: B,
    gradient: B,
}

impl<T, O, B> CurvatureRegularized<T, O, B> {
    /// The four buffers are as long as the parameters; what they hold does not matter.
    pub fn new(inner: O, gamma: T, beta: T, buffers: [B; 4]) -> Self {
        let [params, clean, below, gradient] = buffers;
        Self { inner, gamma, beta, params, clean, below, gradient }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        4 * weights
    }
}

impl<T: Real, O, B: AsMut<[T]>> CurvatureRegularized<T, O, B> {
    /// Both weights are finite and not negative. No step asks this.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("gamma", self.gamma)?;
        InvalidSetting::non_negative("beta", self.beta)
    }

    fn check_lengths(&mut self, weights: usize) -> Result<(), LengthMismatch> {
        for buffer in [&mut self.params, &mut self.clean, &mut self.below, &mut self.gradient] {
            LengthMismatch::check("buffer for curvature", weights, buffer.as_mut().len())?;
        }
        Ok(())
    }
}

impl<T, O, B> GradientOracle<[T]> for CurvatureRegularized<T, O, B>
where
    T: Real,
    O: GradientOracle<[T], Loss = T>,
    B: AsMut<[T]>,
{
    type Loss = T;
    type Error = BufferedError<O::Error>;

    fn gradient(&mut self, w: &[T], g: &mut [T], pass: Pass) -> Result<T, Self::Error> {
        if self.gamma == T::ZERO && self.beta == T::ZERO {
            return self.inner.gradient(w, g, pass).map_err(BufferedError::Inner);
        }
        self.check_lengths(w.len()).map_err(BufferedError::Buffer)?;
        let loss = self.inner.gradient(w, g, pass).map_err(BufferedError::Inner)?;
        let (params, clean) = (self.params.as_mut(), self.clean.as_mut());
        let (below, gradient) = (self.below.as_mut(), self.gradient.as_mut());
        if pass == Pass::Clean {
            params.iter_mut().zip(w).for_each(|(to, from)| *to = *from);
            clean.iter_mut().zip(&*g).for_each(|(to, from)| *to = *from);
            return Ok(loss);
        }
        if loss.is_non_finite() {
            return Ok(loss);
        }
        for (below, (w, up)) in below.iter_mut().zip(params.iter().zip(w)) {
            *below = *w - (*up - *w);
        }
        let other = self.inner.gradient(below, gradient, pass).map_err(BufferedError::Inner)?;
        let (gamma, beta) = (self.gamma, self.beta);
        for (g, (down, clean)) in g.iter_mut().zip(gradient.iter().zip(clean.iter())) {
            let up = *g;
            *g = up + gamma * (up + *down - (*clean + *clean)) + beta * (up - *down);
        }
        Ok(if other.is_non_finite() { other } else { loss })
    }
}
