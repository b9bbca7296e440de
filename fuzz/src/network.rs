//! Networks of any description: refused, or computed without a panic whatever the weights are; what operations that fit
//! compute is what they are defined to be.

use core::ops::Range;

use arbitrary::Unstructured;
use ndarray::{Array2, Array4};
use sam_backend_ndarray::{Network, Random};
use sam_core::{GradientOracle, Pass};
use sam_model::{
    Architecture, BatchNorm, Description, ImageShape, Name, Op, Padding, Tensor,
    random::{BackwardCoefficients, Key},
};

use crate::{
    reference::Wiring,
    wirings::{CLASSES, close, noise},
};

/// What is still computed.
const MOST_PARAMETERS: usize = 1 << 16;
const MOST_BYTES: u128 = 1 << 22;
/// Multiply-add pairs of a forward pass that the definition is still asked for.
const MOST_PAIRS: u64 = 1 << 17;
/// Vectors that scale one another, of a network: of one that scales itself a few times over squares overflow, even in f64, and where they do
/// depends on what is added to what.
const MOST_SCALES: usize = 3;
/// Normalisations enlarge what rounding leaves in a channel whose values are all the same, some hundred times each.
const TOLERANCE: f64 = 1e-6;
/// What random layers draw from.
const RANDOM: Random = Random { key: Key([1, 2, 3]), first: 0, backward: BackwardCoefficients::Fresh };

/// Of eight inputs one names an architecture and a shape, one describes a network operation by operation, whether they fit
/// or not, and the others wire operations that fit.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let _ = match input.arbitrary::<u8>().unwrap_or(0) % 8 {
        0 => named(&mut input),
        1 => described(&mut input),
        _ => wired(&mut input),
    };
}

/// A size, rarely one that breaks things.
fn extent(input: &mut Unstructured<'_>) -> arbitrary::Result<usize> {
    Ok(match input.int_in_range(0..=15)? {
        0 => input.arbitrary()?,
        1 => input.int_in_range(0..=1 << 20)?,
        _ => input.int_in_range(0..=9)?,
    })
}

fn named(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let image = ImageShape::new(extent(input)?, extent(input)?, extent(input)?);
    let (batch, classes) = (extent(input)?, extent(input)?);
    let text: String = input.arbitrary()?;
    let Ok(architecture) = text.parse::<Architecture>() else { return Ok(()) };
    let Ok(size) = Network::<f32>::size(&architecture, image, classes, batch) else { return Ok(()) };
    let small = size.parameters <= MOST_PARAMETERS && size.buffer_bytes <= MOST_BYTES;
    if small && let Ok(network) = Network::<f32>::new(&architecture, image, classes, batch, 1) {
        assert_eq!(network.parameter_count(), size.parameters);
        assert_eq!(network.buffer_bytes() as u128, size.buffer_bytes);
        compute(network, image, batch, input)?;
    }
    Ok(())
}

fn operation(input: &mut Unstructured<'_>) -> arbitrary::Result<Op> {
    Ok(match input.int_in_range(0..=25)? {
        0 => Op::Flatten,
        1 => Op::Dense { outputs: input.int_in_range(0..=7)? },
        2..=4 => Op::Conv {
            channels: *input.choose(&[3, 1, 2, 0, 4, 8, 19, 24])?,
            kernel: input.int_in_range(0..=5)?,
            stride: input.int_in_range(0..=3)?,
            padding: Padding::Explicit(input.int_in_range(0..=4)?),
            groups: 1,
            bias: input.arbitrary()?,
        },
        5 => Op::BATCH_NORM,
        6 => Op::MaxPool {
            size: input.int_in_range(0..=3)?,
            stride: input.int_in_range(0..=3)?,
            padding: Padding::Explicit(0),
        },
        7 => Op::AvgPool {
            size: input.int_in_range(0..=3)?,
            stride: input.int_in_range(0..=3)?,
            padding: Padding::Explicit(0),
        },
        8 => Op::GlobalAvgPool,
        9 => Op::Relu,
        // Seeds go by these numbers: a new operation takes the next.
        10 | 11 => Op::Add,
        12 => Op::Swish,
        13 | 14 => Op::Conv {
            channels: *input.choose(&[3, 1, 2, 6, 8])?,
            kernel: input.int_in_range(0..=5)?,
            stride: input.int_in_range(0..=3)?,
            padding: padding(input)?,
            groups: input.int_in_range(0..=3)?,
            bias: input.arbitrary()?,
        },
        15 => Op::BatchNorm(BatchNorm::EFFICIENT_NET),
        16 => Op::MaxPool {
            size: input.int_in_range(0..=3)?,
            stride: input.int_in_range(0..=3)?,
            padding: padding(input)?,
        },
        17 => Op::AvgPool {
            size: input.int_in_range(0..=3)?,
            stride: input.int_in_range(0..=3)?,
            padding: padding(input)?,
        },
        18 => *input.choose(&[Op::Relu6, Op::Sigmoid])?,
        19 => Op::Subsample { stride: input.int_in_range(0..=3)?, shift: input.int_in_range(0..=3)? },
        20 => Op::PadChannels { channels: input.int_in_range(0..=9)? },
        21 => Op::Concat,
        22 => Op::Scale,
        23 => Op::ShakeShake,
        24 => Op::ShakeDrop { keep: f64::from(input.int_in_range(0..=4u8)?) / 4.0 },
        _ => {
            let rate = f64::from(input.int_in_range(0..=4u8)?) / 4.0;
            *input.choose(&[Op::Dropout { rate }, Op::DropConnect { rate }])?
        }
    })
}

fn padding(input: &mut Unstructured<'_>) -> arbitrary::Result<Padding> {
    Ok(match input.int_in_range(0..=5)? {
        5 => Padding::Same,
        padding => Padding::Explicit(padding),
    })
}

/// Whether a network may have the operation, which may be one of [`MOST_SCALES`].
fn is_spare(op: &Op, scales: &mut Range<usize>) -> bool {
    !matches!(op, Op::Scale) || scales.next().is_some()
}

fn described(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let image =
        ImageShape::new(input.int_in_range(0..=7)?, input.int_in_range(0..=7)?, input.int_in_range(0..=3)?);
    let batch = input.int_in_range(0..=10)?;
    let mut ops = Vec::new();
    for _ in 0..input.int_in_range(0..=7)? {
        ops.push((operation(input)?, [input.int_in_range(0..=7)?, input.int_in_range(0..=7)?]));
    }
    let mut scales = 0..MOST_SCALES;
    ops.retain(|(op, _)| is_spare(op, &mut scales));
    // For whoever looks into a crash.
    if std::env::var_os("SAM_FUZZ_SHOW").is_some() {
        eprintln!("{image}, batch {batch}: {ops:#?}");
    }
    let description = Description::new(image, CLASSES, |graph| {
        let mut last = Tensor::INPUT;
        for (i, (op, inputs)) in ops.iter().enumerate() {
            // Mostly a chain; sometimes from further back, or from what is not there.
            let from = |choice: usize| if choice < 6 { last } else { Tensor(choice - 6 + i / 2) };
            let inputs = inputs.map(from);
            last = graph.push(Name::numbered("op", i), *op, &inputs[..*op.arity().start()])?;
        }
        graph.chain(last, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes: CLASSES })])
    });
    if let Ok(description) = description
        && let Ok(network) = Network::<f32>::build(&description, batch, 1)
    {
        compute(network, image, batch, input)?;
    }
    Ok(())
}

/// Operations that fit, on any tensors before them, and logits of all that nothing read.
fn wired(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let image =
        ImageShape::new(input.int_in_range(1..=5)?, input.int_in_range(1..=5)?, input.int_in_range(1..=3)?);
    let samples = input.int_in_range(1..=10)?;
    let mut wiring = Wiring::new(image);
    // Behind a convolution the gradients of all tensors count.
    if input.arbitrary()? {
        wiring.push(
            Op::Conv {
                channels: 3,
                kernel: 1,
                stride: 1,
                padding: Padding::Explicit(0),
                groups: 1,
                bias: true,
            },
            &[Tensor::INPUT],
        );
    }
    let (mut pairs, mut scales) = (0, 0..MOST_SCALES);
    for _ in 0..input.int_in_range(1..=12)? {
        let op = operation(input)?;
        let mut tensor = || -> arbitrary::Result<Tensor> {
            // Half of the time the last.
            let back = input.int_in_range(0..=9_usize)?.saturating_sub(4);
            Ok(Tensor(wiring.last().0.saturating_sub(back)))
        };
        let inputs = [tensor()?, tensor()?];
        let inputs = &inputs[..*op.arity().start()];
        let shapes: Vec<ImageShape> = inputs.iter().map(|&input| wiring.shape(input)).collect();
        let Ok(own) = op.signature(&shapes) else { continue };
        let more = own.multiply_adds.saturating_mul(samples as u64);
        if pairs + more <= MOST_PAIRS && is_spare(&op, &mut scales) && wiring.push(op, inputs).is_some() {
            pairs += more;
        }
    }
    let wiring = close(wiring).with_random(RANDOM.key, true);
    if std::env::var_os("SAM_FUZZ_SHOW").is_some() {
        eprintln!("{samples} samples: {}", wiring.text());
    }
    assert_as_defined(&wiring, samples, input.arbitrary()?);
    let network = Network::build(&wiring.description().expect("operations that fit"), samples, 1);
    compute(network.expect("a small network"), image, samples, input)
}

/// Asserts that losses and gradients are those of the definition, several times over; then the logits.
fn assert_as_defined(wiring: &Wiring, samples: usize, seed: u64) {
    let image = wiring.image();
    let network = Network::<f64>::build(&wiring.description().expect("operations that fit"), samples, 1);
    let mut network = network.expect("a small network");
    let mut noise = noise(seed);
    let shape = (samples, image.height, image.width, image.channels);
    let images = Array4::from_shape_simple_fn(shape, || noise.next().unwrap_or_default());
    let pixels: Vec<f64> = images.iter().copied().collect();
    let labels: Vec<u16> = (0..samples).map(|i| (i % CLASSES) as u16).collect();
    let w: Vec<f64> = noise.take(wiring.parameters()).map(|n| 0.8 * n + 0.05).collect();
    let (loss, gradient) = wiring.gradient(&w, &pixels, &labels, 0.0);
    let statistics = wiring.follow(&w, network.statistics(), &pixels);

    network.set_random(Some(RANDOM));
    network.set_batch(images.view(), &labels).expect("a batch of the network's own shape");
    for pass in [Pass::Clean, Pass::Perturbed, Pass::Perturbed] {
        let mut found = vec![f64::NAN; w.len()];
        let found_loss = network.gradient(&w, &mut found, pass).expect("lengths that agree");
        assert_near(&[found_loss], &[loss], "the loss");
        assert_near(&found, &gradient, "the gradient");
    }
    assert_near(network.statistics(), &statistics, "the running statistics");
    let mut found = Array2::from_elem([samples, CLASSES], f64::NAN);
    network.logits(&w, images.view(), found.view_mut()).expect("images of the network's own shape");
    let found: Vec<f64> = found.into_iter().collect();
    assert_near(&found, &wiring.logits(&w, &statistics, &pixels), "the logits");
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    let largest = expected.iter().fold(1e-3_f64, |m, x| m.max(x.abs()));
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * largest;
    assert!(found.iter().zip(expected).all(near), "{what}: {found:?}, by definition {expected:?}");
}

/// Both passes and an evaluation with arbitrary weights and pixels: NaN may come out, a panic may not, and with finite
/// losses and gradients the same bits the second time.
fn compute(
    mut network: Network<f32>,
    image: ImageShape,
    batch: usize,
    input: &mut Unstructured<'_>,
) -> arbitrary::Result<()> {
    let wild: bool = input.ratio(1, 4)?;
    let mut number = |ordinary: f32| -> f32 {
        match input.arbitrary::<u8>() {
            Ok(byte) if !wild => ordinary + f32::from(byte) / 1024.0,
            Ok(_) => input.arbitrary().map_or(ordinary, f32::from_bits),
            Err(_) => ordinary,
        }
    };
    let samples = batch.max(1);
    let images =
        Array4::from_shape_simple_fn((samples, image.height, image.width, image.channels), || number(0.5));
    let mut w = network.initial_parameters(1);
    w.iter_mut().for_each(|w| *w = number(*w));
    let labels = vec![0; samples];
    network.set_random(Some(RANDOM));
    network.set_batch(images.view(), &labels).expect("a batch of the network's own shape");
    let mut runs = [(); 2].map(|()| {
        let mut g = vec![f32::NAN; w.len()];
        let loss = network.gradient(&w, &mut g, Pass::Perturbed).expect("lengths that agree");
        (loss, g)
    });
    let bits =
        |(loss, g): &(f64, Vec<f32>)| (loss.to_bits(), g.iter().map(|g| g.to_bits()).collect::<Vec<_>>());
    if runs.iter().all(|(loss, g)| loss.is_finite() && g.iter().all(|g| g.is_finite())) {
        assert_eq!(bits(&runs[0]), bits(&runs[1]));
        // ReLU makes 0 of a sum that overflowed below.
        assert!(
            wild || network.first_nonfinite_layer().is_none(),
            "a value that is not finite is hidden from the loss"
        );
    }
    let (_, g) = &mut runs[0];
    network.gradient(&w, g, Pass::Clean).expect("lengths that agree");
    network.evaluate(&w, images.view(), &labels).expect("images of the network's own shape");
    Ok(())
}
