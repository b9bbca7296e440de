//! Networks by their definitions: sums over samples, pixels and channels in f64, every tensor in memory of its own, the
//! gradient by reverse accumulation. No layouts, nothing in place, nothing fused. Tests of other crates include it.

use sam_model::{
    BatchNorm, Description, DescriptionError, Name, Op, Padding, Parameter, Shape, Tensor,
    random::{Coefficient, Key, drop_connect, kept, shake_drop, shake_shake},
};

/// A network as a list of operations; the last one makes the logits.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// Of each tensor, the image first.
    shapes: Vec<Shape>,
    nodes: Vec<Node>,
    parameters: usize,
    statistics: usize,
    /// What random layers draw from, and whether their backward coefficients are fresh; without it they act by
    /// expectation.
    random: Option<(Key, bool)>,
}

#[derive(Clone, Debug)]
struct Node {
    op: Op,
    inputs: Vec<Tensor>,
    sums: Vec<Term>,
    /// Where its parameters and running statistics start.
    params: usize,
    statistics: usize,
}

/// `y += factor x` within a sample, of an operation that is a sum; under a maximum the factor is none.
#[derive(Clone, Copy, Debug)]
struct Term {
    y: usize,
    x: usize,
    factor: Factor,
}

#[derive(Clone, Copy, Debug)]
enum Factor {
    Weight(usize),
    Constant(f64),
}

/// What a batch normalisation normalises by, channel by channel.
struct Moments {
    mean: Vec<f64>,
    variance: Vec<f64>,
    /// Added to a variance.
    epsilon: f64,
}

/// What a forward pass leaves: each tensor's values and each normalisation's moments, in order.
struct Trace {
    values: Vec<Vec<f64>>,
    moments: Vec<Moments>,
}

impl Wiring {
    pub fn new(image: Shape) -> Self {
        Self { shapes: vec![image], nodes: Vec::new(), parameters: 0, statistics: 0, random: None }
    }

    /// The same network with random numbers in training.
    pub fn with_random(mut self, key: Key, fresh: bool) -> Self {
        self.random = Some((key, fresh));
        self
    }

    pub fn image(&self) -> Shape {
        self.shapes[0]
    }

    pub fn shape(&self, tensor: Tensor) -> Shape {
        self.shapes[tensor.0]
    }

    /// The tensor that was made last.
    pub fn last(&self) -> Tensor {
        Tensor(self.nodes.len())
    }

    /// Tensors that nothing reads yet.
    pub fn unread(&self) -> Vec<Tensor> {
        let read = |tensor: &Tensor| self.nodes.iter().any(|node| node.inputs.contains(tensor));
        (0..self.shapes.len()).map(Tensor).filter(|tensor| !read(tensor)).collect()
    }

    /// Appends an operation; `None` if it cannot be applied to the inputs.
    pub fn push(&mut self, op: Op, inputs: &[Tensor]) -> Option<Tensor> {
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let own = op.signature(&shapes).ok()?;
        let output = own.output;
        self.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            sums: terms(op, shapes[0], output),
            params: self.parameters,
            statistics: self.statistics,
        });
        let values = |own: &[Parameter]| own.iter().map(|p| p.shape.iter().product::<usize>()).sum::<usize>();
        self.parameters += values(&own.parameters);
        self.statistics += values(&own.statistics);
        self.shapes.push(output);
        Some(self.last())
    }

    /// The same for a backend.
    pub fn description(&self) -> Result<Description, DescriptionError> {
        let classes = self.shape(self.last()).channels;
        Description::new(self.image(), classes, |graph| {
            let mut last = Tensor::INPUT;
            for (i, node) in self.nodes.iter().enumerate() {
                last = graph.push(Name::numbered("op", i + 1), node.op, &node.inputs)?;
            }
            Ok(last)
        })
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The operations, for whom a test tells of one that fails: `2: Relu of 1`.
    pub fn text(&self) -> String {
        let lines = self.nodes.iter().enumerate().map(|(i, node)| {
            let inputs: Vec<String> = node.inputs.iter().map(|input| input.0.to_string()).collect();
            format!("{}: {:?} of {}", i + 1, node.op, inputs.join(" and "))
        });
        let lines: Vec<String> = lines.collect();
        format!("image {}; {}", self.image(), lines.join("; "))
    }

    /// Mean loss of a batch against smoothed labels and its gradient, with the batch's statistics.
    pub fn gradient(&self, w: &[f64], images: &[f64], labels: &[u16], smoothing: f64) -> (f64, Vec<f64>) {
        let trace = self.forward(w, images, labels.len(), None);
        let (loss, d_logits) = cross_entropy(&trace.values[self.last().0], labels, smoothing);
        let mut d_values: Vec<Vec<f64>> = trace.values.iter().map(|v| vec![0.0; v.len()]).collect();
        d_values[self.last().0] = d_logits;
        let mut d_w = vec![0.0; self.parameters];
        let mut moments = trace.moments.iter().rev();
        for (i, node) in self.nodes.iter().enumerate().rev() {
            let g = std::mem::take(&mut d_values[i + 1]);
            let moments = if matches!(node.op, Op::BatchNorm(_)) { moments.next() } else { None };
            let x: Vec<&[f64]> = node.inputs.iter().map(|input| trace.values[input.0].as_slice()).collect();
            let own = &w[node.params..];
            for (position, input) in node.inputs.iter().enumerate() {
                let (shapes, pair) = (self.shapes_of(node), [x[0], *x.last().unwrap_or(&x[0])]);
                let d_x = match pair_gradient(node.op, shapes, pair, &g, position) {
                    Some(d_x) => d_x,
                    None => match self.factors(i, g.len(), labels.len(), self.random) {
                        Some(factors) => {
                            let share = |(g, c): (&f64, &Coefficient)| g * share(node.op, *c, position).1;
                            g.iter().zip(&factors).map(share).collect()
                        }
                        None => {
                            self.backward(node, own, x[0], &g, moments, labels.len(), &mut d_w[node.params..])
                        }
                    },
                };
                d_values[input.0].iter_mut().zip(&d_x).for_each(|(sum, d)| *sum += d);
            }
        }
        (loss, d_w)
    }

    /// Logits of images, with the given running statistics.
    pub fn logits(&self, w: &[f64], statistics: &[f64], images: &[f64]) -> Vec<f64> {
        let samples = images.len() / self.image().len();
        self.forward(w, images, samples, Some(statistics)).values.swap_remove(self.last().0)
    }

    /// What the running statistics become by a pass over a batch.
    pub fn follow(&self, w: &[f64], statistics: &[f64], images: &[f64]) -> Vec<f64> {
        let samples = images.len() / self.image().len();
        let seen = self.forward(w, images, samples, None).moments;
        let norms = self.nodes.iter().filter_map(|node| match node.op {
            Op::BatchNorm(settings) => Some((node, settings)),
            _ => None,
        });
        let seen = norms.zip(seen).flat_map(|((node, BatchNorm { momentum, unbiased, .. }), moments)| {
            let count = (samples * self.shape(node.inputs[0]).pixels()) as f64;
            let factor = if unbiased { count / (count - 1.0).max(1.0) } else { 1.0 };
            let variances = moments.variance.into_iter().map(move |v| v * factor);
            moments.mean.into_iter().chain(variances).map(|new| (new, momentum)).collect::<Vec<_>>()
        });
        statistics.iter().zip(seen).map(|(old, (new, momentum))| old + momentum * (new - old)).collect()
    }

    fn forward(&self, w: &[f64], images: &[f64], samples: usize, running: Option<&[f64]>) -> Trace {
        let mut trace = Trace { values: vec![images.to_vec()], moments: Vec::new() };
        for (i, node) in self.nodes.iter().enumerate() {
            let (input, output) = (self.shape(node.inputs[0]), self.shapes[i + 1]);
            let x = &trace.values[node.inputs[0].0];
            let own = &w[node.params..];
            let second = node.inputs.get(1).map(|input| &trace.values[input.0]);
            // Evaluation is by expectation.
            let random = self.random.filter(|_| running.is_none());
            let y: Vec<f64> = match node.op {
                Op::Dropout { .. } | Op::DropConnect { .. } | Op::ShakeShake | Op::ShakeDrop { .. } => {
                    let factors = self.factors(i, x.len(), samples, random).unwrap_or_default();
                    let value = |(j, x): (usize, &f64)| {
                        let of = |position| share(node.op, factors[j], position).0;
                        x * of(0) + second.map_or(0.0, |second| second[j] * of(1))
                    };
                    x.iter().enumerate().map(value).collect()
                }
                Op::Concat => {
                    let [a, b] = [0, 1].map(|k| self.shape(node.inputs[k]).channels);
                    let pixels = x.chunks(a).zip(second.map_or(&[][..], |second| second).chunks(b));
                    pixels.flat_map(|(a, b)| a.iter().chain(b).copied()).collect()
                }
                Op::Scale => {
                    let at = |j: usize| (j / input.len()) * input.channels + j % input.channels;
                    let factor = |j: usize| second.map_or(0.0, |second| second[at(j)]);
                    x.iter().enumerate().map(|(j, x)| x * factor(j)).collect()
                }
                Op::Flatten => x.clone(),
                Op::Relu6 => x.iter().map(|x| x.clamp(0.0, 6.0)).collect(),
                Op::Sigmoid => x.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
                Op::Relu => x.iter().map(|x| x.max(0.0)).collect(),
                Op::Swish => x.iter().map(|x| x / (1.0 + (-x).exp())).collect(),
                Op::Add => x.iter().zip(&trace.values[node.inputs[1].0]).map(|(a, b)| a + b).collect(),
                Op::BatchNorm(BatchNorm { epsilon, .. }) => {
                    let channels = input.channels;
                    let moments = match running {
                        None => Moments::of(x, channels, epsilon),
                        Some(all) => Moments {
                            mean: all[node.statistics..][..channels].to_vec(),
                            variance: all[node.statistics + channels..][..channels].to_vec(),
                            epsilon,
                        },
                    };
                    let y = |(i, x): (usize, &f64)| {
                        let c = i % channels;
                        own[c] * moments.normalised(c, *x) + own[channels + c]
                    };
                    let y = x.iter().enumerate().map(y).collect();
                    trace.moments.push(moments);
                    y
                }
                Op::MaxPool { .. } => largest(&node.sums, x, [input.len(), output.len()], samples)
                    .into_iter()
                    .map(|chosen| x[chosen])
                    .collect(),
                _ => {
                    let mut y = vec![0.0; samples * output.len()];
                    let bias = bias(node.op, input, output);
                    for (x, y) in x.chunks(input.len()).zip(y.chunks_mut(output.len())) {
                        for term in &node.sums {
                            y[term.y] += term.factor.value(own) * x[term.x];
                        }
                        if let Some(bias) = bias {
                            let at = |i: usize| own[bias + i % output.channels];
                            y.iter_mut().enumerate().for_each(|(i, y)| *y += at(i));
                        }
                    }
                    y
                }
            };
            trace.values.push(y);
        }
        trace
    }

    /// Of its first input and its last.
    fn shapes_of(&self, node: &Node) -> [Shape; 2] {
        let last = node.inputs[node.inputs.len() - 1];
        [node.inputs[0], last].map(|input| self.shape(input))
    }

    /// Of a random operation, what multiplies each value and its gradient.
    fn factors(
        &self,
        node: usize,
        values: usize,
        samples: usize,
        random: Option<(Key, bool)>,
    ) -> Option<Vec<Coefficient>> {
        let op = self.nodes[node].op;
        let of = |j: usize| {
            let (sample, len) = (j / (values / samples), values / samples);
            let drawn = |(key, fresh): (Key, bool)| match op {
                Op::Dropout { rate } => {
                    let number = key.uniform(node, sample, len).nth(j % len).unwrap_or_default();
                    Coefficient::constant(kept(number, rate))
                }
                Op::DropConnect { rate } => drop_connect(key, node, sample, rate),
                Op::ShakeDrop { keep } => shake_drop(key, node, sample, keep, fresh),
                _ => shake_shake(key, node, sample, fresh),
            };
            random.map_or_else(|| expectation(op), drawn)
        };
        op.is_random().then(|| (0..values).map(of).collect())
    }

    /// The gradient of a node's first input (of either, for a sum of two), given that of its output; adds that of its
    /// parameters.
    #[expect(clippy::too_many_arguments, reason = "all that a backward pass is a function of")]
    fn backward(
        &self,
        node: &Node,
        own: &[f64],
        x: &[f64],
        g: &[f64],
        moments: Option<&Moments>,
        samples: usize,
        d_own: &mut [f64],
    ) -> Vec<f64> {
        let input = self.shape(node.inputs[0]);
        let outputs = g.len() / samples;
        let mut d_x = vec![0.0; x.len()];
        match node.op {
            Op::Flatten | Op::Add => d_x.copy_from_slice(g),
            Op::Relu => {
                for ((d, x), g) in d_x.iter_mut().zip(x).zip(g) {
                    *d = if *x > 0.0 { *g } else { 0.0 };
                }
            }
            Op::Relu6 => {
                for ((d, x), g) in d_x.iter_mut().zip(x).zip(g) {
                    *d = if *x > 0.0 && *x < 6.0 { *g } else { 0.0 };
                }
            }
            Op::Sigmoid => {
                for ((d, x), g) in d_x.iter_mut().zip(x).zip(g) {
                    *d = g / ((1.0 + (-x).exp()) * (1.0 + x.exp()));
                }
            }
            Op::Swish => {
                for ((d, x), g) in d_x.iter_mut().zip(x).zip(g) {
                    let sigmoid = 1.0 / (1.0 + (-x).exp());
                    *d = g * sigmoid * (1.0 + x * (1.0 - sigmoid));
                }
            }
            Op::BatchNorm(_) => {
                let (channels, Some(moments)) = (input.channels, moments) else {
                    unreachable!("each normalisation leaves its moments")
                };
                let (d_scale, d_shift) = d_own.split_at_mut(channels);
                for (i, (x, g)) in x.iter().zip(g).enumerate() {
                    d_scale[i % channels] += g * moments.normalised(i % channels, *x);
                    d_shift[i % channels] += g;
                }
                let count = (x.len() / channels) as f64;
                for (i, d) in d_x.iter_mut().enumerate() {
                    let c = i % channels;
                    let share = (d_shift[c] + moments.normalised(c, x[i]) * d_scale[c]) / count;
                    *d = own[c] / (moments.variance[c] + moments.epsilon).sqrt() * (g[i] - share);
                }
            }
            Op::MaxPool { .. } => {
                for (chosen, g) in largest(&node.sums, x, [input.len(), outputs], samples).into_iter().zip(g)
                {
                    d_x[chosen] += g;
                }
            }
            _ => {
                let output = node.op.signature(&[input]).unwrap().output;
                let bias = bias(node.op, input, output);
                let samples = x.chunks(input.len()).zip(g.chunks(outputs)).zip(d_x.chunks_mut(input.len()));
                for ((x, g), d_x) in samples {
                    for term in &node.sums {
                        d_x[term.x] += term.factor.value(own) * g[term.y];
                        if let Factor::Weight(at) = term.factor {
                            d_own[at] += x[term.x] * g[term.y];
                        }
                    }
                    if let Some(bias) = bias {
                        g.iter().enumerate().for_each(|(i, g)| d_own[bias + i % output.channels] += g);
                    }
                }
            }
        }
        d_x
    }
}

impl Factor {
    fn value(self, params: &[f64]) -> f64 {
        match self {
            Self::Weight(at) => params[at],
            Self::Constant(value) => value,
        }
    }
}

impl Moments {
    /// Mean and biased variance of each channel.
    fn of(x: &[f64], channels: usize, epsilon: f64) -> Self {
        let count = (x.len() / channels) as f64;
        let of = |c: usize| x.iter().skip(c).step_by(channels);
        let mean: Vec<f64> = (0..channels).map(|c| of(c).sum::<f64>() / count).collect();
        let variance = |c: usize| of(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / count;
        Self { variance: (0..channels).map(variance).collect(), mean, epsilon }
    }

    fn normalised(&self, channel: usize, x: f64) -> f64 {
        (x - self.mean[channel]) / (self.variance[channel] + self.epsilon).sqrt()
    }
}

/// What multiplies the input of that position, and its gradient: the second branch has the rest of the first one's share.
fn share(op: Op, first: Coefficient, position: usize) -> (f64, f64) {
    let [forward, backward] = [first.forward, first.backward].map(f64::from);
    match (op, position) {
        (Op::ShakeShake, 1) => (1.0 - forward, 1.0 - backward),
        _ => (forward, backward),
    }
}

/// What a random operation multiplies by in evaluation.
fn expectation(op: Op) -> Coefficient {
    Coefficient::constant(match op {
        Op::ShakeShake => 0.5,
        Op::ShakeDrop { keep } => keep as f32,
        _ => 1.0,
    })
}

/// The gradient of the input of that position, of operations whose inputs have shapes of their own.
fn pair_gradient(op: Op, shapes: [Shape; 2], x: [&[f64]; 2], g: &[f64], position: usize) -> Option<Vec<f64>> {
    let [first, second] = shapes;
    match op {
        Op::Concat => {
            let skip = if position == 0 { 0 } else { first.channels };
            let pixels = g.chunks(first.channels + second.channels);
            Some(pixels.flat_map(|g| g[skip..][..shapes[position].channels].iter().copied()).collect())
        }
        Op::Scale => {
            let at = |j: usize| (j / first.len()) * second.channels + j % second.channels;
            if position == 0 {
                return Some(g.iter().enumerate().map(|(j, g)| g * x[1][at(j)]).collect());
            }
            let mut d = vec![0.0; x[1].len()];
            g.iter().zip(x[0]).enumerate().for_each(|(j, (g, x))| d[at(j)] += g * x);
            Some(d)
        }
        _ => None,
    }
}

/// Where an operation's biases start among its parameters.
fn bias(op: Op, input: Shape, output: Shape) -> Option<usize> {
    match op {
        Op::Dense { .. } | Op::Classify { .. } => Some(input.len() * output.len()),
        Op::Conv { kernel, groups, bias: true, .. } => {
            Some(kernel * kernel * (input.channels / groups) * output.channels)
        }
        _ => None,
    }
}

/// The terms of an operation's sums, or of its maxima.
fn terms(op: Op, input: Shape, output: Shape) -> Vec<Term> {
    let at = |shape: Shape, y: usize, x: usize, c: usize| (y * shape.width + x) * shape.channels + c;
    let mut terms = Vec::new();
    // The window of each output pixel: its extent, the step to the next, and how far it reaches over the border.
    let (size, stride, padding) = match op {
        Op::Dense { outputs } | Op::Classify { classes: outputs } => {
            for (x, y) in (0..input.len()).flat_map(|x| (0..outputs).map(move |y| (x, y))) {
                terms.push(Term { y, x, factor: Factor::Weight(x * outputs + y) });
            }
            return terms;
        }
        Op::GlobalAvgPool => {
            let factor = Factor::Constant(1.0 / input.pixels() as f64);
            terms.extend((0..input.len()).map(|x| Term { y: x % input.channels, x, factor }));
            return terms;
        }
        Op::Subsample { stride, shift } => {
            for (i, j, c) in positions(output) {
                let (y, x) = (i * stride + shift, j * stride + shift);
                if y < input.height && x < input.width {
                    let factor = Factor::Constant(1.0);
                    terms.push(Term { y: at(output, i, j, c), x: at(input, y, x, c), factor });
                }
            }
            return terms;
        }
        Op::PadChannels { .. } => {
            for (i, j, c) in positions(input) {
                let factor = Factor::Constant(1.0);
                terms.push(Term { y: at(output, i, j, c), x: at(input, i, j, c), factor });
            }
            return terms;
        }
        Op::Conv { kernel, stride, padding, .. } => (kernel, stride, padding),
        Op::MaxPool { size, stride, padding } | Op::AvgPool { size, stride, padding } => {
            (size, stride, padding)
        }
        Op::Flatten
        | Op::Relu
        | Op::Relu6
        | Op::Swish
        | Op::Sigmoid
        | Op::BatchNorm(_)
        | Op::Concat
        | Op::Scale
        | Op::Add
        | Op::Dropout { .. }
        | Op::DropConnect { .. }
        | Op::ShakeShake
        | Op::ShakeDrop { .. } => return terms,
    };
    let before = |extent, outputs| before(padding, size, stride, extent, outputs);
    let before = [before(input.height, output.height), before(input.width, output.width)];
    let groups = if let Op::Conv { groups, .. } = op { groups } else { 1 };
    let (inputs, outputs) = (input.channels / groups, output.channels / groups);
    for (row, column) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
        for (r, s) in (0..size).flat_map(|r| (0..size).map(move |s| (r, s))) {
            let inside = |at: usize, before, extent: usize| at.checked_sub(before).filter(|&at| at < extent);
            let y = inside(row * stride + r, before[0], input.height);
            let x = inside(column * stride + s, before[1], input.width);
            let (Some(y), Some(x)) = (y, x) else { continue };
            for c in 0..input.channels {
                let from = at(input, y, x, c);
                if !matches!(op, Op::Conv { .. }) {
                    let factor = Factor::Constant(1.0 / (size * size) as f64);
                    terms.push(Term { y: at(output, row, column, c), x: from, factor });
                    continue;
                }
                for o in c / inputs * outputs..(c / inputs + 1) * outputs {
                    let weight = ((r * size + s) * inputs + c % inputs) * output.channels + o;
                    terms.push(Term {
                        y: at(output, row, column, o),
                        x: from,
                        factor: Factor::Weight(weight),
                    });
                }
            }
        }
    }
    terms
}

/// Every row, column and channel.
fn positions(shape: Shape) -> impl Iterator<Item = (usize, usize, usize)> {
    let Shape { height, width, channels } = shape;
    (0..height).flat_map(move |y| (0..width).flat_map(move |x| (0..channels).map(move |c| (y, x, c))))
}

/// Rows or columns of padding before an image.
fn before(padding: Padding, size: usize, stride: usize, extent: usize, outputs: usize) -> usize {
    match padding {
        Padding::Explicit(padding) => padding,
        // TensorFlow's documentation: what is missing, the smaller half before.
        Padding::Same => (((outputs - 1) * stride + size).max(extent) - extent) / 2,
    }
}

/// Which value of the whole batch each output of a max-pooling is: the first of equals.
fn largest(windows: &[Term], x: &[f64], [inputs, outputs]: [usize; 2], samples: usize) -> Vec<usize> {
    let mut chosen = vec![None; samples * outputs];
    for sample in 0..samples {
        for term in windows {
            let best = &mut chosen[sample * outputs + term.y];
            let at = sample * inputs + term.x;
            if best.is_none_or(|best: usize| x[at] > x[best]) {
                *best = Some(at);
            }
        }
    }
    chosen.into_iter().flatten().collect()
}

/// Mean cross-entropy of softmax and its gradient by the logits; a share `smoothing` of each target is spread over all classes.
pub fn cross_entropy(logits: &[f64], labels: &[u16], smoothing: f64) -> (f64, Vec<f64>) {
    let (samples, classes) = (labels.len() as f64, logits.len() / labels.len());
    let (mut loss, mut gradient) = (0.0, Vec::new());
    for (logits, &label) in logits.chunks(classes).zip(labels) {
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = largest + logits.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
        for (c, x) in logits.iter().enumerate() {
            let hit = if c == usize::from(label) { 1.0 - smoothing } else { 0.0 };
            let target = hit + smoothing / classes as f64;
            loss += target * (log_sum - x) / samples;
            gradient.push(((x - log_sum).exp() - target) / samples);
        }
    }
    (loss, gradient)
}
