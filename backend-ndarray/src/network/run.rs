//! The forward and the backward pass over the layers.

use super::{
    Network,
    build::{Kind, Task},
    random::draws,
};
use crate::{
    Number,
    buffer::Buffer,
    layer::{Backward, Draws, Forward, InputGradient, Mode, PairBackward, PairForward, add, flatten, relu},
    layout::Layout,
    loss::cross_entropy,
    plan::{Place, Plan},
    team::{Share, Team},
};
use core::mem::{replace, take};
use ndarray::ArrayView4;
use sam_core::{Pass, Ready};
use sam_model::{BatchNorm, Evaluation, Op};

/// Where a pass begins and ends.
pub struct Ends {
    image: Place,
    logits: Place,
    d_logits: Option<Place>,
}

impl Ends {
    pub fn new(plan: &Plan) -> Self {
        let last = plan.values.len() - 1;
        Self { image: plan.values[0], logits: plan.values[last], d_logits: plan.gradients[last] }
    }
}

impl<T: Number> Network<T> {
    /// Copies images to where the first layer reads them.
    pub(super) fn load(&mut self, images: ArrayView4<'_, T>) {
        let Place { slot, layout } = self.ends.image;
        let samples = self.values[slot].chunks_exact_mut(layout.sample_len()).zip(images.outer_iter());
        samples.share(&self.threads.lock(), |(to, from)| {
            for (to, from) in layout.rows_mut(to).zip(from.outer_iter()) {
                match from.as_slice() {
                    Some(from) => to.copy_from_slice(from),
                    None => to.iter_mut().zip(from).for_each(|(to, &from)| *to = from),
                }
            }
        });
    }

    /// Logits of the samples that were loaded, and how they lie.
    pub(super) fn forward_logits(&mut self, params: &[T], samples: usize) -> (&[T], Layout) {
        let Self { tasks, values, statistics, threads, ends, .. } = self;
        forward(&threads.lock(), tasks, values, statistics, params, samples, (Mode::Evaluate, None));
        ends.logits.of(values)
    }

    pub(super) fn forward_evaluate(&mut self, params: &[T], labels: &[u16]) -> Evaluation {
        cross_entropy(self.forward_logits(params, labels.len()), labels, 0.0, None)
    }

    /// Statistics of the batch in every batch normalisation; the running ones stay.
    pub(super) fn forward_measure(&mut self, params: &[T]) -> Vec<T> {
        let nothing = vec![T::zero(); self.statistics.len()];
        let before = replace(&mut self.statistics, nothing);
        let Self { tasks, values, statistics, threads, labels, random, description, .. } = self;
        let draws = random.map(|random| draws(random, Pass::Clean));
        forward(&threads.lock(), tasks, values, statistics, params, labels.len(), (Mode::Clean, draws));
        // From zero the running statistics have come this share of the way.
        let mut measured = replace(&mut self.statistics, before);
        for (i, node) in description.nodes().iter().enumerate() {
            if let Op::BatchNorm(BatchNorm { momentum, .. }) = node.op {
                let own = &mut measured[description.statistics().of_node(i)];
                own.iter_mut().for_each(|value| *value = T::of(value.value() / momentum));
            }
        }
        measured
    }

    /// Loss and gradient of the batch; tells `ready` of each layer's gradient.
    pub(super) fn forward_backward(
        &mut self,
        params: &[T],
        grads: &mut [T],
        pass: Pass,
        ready: &mut Ready<'_, [T]>,
    ) -> Evaluation {
        let Self {
            tasks,
            values,
            gradients,
            statistics,
            threads,
            ends,
            labels,
            smoothing,
            frozen,
            random,
            ..
        } = self;
        let samples = labels.len();
        let mode = match pass {
            _ if *frozen => Mode::Frozen,
            Pass::Clean => Mode::Clean,
            _ => Mode::Perturbed,
        };
        let draws = random.map(|random| draws(random, pass));
        forward(&threads.lock(), tasks, values, statistics, params, samples, (mode, draws));
        let d_logits = ends.d_logits.map(|place| place.of_mut(gradients));
        let result = cross_entropy(ends.logits.of(values), labels, *smoothing, d_logits);
        if !result.loss.is_finite() {
            // Of a probability of 0 softmax would make a gradient that is finite.
            grads.fill(T::of(f64::NAN));
            return result;
        }
        // The last segment's activations are there.
        let mut computed = tasks.last().map_or(0, |task| task.segment);
        // The running statistics have followed the batch once.
        let again = if mode == Mode::Clean { Mode::Perturbed } else { mode };
        for i in (0..tasks.len()).rev() {
            let segment = tasks[i].segment;
            if segment != computed {
                let first = tasks.partition_point(|task| task.segment < segment);
                let part = &mut tasks[first..=i];
                forward(&threads.lock(), part, values, statistics, params, samples, (again, draws));
                computed = segment;
            }
            let task = &mut tasks[i];
            backward(&threads.lock(), task, values, gradients, params, grads, samples);
            // Not with the threads locked: who is told may have work for them.
            if !task.params.is_empty() {
                ready(grads, task.params.clone());
            }
        }
        result
    }
}

fn forward<T: Number>(
    team: &Team,
    tasks: &mut [Task<T>],
    values: &mut [Buffer<T>],
    statistics: &mut [T],
    params: &[T],
    samples: usize,
    (mode, draws): (Mode, Option<Draws>),
) {
    let mut tasks = tasks.iter_mut();
    while let Some(task) = tasks.next() {
        let folded = task.folded.as_mut().filter(|_| mode == Mode::Evaluate);
        if let Some((folded, norm)) = folded.and_then(|folded| Some((folded, tasks.next()?))) {
            let mut to = take(&mut values[norm.output.slot]);
            let pass = Forward {
                team,
                mode,
                draws,
                samples,
                params: &params[task.params.clone()],
                statistics: &mut statistics[norm.statistics.clone()],
                input: &values[task.input.slot],
                output: &mut to,
            };
            folded.forward(pass, &params[norm.params.clone()]);
            values[norm.output.slot] = to;
            continue;
        }
        let Task { kind, input, output, params: own, statistics: own_statistics, .. } = task;
        let mut to = take(&mut values[output.slot]);
        match kind {
            Kind::Layer(layer) => layer.forward(Forward {
                team,
                mode,
                draws,
                samples,
                params: &params[own.clone()],
                statistics: &mut statistics[own_statistics.clone()],
                input: &values[input.slot],
                output: &mut to,
            }),
            Kind::Relu if input.slot == output.slot => {
                relu::forward_in_place(team, &mut to[..samples * output.layout.sample_len()]);
            }
            Kind::Relu => relu::forward(team, samples, input.of(values), (&mut to, output.layout)),
            Kind::Flatten if input.slot == output.slot => {}
            Kind::Flatten => flatten::forward(team, samples, input.of(values), (&mut to, output.layout)),
            Kind::Pair { layer, second, .. } => layer.forward(PairForward {
                team,
                mode,
                draws,
                samples,
                inputs: [&values[input.slot], &values[second.slot]],
                output: &mut to,
            }),
            Kind::Add { second, .. } => {
                if input.slot != output.slot {
                    add(team, samples, input.of(values), (&mut to, output.layout), false);
                }
                add(team, samples, second.of(values), (&mut to, output.layout), true);
            }
        }
        values[output.slot] = to;
    }
}

fn backward<T: Number>(
    team: &Team,
    task: &mut Task<T>,
    values: &[Buffer<T>],
    gradients: &mut [Buffer<T>],
    params: &[T],
    grads: &mut [T],
    samples: usize,
) {
    let Task { kind, input, output, d_input, d_output, params: own, .. } = task;
    // Nothing before this task has parameters.
    let Some(d_output) = *d_output else { return };
    match kind {
        Kind::Layer(layer) => {
            let mut to = d_input.map(|(place, _)| take(&mut gradients[place.slot]));
            layer.backward(Backward {
                team,
                samples,
                params: &params[own.clone()],
                grads: &mut grads[own.clone()],
                input: &values[input.slot],
                d_output: &gradients[d_output.slot],
                d_input: to
                    .as_mut()
                    .zip(*d_input)
                    .map(|(values, (_, accumulate))| InputGradient { values, accumulate }),
            });
            if let (Some(to), Some((place, _))) = (to, *d_input) {
                gradients[place.slot] = to;
            }
        }
        Kind::Relu | Kind::Flatten => {
            let Some((place, accumulate)) = *d_input else { return };
            let in_place = place.slot == d_output.slot;
            let mut to = take(&mut gradients[place.slot]);
            let y = output.of(values);
            match kind {
                Kind::Relu if in_place => relu::backward_in_place(team, samples, y, (&mut to, place.layout)),
                Kind::Relu => {
                    relu::backward(
                        team,
                        samples,
                        y,
                        d_output.of(gradients),
                        (&mut to, place.layout),
                        accumulate,
                    );
                }
                _ if in_place => {}
                _ => flatten::backward(
                    team,
                    samples,
                    d_output.of(gradients),
                    (&mut to, place.layout),
                    accumulate,
                ),
            }
            gradients[place.slot] = to;
        }
        Kind::Pair { layer, second, d_second } => {
            for (position, gradient) in [*d_input, *d_second].into_iter().enumerate() {
                let Some((place, accumulate)) = gradient else { continue };
                let mut to = take(&mut gradients[place.slot]);
                layer.backward(
                    position,
                    PairBackward {
                        team,
                        samples,
                        inputs: [&values[input.slot], &values[second.slot]],
                        d_output: &gradients[d_output.slot],
                        d_input: InputGradient { values: &mut to, accumulate },
                    },
                );
                gradients[place.slot] = to;
            }
        }
        Kind::Add { d_second, .. } => {
            for (place, accumulate) in [*d_input, *d_second].into_iter().flatten() {
                if place.slot != d_output.slot {
                    let mut to = take(&mut gradients[place.slot]);
                    add(team, samples, d_output.of(gradients), (&mut to, place.layout), accumulate);
                    gradients[place.slot] = to;
                }
            }
        }
    }
}
