//! The base optimizers of `sam-core` behind one type, and weight decay of some tensors only.

use std::ops::Range;

use sam_backend_ndarray::{Parallel, Threads};
use sam_core::{
    Adam, Clipped, Descent, InvalidSetting, LearningRate, LengthMismatch, Lion, Momentum, RmsProp, Rule, Sgd,
    Sink, Source, State, WeightDecay,
};
use sam_model::TensorInfo;

use super::{joint::Joint, penalty};
use crate::training::settings::{Base, DecayIn, Settings, SgdSettings, Tensors};

type Buffer = Vec<f32>;

/// The base optimizer of a run. Where ranks have a shard each, what it is given are shards.
pub struct AnyBase {
    clipped: Clipped<f32, Decayed<OfTable>>,
    joint: Option<Joint>,
}

/// The base optimizer that `settings` describe, for the weights in `tensors`, or for this rank's shard of them. SGD's sweep is shared out
/// among `threads`; those of the others run on one.
pub fn build(
    settings: &Settings,
    tensors: &[TensorInfo],
    threads: &Threads,
    joint: Option<&Joint>,
) -> AnyBase {
    let Settings { base, sgd, .. } = settings;
    let weights = tensors.last().map_or(0, |tensor| tensor.range.end);
    let weights = joint.map_or(weights, Joint::length);
    let zeros = || vec![0.0; weights];
    let SgdSettings { lr, momentum, .. } = *sgd;
    let (lr, momentum) = (lr as f32, momentum as f32);
    // What is a term of the loss is in the gradient already.
    let decay = if sgd.decay_in == DecayIn::Loss { 0.0 } else { sgd.weight_decay as f32 };
    let shrinks = sgd.decoupled || matches!(base, Base::AdamW { .. } | Base::Lion { .. });
    // What is decayed apart from the base is not decayed by it.
    let own = if sgd.decay_on == Tensors::All { decay } else { 0.0 };
    let form = if shrinks { WeightDecay::Decoupled } else { WeightDecay::Coupled };
    let optimizer = match *base {
        Base::Sgd => {
            let sgd = Sgd::new(lr).with_decay(form(own)).with_momentum(momentum, zeros());
            let sgd = if settings.sgd.nesterov { sgd.with_nesterov() } else { sgd };
            OfTable::Sgd(Parallel::new(sgd, threads.clone()))
        }
        Base::Adam { beta1, beta2, epsilon } | Base::AdamW { beta1, beta2, epsilon } => {
            let mut adam = Adam::new(lr, zeros(), zeros()).with_decay(form(own));
            (adam.beta1, adam.beta2, adam.epsilon) = (beta1 as f32, beta2 as f32, epsilon as f32);
            OfTable::Adam(adam)
        }
        Base::RmsProp { beta2, epsilon } => {
            let mut rmsprop = RmsProp::new(lr, zeros(), zeros());
            (rmsprop.alpha, rmsprop.epsilon) = (beta2 as f32, epsilon as f32);
            (rmsprop.momentum, rmsprop.decay) = (momentum, own);
            OfTable::RmsProp(rmsprop)
        }
        Base::RmsPropTf { beta2, epsilon } => {
            let mut rmsprop = RmsProp::tensorflow(lr, zeros(), zeros());
            (rmsprop.alpha, rmsprop.epsilon) = (beta2 as f32, epsilon as f32);
            (rmsprop.momentum, rmsprop.decay) = (momentum, own);
            OfTable::RmsProp(rmsprop)
        }
        Base::Lion { beta1, beta2 } => {
            let mut lion = Lion::new(lr, own, zeros());
            (lion.beta1, lion.beta2) = (beta1 as f32, beta2 as f32);
            OfTable::Lion(lion)
        }
    };
    let ranges = match sgd.decay_on {
        Tensors::All => Vec::new(),
        Tensors::Weights => penalty::decayed(sgd.decay_on, tensors),
    };
    let ranges = joint.map_or_else(|| ranges.clone(), |joint| in_shard(joint, &ranges));
    let base = Decayed { base: optimizer, decay: form(decay), ranges };
    let clipped = Clipped::new(base, sgd.clip_norm.map_or(f32::INFINITY, |norm| norm as f32));
    AnyBase { clipped, joint: joint.cloned() }
}

/// Where in this rank's shard the entries of `ranges` are that it has.
fn in_shard(joint: &Joint, ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let parts = joint.shards.parts(joint.rank());
    let of_part = |(part, local): (Range<usize>, Range<usize>)| {
        ranges.iter().filter_map(move |range| {
            let (start, end) = (range.start.max(part.start), range.end.min(part.end));
            (start < end).then(|| local.start + (start - part.start)..local.start + (end - part.start))
        })
    };
    parts.flat_map(of_part).collect()
}

impl Descent<[f32]> for AnyBase {
    type Error = LengthMismatch;

    fn descend(&mut self, w: &mut [f32], g: &mut [f32]) -> Result<(), LengthMismatch> {
        let clips = self.clipped.max_norm.is_finite();
        match &self.joint {
            Some(joint) if clips => {
                let norm = joint.norm(&Rule::l2(self.clipped.max_norm), g, g);
                self.clipped.clip(g, &norm);
                self.clipped.base.descend(w, g)
            }
            _ => self.clipped.descend(w, g),
        }
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.clipped.check_settings()
    }
}

impl LearningRate<f32> for AnyBase {
    fn learning_rate(&self) -> f32 {
        self.clipped.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.clipped.set_learning_rate(rate);
    }
}

impl Momentum<[f32]> for AnyBase {
    fn momentum(&self) -> &[f32] {
        self.clipped.momentum()
    }
}

impl State<f32> for AnyBase {
    fn save(&self, sink: &mut Sink<'_, f32>) {
        self.clipped.save(sink);
    }

    fn load(&mut self, source: &mut Source<'_, f32>) {
        self.clipped.load(source);
    }
}

/// Any of the base optimizers.
pub enum OfTable {
    Sgd(Parallel<Sgd<f32, Buffer>>),
    Adam(Adam<f32, Buffer>),
    RmsProp(RmsProp<f32, Buffer>),
    Lion(Lion<f32, Buffer>),
}

/// The same call to whichever it is.
macro_rules! of_each {
    ($self:expr, $base:ident => $call:expr) => {
        match $self {
            OfTable::Sgd($base) => $call,
            OfTable::Adam($base) => $call,
            OfTable::RmsProp($base) => $call,
            OfTable::Lion($base) => $call,
        }
    };
}

impl Descent<[f32]> for OfTable {
    type Error = LengthMismatch;

    fn descend(&mut self, w: &mut [f32], g: &mut [f32]) -> Result<(), LengthMismatch> {
        of_each!(self, base => base.descend(w, g))
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        of_each!(self, base => base.check_settings())
    }
}

impl LearningRate<f32> for OfTable {
    fn learning_rate(&self) -> f32 {
        of_each!(self, base => base.learning_rate())
    }

    fn set_learning_rate(&mut self, rate: f32) {
        of_each!(self, base => base.set_learning_rate(rate));
    }
}

impl Momentum<[f32]> for OfTable {
    fn momentum(&self) -> &[f32] {
        of_each!(self, base => base.momentum())
    }
}

impl State<f32> for OfTable {
    fn save(&self, sink: &mut Sink<'_, f32>) {
        of_each!(self, base => base.save(sink));
    }

    fn load(&mut self, source: &mut Source<'_, f32>) {
        of_each!(self, base => base.load(source));
    }
}

/// A base optimizer before which the weights in some ranges decay: with its own decay at 0, and all weights in the ranges, it is the
/// base optimizer that decays them itself, bit for bit.
pub struct Decayed<D> {
    base: D,
    decay: WeightDecay<f32>,
    ranges: Vec<Range<usize>>,
}

impl<D: Descent<[f32], Error = LengthMismatch> + LearningRate<f32>> Descent<[f32]> for Decayed<D> {
    type Error = LengthMismatch;

    fn descend(&mut self, w: &mut [f32], g: &mut [f32]) -> Result<(), LengthMismatch> {
        // Before anything is changed: buffers are as long as the weights that they were made for.
        LengthMismatch::check("gradient", w.len(), g.len())?;
        let (coupled, kept) = (self.decay.coupled(), self.decay.kept(self.base.learning_rate()));
        for range in &self.ranges {
            for (w, g) in w[range.clone()].iter_mut().zip(&mut g[range.clone()]) {
                *g += coupled * *w;
                *w *= kept;
            }
        }
        self.base.descend(w, g)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.decay.check_settings()?;
        self.base.check_settings()
    }
}

impl<D: LearningRate<f32>> LearningRate<f32> for Decayed<D> {
    fn learning_rate(&self) -> f32 {
        self.base.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.base.set_learning_rate(rate);
    }
}

impl<D: Momentum<[f32]>> Momentum<[f32]> for Decayed<D> {
    fn momentum(&self) -> &[f32] {
        self.base.momentum()
    }
}

impl<D: State<f32>> State<f32> for Decayed<D> {
    fn save(&self, sink: &mut Sink<'_, f32>) {
        self.base.save(sink);
    }

    fn load(&mut self, source: &mut Source<'_, f32>) {
        self.base.load(source);
    }
}
