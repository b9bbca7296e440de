//! Operations on gradients without their module: by each parameter's name and rank.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Tensor};

/// Identity and rank of every floating-point parameter of a module.
#[derive(Clone, Debug)]
pub(crate) struct Index(Vec<(ParamId, usize)>);

/// What to do with a parameter's gradient, whatever its rank.
pub(crate) trait Visit {
    fn at<const D: usize>(&mut self, id: ParamId);
}

impl Index {
    pub fn of<M: Module>(module: &M) -> Self {
        let mut collect = Self(Vec::new());
        module.visit(&mut collect);
        collect
    }

    /// Visits every parameter, in the module's order.
    pub fn each<V: Visit>(&self, mut visit: V) -> V {
        for &(id, rank) in &self.0 {
            match rank {
                1 => visit.at::<1>(id),
                2 => visit.at::<2>(id),
                3 => visit.at::<3>(id),
                4 => visit.at::<4>(id),
                5 => visit.at::<5>(id),
                6 => visit.at::<6>(id),
                _ => unreachable!("BurnSpace::new refuses a rank of {rank}"),
            }
        }
        visit
    }

    /// Whether all gradients are finite, on their device; `None` where there is none.
    pub fn finite(&self, grads: &GradientsParams) -> Option<Tensor<1, Bool>> {
        self.each(Finite { grads, all: None }).all
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

struct Finite<'a> {
    grads: &'a GradientsParams,
    all: Option<Tensor<1, Bool>>,
}

impl Visit for Finite<'_> {
    fn at<const D: usize>(&mut self, id: ParamId) {
        if let Some(g) = self.grads.get::<D>(id) {
            let finite = g.is_finite().all();
            self.all = Some(match self.all.take() {
                None => finite,
                Some(before) => before.bool_and(finite),
            });
        }
    }
}
