//! Operations on gradients without their module: by each parameter's name and rank.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Tensor};

/// Identity and rank of every floating-point parameter of a module.
#[derive(Clone, Debug)]
pub(crate) struct Index(Vec<(ParamId, usize)>);

impl Index {
    pub fn of<M: Module>(module: &M) -> Self {
        let mut collect = Self(Vec::new());
        module.visit(&mut collect);
        collect
    }

    /// Whether all gradients are finite, on their device; `None` where there is none.
    pub fn finite(&self, grads: &GradientsParams) -> Option<Tensor<1, Bool>> {
        let each = self.0.iter().filter_map(|&(id, rank)| match rank {
            1 => finite::<1>(grads, id),
            2 => finite::<2>(grads, id),
            3 => finite::<3>(grads, id),
            4 => finite::<4>(grads, id),
            5 => finite::<5>(grads, id),
            6 => finite::<6>(grads, id),
            _ => unreachable!("BurnSpace::new refuses a rank of {rank}"),
        });
        each.reduce(Tensor::bool_and)
    }

    /// The largest rank.
    pub fn rank(&self) -> usize {
        self.0.iter().map(|(_, rank)| *rank).max().unwrap_or(0)
    }
}

impl ModuleVisitor for Index {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push((param.id, D));
    }
}

fn finite<const D: usize>(grads: &GradientsParams, id: ParamId) -> Option<Tensor<1, Bool>> {
    Some(grads.get::<D>(id)?.is_finite().all())
}
