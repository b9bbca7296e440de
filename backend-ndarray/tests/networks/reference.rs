//! Networks by their definitions: sums over samples, pixels and channels in f64, every tensor in memory of its own, the
//! gradient by reverse accumulation. No layouts, nothing in place, nothing fused. Tests of other crates include it.

use sam_model::{Description, DescriptionError, Name, Op, Parameter, Shape, Tensor};

/// Share of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;
/// Added to a variance.
const EPSILON: f64 = 1e-5;

/// A network as a list of operations; the last one makes the logits.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// Of each tensor, the image first.
    shapes: Vec<Shape>,
    nodes: Vec<Node>,
    parameters: usize,
    statistics: usize,
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
}

/// What a forward pass leaves: each tensor's values and each normalisation's moments, in order.
struct Trace {
    values: Vec<Vec<f64>>,
    moments: Vec<Moments>,
}

impl Wiring {
    pub fn new(image: Shape) -> Self {
        Self { shapes: vec![image], nodes: Vec::new(), parameters: 0, statistics: 0 }
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
            let moments = if node.op == Op::BatchNorm { moments.next() } else { None };
            let x = &trace.values[node.inputs[0].0];
            let own = &w[node.params..];
            let d_x = self.backward(node, own, x, &g, moments, labels.len(), &mut d_w[node.params..]);
            for input in &node.inputs {
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
        let norms = self.nodes.iter().filter(|node| node.op == Op::BatchNorm);
        let seen = norms.zip(seen).flat_map(|(node, moments)| {
            let count = (samples * self.shape(node.inputs[0]).pixels()) as f64;
            let unbiased = move |v: f64| v * count / (count - 1.0).max(1.0);
            moments.mean.into_iter().chain(moments.variance.into_iter().map(unbiased)).collect::<Vec<_>>()
        });
        statistics.iter().zip(seen).map(|(old, new)| old + MOMENTUM * (new - old)).collect()
    }

    fn forward(&self, w: &[f64], images: &[f64], samples: usize, running: Option<&[f64]>) -> Trace {
        let mut trace = Trace { values: vec![images.to_vec()], moments: Vec::new() };
        for (i, node) in self.nodes.iter().enumerate() {
            let (input, output) = (self.shape(node.inputs[0]), self.shapes[i + 1]);
            let x = &trace.values[node.inputs[0].0];
            let own = &w[node.params..];
            let y: Vec<f64> = match node.op {
                Op::Flatten => x.clone(),
                Op::Relu => x.iter().map(|x| x.max(0.0)).collect(),
                Op::Swish => x.iter().map(|x| x / (1.0 + (-x).exp())).collect(),
                Op::Add => x.iter().zip(&trace.values[node.inputs[1].0]).map(|(a, b)| a + b).collect(),
                Op::BatchNorm => {
                    let channels = input.channels;
                    let moments = match running {
                        None => Moments::of(x, channels),
                        Some(all) => Moments {
                            mean: all[node.statistics..][..channels].to_vec(),
                            variance: all[node.statistics + channels..][..channels].to_vec(),
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
            Op::Swish => {
                for ((d, x), g) in d_x.iter_mut().zip(x).zip(g) {
                    let power = (-x).exp();
                    *d = g * (1.0 + power + x * power) / (1.0 + power).powi(2);
                }
            }
            Op::BatchNorm => {
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
                    *d = own[c] / (moments.variance[c] + EPSILON).sqrt() * (g[i] - share);
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
    fn of(x: &[f64], channels: usize) -> Self {
        let count = (x.len() / channels) as f64;
        let of = |c: usize| x.iter().skip(c).step_by(channels);
        let mean: Vec<f64> = (0..channels).map(|c| of(c).sum::<f64>() / count).collect();
        let variance = |c: usize| of(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / count;
        Self { variance: (0..channels).map(variance).collect(), mean }
    }

    fn normalised(&self, channel: usize, x: f64) -> f64 {
        (x - self.mean[channel]) / (self.variance[channel] + EPSILON).sqrt()
    }
}

/// Where an operation's biases start among its parameters.
fn bias(op: Op, input: Shape, output: Shape) -> Option<usize> {
    match op {
        Op::Dense { .. } | Op::Classify { .. } => Some(input.len() * output.len()),
        Op::Conv { kernel, bias: true, .. } => Some(kernel * kernel * input.channels * output.channels),
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
        Op::Conv { kernel, stride, padding, .. } => (kernel, stride, padding),
        Op::MaxPool { size, stride } | Op::AvgPool { size, stride } => (size, stride, 0),
        Op::Flatten | Op::Relu | Op::Swish | Op::BatchNorm | Op::Add => return terms,
    };
    for (row, column) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
        for (r, s) in (0..size).flat_map(|r| (0..size).map(move |s| (r, s))) {
            let inside = |at: usize, extent: usize| at.checked_sub(padding).filter(|&at| at < extent);
            let y = inside(row * stride + r, input.height);
            let x = inside(column * stride + s, input.width);
            let (Some(y), Some(x)) = (y, x) else { continue };
            for c in 0..input.channels {
                let from = at(input, y, x, c);
                if !matches!(op, Op::Conv { .. }) {
                    let factor = Factor::Constant(1.0 / (size * size) as f64);
                    terms.push(Term { y: at(output, row, column, c), x: from, factor });
                    continue;
                }
                for o in 0..output.channels {
                    let weight = ((r * size + s) * input.channels + c) * output.channels + o;
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
        let log_sum = logits.iter().map(|x| x.exp()).sum::<f64>().ln();
        for (c, x) in logits.iter().enumerate() {
            let hit = if c == usize::from(label) { 1.0 - smoothing } else { 0.0 };
            let target = hit + smoothing / classes as f64;
            loss += target * (log_sum - x) / samples;
            gradient.push(((x - log_sum).exp() - target) / samples);
        }
    }
    (loss, gradient)
}
