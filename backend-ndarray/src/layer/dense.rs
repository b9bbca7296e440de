//! A dense layer: matrix products of a batch with its weights.

use super::{Backward, Forward, InputGradient, Layer, Layouts};
use crate::{
    Number,
    buffer::Buffer,
    kernel::{COLUMNS, Caches, MicroKernels, Run, Runs},
    layout::Layout,
    product::{Finish, Start, Target, pack_columns, pack_rows, panels, product},
    team::{Share, Team},
};

/// Rows of a product that are worth a task.
const ROWS_A_TASK: usize = 48;

/// Longest run of products: a panel of B of this depth takes half of the nearest cache in f32.
fn longest_run() -> usize {
    Caches::of_machine().first / (2 * COLUMNS * size_of::<f32>())
}

/// How many of so many rows a task computes: as many tasks for each member. A row's bits don't depend on it.
fn rows_a_task(rows: usize, team: &Team) -> usize {
    let members = team.members();
    let rounds = (rows / (members * ROWS_A_TASK)).max(1);
    rows.div_ceil(members * rounds)
}

/// `y = x W + b` on vectors. Parameters are `[W row by row (inputs x outputs), b]`.
pub struct Dense<T> {
    layouts: Layouts,
    inputs: usize,
    outputs: usize,
    kernels: MicroKernels<T>,
    forward: Gathered<T>,
    backward: Gathered<T>,
    /// The gradient of the output in panels: in place its rows may lie a power of two apart, and compete for few places of the
    /// cache.
    packed_gradient: Buffer<T>,
    /// Offsets of the weight gradient's rows in x and in the gradient.
    weight_rows: [Vec<u32>; 2],
}

/// `rows x depth` times a packed `depth x columns`: from vectors to vectors.
struct Gathered<T> {
    from: Layout,
    to: Layout,
    packed: Buffer<T>,
    /// Products in a full run.
    depth: usize,
    /// Full runs, then the remainder.
    runs: Vec<Run>,
    remainder: Vec<Run>,
    rows: [Vec<u32>; 2],
}

impl<T: Number> Gathered<T> {
    fn new(from: Layout, to: Layout, batch: usize) -> Self {
        let (depth, columns) = (from.shape.len(), to.shape.len());
        let offset = |layout: Layout, row: usize| row * layout.sample_len() + layout.pixel(0, 0);
        let run = |k: usize| Run { a: k as u32, b: (k * COLUMNS) as u32 };
        let longest = longest_run();
        let full = depth / longest * longest;
        Self {
            from,
            to,
            packed: Buffer::zeros(panels(columns) * depth * COLUMNS),
            depth: longest,
            runs: (0..full).step_by(longest).map(run).collect(),
            remainder: if full < depth { vec![run(full)] } else { vec![] },
            rows: [from, to].map(|layout| (0..batch).map(|row| offset(layout, row) as u32).collect()),
        }
    }

    /// Multiplies by what is in `packed`.
    fn multiply(
        &self,
        team: &Team,
        kernels: &MicroKernels<T>,
        samples: usize,
        a: &[T],
        out: &mut [T],
        start: Start<'_, T>,
    ) {
        let (depth, columns) = (self.from.shape.len(), self.to.shape.len());
        let (from, to) = (self.from.sample_len(), self.to.sample_len());
        let task = rows_a_task(samples, team);
        out[..samples * to].chunks_mut(task * to).zip(a[..samples * from].chunks(task * from)).share(
            team,
            |(out, a)| {
                let [rows, out_rows] = [0, 1].map(|side: usize| &self.rows[side][..a.len() / from]);
                let b_panel = depth * COLUMNS;
                let mut start = start;
                for (list, depth) in [(&self.runs, self.depth), (&self.remainder, depth % self.depth)] {
                    if list.is_empty() {
                        continue;
                    }
                    let finish = Finish::Nothing;
                    let target = Target { out: &mut *out, rows: out_rows, columns, start, finish };
                    let runs = Runs { list, depth, a_step: 1, b_step: COLUMNS, b_panel, block: 1 };
                    product(kernels, a, rows, &self.packed, runs, target);
                    start = Start::Existing;
                }
            },
        );
    }
}

impl<T: Number> Dense<T> {
    pub fn new(layouts: Layouts, batch: usize) -> Self {
        let Layouts { input, d_input, output, d_output } = layouts;
        let (inputs, outputs) = (input.shape.len(), output.shape.len());
        Self {
            layouts,
            packed_gradient: Buffer::zeros(panels(outputs) * batch * COLUMNS),
            inputs,
            outputs,
            kernels: T::kernels(),
            forward: Gathered::new(input, output, batch),
            backward: Gathered::new(d_output, d_input, batch),
            weight_rows: [1, outputs].map(|step| (0..inputs).map(|row| (row * step) as u32).collect()),
        }
    }

    /// `dW = x^T g`: each task computes some rows of dW over all samples, so nothing has to be added up.
    fn weight_gradient(&mut self, team: &Team, samples: usize, x: &[T], g: &[T], grads: &mut [T]) {
        let Self { layouts, inputs, outputs, kernels, packed_gradient, weight_rows, .. } = self;
        let (Layouts { input, d_output, .. }, inputs, outputs) = (*layouts, *inputs, *outputs);
        let packed = &mut packed_gradient[..panels(outputs) * samples * COLUMNS];
        pack_rows(team, packed, d_output.vectors(g, samples));
        let run = [Run { a: 0, b: 0 }];
        let (a_step, b_panel) = (input.sample_len(), samples * COLUMNS);
        let runs = Runs { list: &run, depth: samples, a_step, b_step: COLUMNS, b_panel, block: 1 };
        let task = rows_a_task(inputs, team);
        grads.chunks_mut(task * outputs).enumerate().share(team, |(i, grads)| {
            let rows = grads.len() / outputs;
            let x = &x[input.pixel(0, 0) + i * task..];
            let [taps, rows] = [0, 1].map(|side: usize| &weight_rows[side][..rows]);
            let (start, finish) = (Start::Zero, Finish::Nothing);
            let target = Target { out: grads, rows, columns: outputs, start, finish };
            product(kernels, x, taps, packed, runs, target);
        });
    }
}

impl<T: Number> Layer<T> for Dense<T> {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let Self { inputs, outputs, .. } = *self;
        let (weights, bias) = pass.params.split_at(inputs * outputs);
        pack_rows(pass.team, &mut self.forward.packed, weights.chunks_exact(outputs));
        self.forward.multiply(
            pass.team,
            &self.kernels,
            pass.samples,
            pass.input,
            pass.output,
            Start::Bias(bias),
        );
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Self { inputs, outputs, .. } = *self;
        let weights = &pass.params[..inputs * outputs];
        let (d_weights, d_bias) = pass.grads.split_at_mut(inputs * outputs);
        self.weight_gradient(pass.team, pass.samples, pass.input, pass.d_output, d_weights);
        d_bias.fill(T::zero());
        for g in self.layouts.d_output.vectors(pass.d_output, pass.samples) {
            super::put(d_bias, g.iter().copied(), true);
        }

        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        pack_columns(pass.team, &mut self.backward.packed, (1, outputs, inputs), |_, input| {
            &weights[input * outputs..][..outputs]
        });
        let start = if accumulate { Start::Existing } else { Start::Zero };
        self.backward.multiply(pass.team, &self.kernels, pass.samples, pass.d_output, values, start);
    }
}
