//! A storage that perturbs the parameters where they are and backs them up, like one whose tensors have an
//! identity; and that can keep its verdicts to itself, like a device.

use sam_core::formula::DualNorm;
use sam_core::*;

pub struct InPlace<const N: usize> {
    inner: SliceSpace<f64, [f64; N]>,
    backup: [f64; N],
    /// Perturbed, and not yet restored.
    up: bool,
    /// Answers `Unknown`.
    pub silent: bool,
}

type Done = Result<(), LengthMismatch>;

impl<const N: usize> InPlace<N> {
    pub const fn new() -> Self {
        Self { inner: SliceSpace::new([f64::NAN; N]), backup: [f64::NAN; N], up: false, silent: false }
    }

    /// Moves `w` to where `ascend` on the inner space leads.
    fn move_up(
        &mut self,
        w: &mut [f64],
        ascend: impl FnOnce(&mut SliceSpace<f64, [f64; N]>, &mut [f64]) -> Done,
    ) -> Done {
        self.restore(w)?;
        self.backup.copy_from_slice(w);
        ascend(&mut self.inner, w)?;
        w.copy_from_slice(self.inner.perturbed(&self.backup));
        self.up = true;
        Ok(())
    }
}

impl<const N: usize> ParamSpace for InPlace<N> {
    type Params = [f64];
    type Grads = [f64];
    type Scalar = f64;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[f64], g: &[f64], rule: &Rule<f64>) -> Result<DualNorm, LengthMismatch> {
        let w = if self.up { &self.backup } else { w };
        self.inner.dual_norm(w, g, rule)
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        if self.silent { Verdict::Unknown } else { norm.verdict() }
    }

    fn ascend(&mut self, w: &mut [f64], g: &[f64], rule: &Rule<f64>, norm: &DualNorm) -> Done {
        self.move_up(w, |inner, w| inner.ascend(w, g, rule, norm))
    }

    fn perturbed<'a>(&'a self, w: &'a [f64]) -> &'a [f64] {
        w
    }

    fn restore(&mut self, w: &mut [f64]) -> Done {
        if self.up {
            w.copy_from_slice(&self.backup);
            self.up = false;
        }
        Ok(())
    }

    fn check(&mut self, g: &[f64]) -> Result<Verdict, LengthMismatch> {
        if self.silent { Ok(Verdict::Unknown) } else { self.inner.check(g) }
    }
}

impl<const N: usize> GradientAlgebra for InPlace<N> {
    fn copy(&mut self, from: &[f64], to: &mut [f64]) -> Done {
        self.inner.copy(from, to)
    }

    fn mix(&mut self, a: f64, x: &[f64], b: f64, y: &mut [f64]) -> Done {
        self.inner.mix(a, x, b, y)
    }

    fn projection(&mut self, a: &[f64], b: &[f64]) -> Result<f64, LengthMismatch> {
        self.inner.projection(a, b)
    }

    fn ratio(&mut self, a: &[f64], b: &[f64]) -> Result<f64, LengthMismatch> {
        self.inner.ratio(a, b)
    }
}

impl<const N: usize> RepeatedAscent for InPlace<N> {
    fn reset(&mut self, eps: &mut [f64]) -> Done {
        self.inner.reset(eps)
    }

    fn climb(
        &mut self,
        w: &mut [f64],
        g: &[f64],
        rule: &Rule<f64>,
        norm: &DualNorm,
        rate: f64,
        eps: &mut [f64],
    ) -> Done {
        self.move_up(w, |inner, w| inner.climb(w, g, rule, norm, rate, eps))
    }
}

impl<const N: usize> DifferentiableAscent for InPlace<N> {
    fn pull_back(
        &mut self,
        w: &[f64],
        g: &[f64],
        rule: &Rule<f64>,
        norm: &DualNorm,
        h: &mut [f64],
        vector: &mut [f64],
    ) -> Result<bool, LengthMismatch> {
        self.inner.pull_back(w, g, rule, norm, h, vector)
    }
}
