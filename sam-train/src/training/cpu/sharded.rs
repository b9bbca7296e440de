//! The storage of weights of which each rank keeps a shard.

use sam_core::{
    LengthMismatch, ParamSpace, Rule, Verdict,
    formula::{Ascent, DualNorm},
};

use super::joint::Joint;

/// [`SliceSpace`](sam_core::SliceSpace) over the ranks' shards of weights and gradients: norms and verdicts are those of all of them,
/// bit for bit.
pub struct Sharded {
    joint: Joint,
    perturbed: Vec<f32>,
}

impl Sharded {
    /// For methods that perturb.
    pub fn new(joint: &Joint) -> Self {
        Self { joint: joint.clone(), perturbed: vec![0.0; joint.length()] }
    }

    /// For those that do not.
    pub fn flat(joint: &Joint) -> Self {
        Self { joint: joint.clone(), perturbed: Vec::new() }
    }
}

impl ParamSpace for Sharded {
    type Params = [f32];
    type Grads = [f32];
    type Scalar = f32;
    type Norm = DualNorm;
    type Error = LengthMismatch;

    fn dual_norm(&mut self, w: &[f32], g: &[f32], rule: &Rule<f32>) -> Result<DualNorm, LengthMismatch> {
        LengthMismatch::check("gradient", w.len(), g.len())?;
        Ok(self.joint.norm(rule, w, g))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut [f32],
        g: &[f32],
        rule: &Rule<f32>,
        norm: &DualNorm,
    ) -> Result<(), LengthMismatch> {
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("buffer for perturbed parameters", w.len(), self.perturbed.len())?;
        let ascent = Ascent::new(rule, norm);
        for (part, local) in self.joint.shards.parts(self.joint.rank()) {
            let perturbed = &mut self.perturbed[local.clone()];
            ascent.write(part.start, &w[local.clone()], &g[local], perturbed);
        }
        Ok(())
    }

    fn perturbed<'a>(&'a self, _w: &'a [f32]) -> &'a [f32] {
        &self.perturbed
    }

    fn restore(&mut self, _w: &mut [f32]) -> Result<(), LengthMismatch> {
        Ok(())
    }

    fn check(&mut self, g: &[f32]) -> Result<Verdict, LengthMismatch> {
        Ok(if self.joint.is_finite(g) { Verdict::Finite } else { Verdict::NonFinite })
    }
}
