//! Small networks in which every operation meets every other: chains, tensors that are added to what became of them, and
//! wirings of any kind. Tests of other crates include it.

use super::reference::Wiring;
use sam_model::{BatchNorm, Op, Padding, Shape, Tensor};

/// Classes of every one of them.
pub const CLASSES: usize = 3;

/// Values in (-1, 1), always the same, with no structure that a wrong index could hide behind.
pub fn noise(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    core::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

/// A pixel, a row, a square and neither.
pub const IMAGES: [Shape; 4] =
    [Shape::vector(3), Shape::new(1, 2, 3), Shape::new(3, 3, 3), Shape::new(4, 5, 3)];

/// Every operation on one tensor, in the forms that are computed differently.
pub const OPS: [Op; 36] = [
    Op::Flatten,
    Op::Dense { outputs: 6 },
    conv(3, 1, 1, 0, true),
    conv(3, 3, 1, 1, false),
    conv(8, 3, 1, 1, true),
    conv(3, 3, 2, 1, true),
    conv(3, 3, 1, 0, false),
    conv(3, 5, 1, 2, true),
    Op::BATCH_NORM,
    Op::Relu,
    Op::Swish,
    Op::MaxPool { size: 2, stride: 2, padding: Padding::Explicit(0) },
    Op::MaxPool { size: 2, stride: 1, padding: Padding::Explicit(0) },
    Op::MaxPool { size: 1, stride: 2, padding: Padding::Explicit(0) },
    Op::AvgPool { size: 2, stride: 2, padding: Padding::Explicit(0) },
    Op::AvgPool { size: 3, stride: 1, padding: Padding::Explicit(0) },
    Op::GlobalAvgPool,
    grouped(3, 3, 1, Padding::Explicit(1), 3),
    grouped(3, 5, 2, Padding::Same, 3),
    grouped(6, 3, 2, Padding::Same, 3),
    grouped(3, 2, 1, Padding::Same, 1),
    grouped(8, 3, 2, Padding::Same, 1),
    grouped(3, 1, 2, Padding::Same, 1),
    conv(3, 7, 2, 3, false),
    Op::BatchNorm(BatchNorm::EFFICIENT_NET),
    Op::Relu6,
    Op::Sigmoid,
    Op::MaxPool { size: 3, stride: 2, padding: Padding::Same },
    Op::MaxPool { size: 3, stride: 1, padding: Padding::Explicit(2) },
    Op::AvgPool { size: 2, stride: 2, padding: Padding::Same },
    Op::AvgPool { size: 3, stride: 2, padding: Padding::Explicit(1) },
    Op::Subsample { stride: 2, shift: 1 },
    Op::PadChannels { channels: 6 },
    Op::Dropout { rate: 0.4 },
    Op::DropConnect { rate: 0.4 },
    Op::ShakeDrop { keep: 0.4 },
];

/// Every operation on two tensors but addition.
pub const PAIRS: [Op; 3] = [Op::Concat, Op::Scale, Op::ShakeShake];

const fn grouped(channels: usize, kernel: usize, stride: usize, padding: Padding, groups: usize) -> Op {
    Op::Conv { channels, kernel, stride, padding, groups, bias: channels > 3 }
}

const fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, bias: bool) -> Op {
    Op::Conv { channels, kernel, stride, padding: Padding::Explicit(padding), groups: 1, bias }
}

/// A part of a chain: from a tensor to the next one.
#[derive(Clone, Copy, Debug)]
pub enum Link {
    /// `op(x)`.
    One(Op),
    /// `x + x`.
    Twice,
    /// `op(x) + x`.
    Before(Op),
    /// `x + op(x)`.
    Behind(Op),
    /// `a(x) + b(x)`; pooled first, where their shapes differ.
    Both(Op, Op),
    /// An operation on two tensors: on `x` and a convolution of it, and the other way round. The second one of
    /// [`Op::Scale`] is pooled.
    Join(Op),
    JoinBehind(Op),
}

/// How a chain becomes logits.
#[derive(Clone, Copy, Debug)]
pub enum Closing {
    Pooled,
    Flattened,
    /// It ends in them.
    Bare,
}

pub const CLOSINGS: [Closing; 3] = [Closing::Pooled, Closing::Flattened, Closing::Bare];

/// One form of each kind of operation on one tensor: the first.
pub fn kinds() -> impl Iterator<Item = Op> + Clone {
    let kind = |op: &Op| core::mem::discriminant(op);
    OPS.into_iter()
        .enumerate()
        .filter(move |(i, op)| OPS[..*i].iter().all(|other| kind(other) != kind(op)))
        .map(|(_, op)| op)
}

/// The links of one operation.
pub fn ones() -> impl Iterator<Item = Link> + Clone {
    OPS.into_iter()
        .map(Link::One)
        .chain(PAIRS.into_iter().flat_map(|op| [Link::Join(op), Link::JoinBehind(op)]))
}

/// The links that add.
pub fn sums() -> impl Iterator<Item = Link> + Clone {
    let around = OPS.into_iter().flat_map(|op| [Link::Before(op), Link::Behind(op)]);
    let both = kinds().flat_map(|a| kinds().map(move |b| Link::Both(a, b)));
    core::iter::once(Link::Twice).chain(around).chain(both)
}

/// All links.
pub fn links() -> impl Iterator<Item = Link> + Clone {
    ones().chain(sums())
}

/// The links one after the other and a closing; `None` where a shape does not suit.
pub fn chain(image: Shape, links: &[Link], closing: Closing) -> Option<Wiring> {
    let mut own = Wiring::new(image);
    let mut x = Tensor::INPUT;
    for &link in links {
        x = match link {
            Link::One(op) => own.push(op, &[x])?,
            Link::Twice => own.push(Op::Add, &[x, x])?,
            Link::Before(op) => {
                let y = own.push(op, &[x])?;
                own.push(Op::Add, &[y, x])?
            }
            Link::Behind(op) => {
                let y = own.push(op, &[x])?;
                own.push(Op::Add, &[x, y])?
            }
            Link::Join(op) | Link::JoinBehind(op) => {
                let channels = own.shape(x).channels;
                let y = own.push(grouped(channels, 1, 1, Padding::Same, 1), &[x])?;
                let [first, mut second] = if matches!(link, Link::Join(_)) { [x, y] } else { [y, x] };
                if op == Op::Scale {
                    second = own.push(Op::GlobalAvgPool, &[second])?;
                }
                own.push(op, &[first, second])?
            }
            Link::Both(a, b) => {
                let (mut a, mut b) = (own.push(a, &[x])?, own.push(b, &[x])?);
                if own.shape(a) != own.shape(b) {
                    a = own.push(Op::GlobalAvgPool, &[a])?;
                    b = own.push(Op::GlobalAvgPool, &[b])?;
                }
                own.push(Op::Add, &[a, b])?
            }
        };
    }
    match closing {
        Closing::Pooled => x = own.push(Op::GlobalAvgPool, &[x])?,
        Closing::Flattened => x = own.push(Op::Flatten, &[x])?,
        Closing::Bare => return (own.shape(x) == Shape::vector(CLASSES)).then_some(own),
    }
    own.push(Op::Classify { classes: CLASSES }, &[x])?;
    Some(own)
}

/// A wiring of any kind: each choice is of an operation and of the tensors that it reads, counted from the last; what
/// cannot be applied is left out.
pub fn drawn(image: Shape, choices: impl IntoIterator<Item = (usize, usize, usize)>) -> Wiring {
    let mut own = Wiring::new(image);
    for (op, first, second) in choices {
        let back = |choice: usize| Tensor(own.last().0 - choice.min(own.last().0));
        let (first, second) = (back(first), back(second));
        // As likely a sum as all others together: that is where gradients meet.
        let _ = match (OPS.get(op), PAIRS.get(op.wrapping_sub(OPS.len()))) {
            (Some(&op), _) => own.push(op, &[first]),
            (None, Some(&op)) => own.push(op, &[first, second]),
            (None, None) => own.push(Op::Add, &[first, second]),
        };
    }
    close(own)
}

/// Makes logits of every tensor that nothing reads, and adds those up.
pub fn close(mut own: Wiring) -> Wiring {
    let mut sum = None;
    for unread in own.unread() {
        let logits = logits(&mut own, unread);
        sum = match sum {
            None => Some(logits),
            Some(before) => own.push(Op::Add, &[before, logits]),
        };
    }
    own
}

/// Logits of a tensor, which may be some itself.
fn logits(own: &mut Wiring, x: Tensor) -> Tensor {
    let shape = own.shape(x);
    if x != Tensor::INPUT && shape == Shape::vector(CLASSES) {
        return x;
    }
    let flat = if shape.pixels() == 1 { Some(x) } else { own.push(Op::Flatten, &[x]) };
    let dense = flat.and_then(|flat| own.push(Op::Dense { outputs: CLASSES }, &[flat]));
    dense.unwrap_or(x)
}
