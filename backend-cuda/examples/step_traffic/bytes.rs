//! What a launch moves and computes, from its parameters alone: every operand once.

use super::log::Launch;

/// Of a launch or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub read: u64,
    pub written: u64,
    /// Multiplications and additions of products on tiles.
    pub operations: u64,
}

impl core::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.written += other.written;
        self.operations += other.operations;
    }
}

/// Bytes of a number, of a sum in double precision, and of the structs of `kernels/*.cuh`.
const WORD: u64 = 4;
const SHORT: u64 = 2;
const WIDE: u64 = 8;
const MOMENTS: u64 = 24;
const SUMS: u64 = 16;
const CHANNEL: u64 = 16;
const CORRECTION: u64 = 8;
const PARTIAL: u64 = 16;
const PRODUCTS: u64 = 24;
const LOSS: u64 = 16;

/// Words of a convolution's shape (`kernels/conv.cuh`).
struct Conv {
    samples: u64,
    height: u64,
    width: u64,
    channels: u64,
    out: u64,
    filters: u64,
    kernel: u64,
    touched: u64,
    /// Whether as many rows and columns of zeros behind the image as before it give the same output.
    alike: bool,
}

impl Conv {
    fn of(words: &[u64]) -> Self {
        let [samples, height, width, channels, out_height, out_width, filters, kernel] = words[..8] else {
            unreachable!("a shape of {} words", words.len())
        };
        let (padding, stride) = ([words[8], words[9]], words[10]);
        // Rows or columns of the input that any window reaches.
        let reached = |len: u64, out: u64, before: u64| {
            let reaches = |at: u64| {
                (0..kernel).any(|k| {
                    (at + before).checked_sub(k).is_some_and(|from| from % stride == 0 && from / stride < out)
                })
            };
            (0..len).filter(|&at| reaches(at)).count() as u64
        };
        let alike = [(height, out_height, padding[0]), (width, out_width, padding[1])]
            .iter()
            .all(|(len, out, before)| (len + 2 * before - kernel) / stride + 1 == *out);
        let touched = reached(height, out_height, padding[0]) * reached(width, out_width, padding[1]);
        Self {
            samples,
            height,
            width,
            channels,
            out: out_height * out_width,
            filters,
            kernel,
            touched,
            alike,
        }
    }

    const fn weights(&self) -> u64 {
        self.kernel * self.kernel * self.channels * self.filters
    }

    const fn input(&self) -> u64 {
        self.samples * self.touched * self.channels
    }

    const fn whole_input(&self) -> u64 {
        self.samples * self.height * self.width * self.channels
    }

    const fn output(&self) -> u64 {
        self.samples * self.out * self.filters
    }

    const fn operations(&self) -> u64 {
        2 * self.output() * self.kernel * self.kernel * self.channels
    }
}

/// The kernel's name, and the bytes of an activation in it.
fn parts(name: &str) -> (&str, u64) {
    match name.strip_suffix("_bf16") {
        Some(name) => (name, SHORT),
        None => (name, WORD),
    }
}

/// What the launch moves at least, and computes; `None` of a kernel that is not known here.
pub fn cost(launch: &Launch) -> Option<Cost> {
    let Launch { name, grid, .. } = launch;
    let (name, own) = parts(name);
    let p = |i: usize| launch.number(i);
    let given = |i: usize| u64::from(p(i) != 0);
    let moves = |read: u64, written: u64| Some(Cost { read, written, operations: 0 });
    let words = |read: u64, written: u64| moves(WORD * read, WORD * written);
    // Activations, or gradients of such.
    let values = |read: u64, written: u64| moves(own * read, own * written);
    let product =
        |conv: &Conv, read: u64, written: u64| Some(Cost { read, written, operations: conv.operations() });
    let base = name.split("_wide").next().unwrap_or(name);
    let base = base.split("_narrow").next().unwrap_or(base);
    match base {
        "conv_forward" => {
            let conv = Conv::of(&launch.words(3));
            let weights = conv.weights() + given(2) * conv.filters;
            product(&conv, own * conv.input() + WORD * weights, own * conv.output())
        }
        "conv_input_gradient" => {
            let conv = Conv::of(&launch.words(2));
            let to = conv.whole_input();
            product(&conv, own * (conv.output() + given(3) * to) + WORD * conv.weights(), own * to)
        }
        "conv_weight_gradient" => {
            let conv = Conv::of(&launch.words(2));
            product(&conv, own * (conv.input() + conv.output()), WORD * grid[2] * conv.weights())
        }
        "sum_slices" => words(p(1) * p(2), p(1)),
        "round" => moves(WORD * p(1), SHORT * p(1)),
        "bias_gradient_sums" => moves(own * p(1) * p(2), WIDE * grid[0] * p(2)),
        "bias_gradient_finish" => moves(WIDE * p(1) * p(2), WORD * p(2)),
        "batch_norm_measure" => moves(own * p(1) * p(2), MOMENTS * grid[0] * p(2)),
        "batch_norm_finish" => {
            let (c, statistics) = (p(2), given(5) * 2 * WORD * p(2));
            moves(MOMENTS * p(1) * c + 2 * WORD * c + statistics, CHANNEL * c + statistics)
        }
        "batch_norm_finish_sums" => {
            let (c, statistics) = (p(3), given(6) * 2 * WORD * p(3));
            moves(4 * WORD * c + statistics, CHANNEL * c + statistics)
        }
        "batch_norm_running" => moves(4 * WORD * p(1), CHANNEL * p(1)),
        "batch_norm_normalise" => {
            moves((1 + given(5)) * own * p(1) + 3 * WORD * launch.words(2)[0], own * p(1))
        }
        // A ReLU behind it takes a channel's factor and offset beside its mean.
        "batch_norm_sums" => {
            let channels = (1 + 2 * given(5)) * WORD * p(3);
            moves(2 * own * p(2) * p(3) + channels, SUMS * grid[0] * p(3))
        }
        "batch_norm_gradients" => moves(SUMS * p(1) * p(2), (2 * WORD + CORRECTION) * p(2)),
        "batch_norm_input_gradient" => {
            let channels = (4 + given(6)) * WORD * launch.words(3)[0];
            moves((2 + given(7)) * own * p(2) + channels, own * p(2))
        }
        "relu_forward" => values(p(1), p(1)),
        "relu_backward" => values((2 + given(3)) * p(2), p(2)),
        "add" => values(2 * p(2), p(2)),
        "pixel_sums" => {
            let n = grid[0] * p(3);
            values((1 + given(1)) * n * p(2) + given(5) * n, n)
        }
        "avg_pool_forward" => {
            let pool = launch.words(2);
            values(p(1) / (pool[2] * pool[3]) * pool[0] * pool[1], p(1))
        }
        "channels_join" => {
            let (n, channels) = (p(2), launch.words(3)[0]);
            let first = n / channels * p(4);
            values(first + given(1) * (n - first), n)
        }
        "channels_part" => values((1 + given(5)) * p(1), p(1)),
        "avg_pool_backward" => {
            let pool = launch.words(2);
            // Every value of the output's gradient belongs to as many as its window has.
            values(p(1) / (pool[0] * pool[1]) * pool[2] * pool[3] + given(4) * p(1), p(1))
        }
        "cross_entropy" => moves(grid[0] * (own * p(4) + WORD), grid[0] * (LOSS + given(6) * own * p(4))),
        "cross_entropy_mean" => moves(LOSS * p(1), LOSS),
        "norm_sweep" => moves((1 + given(4)) * WORD * p(2), PARTIAL * grid[0]),
        "norm_finish" => moves(PARTIAL * p(1), 12 * WORD),
        "ascend" => words(2 * p(2), p(2)),
        "check_sweep" => words(p(1), grid[0]),
        "check_finish" => words(p(1), 1),
        "products_sweep" => moves(2 * WORD * p(2), PRODUCTS * grid[0]),
        "products_finish" => moves(PRODUCTS * p(1), 2 * WORD),
        "mix" => words(2 * p(3), p(3)),
        "mix_along" => words(2 * p(5), p(5)),
        "friendly" => words(2 * p(1), 2 * p(1)),
        "keep" => words(p(1), p(1)),
        "accumulate" => words((1 + given(0)) * p(2), p(2)),
        "sgd" => words((2 + given(2)) * p(3), (1 + given(2)) * p(3)),
        "store" => words(0, p(1)),
        // Reads the loss and the norm, writes them and a flag.
        "report" => words(p(1) + p(3) + 1, p(1) + p(3) + 1),
        _ => None,
    }
}

/// What a library's product moves more: where the image is padded by more behind than before it, an input's gradient is added to another
/// in a sweep of its own.
pub fn added_apart(launch: &Launch) -> Option<Cost> {
    let (name, own) = parts(&launch.name);
    if !name.starts_with("conv_input_gradient") || launch.number(3) == 0 {
        return None;
    }
    let conv = Conv::of(&launch.words(2));
    let bytes = own * conv.whole_input();
    (!conv.alike).then_some(Cost { read: bytes, written: bytes, operations: 0 })
}

/// What the launch is for, as the table has it.
pub fn purpose(name: &str) -> &'static str {
    match parts(name).0 {
        name if name.starts_with("conv_") || name == "sum_slices" => "products",
        name if name.starts_with("batch_norm_") => "normalisation",
        "norm_sweep" | "norm_finish" | "ascend" | "check_sweep" | "check_finish" | "products_sweep"
        | "products_finish" | "mix" | "mix_along" | "friendly" | "keep" | "accumulate" | "sgd" => "weights",
        _ => "other",
    }
}
