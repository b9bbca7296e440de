//! Parameters that come back whatever happens.

use crate::{ParamSpace, Rule};

/// Restores on drop, unless that is done.
pub(crate) struct RestoreGuard<'a, S: ParamSpace> {
    pub(crate) space: &'a mut S,
    pub(crate) w: &'a mut S::Params,
    changed: bool,
}

impl<'a, S: ParamSpace> RestoreGuard<'a, S> {
    /// To be called before the ascent, so that one which fails half-way is undone too.
    pub(crate) const fn new(space: &'a mut S, w: &'a mut S::Params) -> Self {
        Self { space, w, changed: true }
    }

    pub(crate) fn ascend(
        &mut self,
        g: &S::Grads,
        rule: &Rule<S::Scalar>,
        norm: &S::Norm,
    ) -> Result<(), S::Error> {
        self.space.ascend(self.w, g, rule, norm)
    }

    pub(crate) fn params(&self) -> &S::Params {
        self.space.perturbed(self.w)
    }

    /// Leaves the parameters perturbed.
    pub(crate) const fn release(&mut self) {
        self.changed = false;
    }

    pub(crate) fn restore(&mut self) -> Result<(), S::Error> {
        self.space.restore(self.w)?;
        self.changed = false;
        Ok(())
    }
}

impl<S: ParamSpace> Drop for RestoreGuard<'_, S> {
    fn drop(&mut self) {
        if self.changed {
            // A failure cannot be reported from here; who wants to know restores explicitly.
            let _ = self.space.restore(self.w);
        }
    }
}
