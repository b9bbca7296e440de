//! Networks of any description: refused, or computed without a panic whatever the weights are.

use arbitrary::Unstructured;
use ndarray::Array4;
use sam_backend_ndarray::{Network, NetworkError};
use sam_core::{GradientOracle, Pass};
use sam_model::{Architecture, Graph, ImageShape, Name, Op, Tensor};

const CLASSES: usize = 3;
/// What is still computed.
const MOST_PARAMETERS: usize = 1 << 16;
const MOST_BYTES: u128 = 1 << 22;

/// Half of the inputs name an architecture and a shape, the others describe a network operation by operation.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let _ = if input.arbitrary().unwrap_or(false) { named(&mut input) } else { described(&mut input) };
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

fn described(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let small = |input: &mut Unstructured<'_>| input.int_in_range(0..=7_usize);
    let image = ImageShape::new(small(input)?, small(input)?, input.int_in_range(0..=3)?);
    let batch = input.int_in_range(0..=10)?;
    let mut ops = Vec::new();
    for _ in 0..input.int_in_range(0..=7)? {
        let op = match input.int_in_range(0..=8)? {
            0 => Op::Flatten,
            1 => Op::Dense { outputs: small(input)? },
            2 | 3 => Op::Conv {
                channels: input.int_in_range(0..=20)?,
                kernel: input.int_in_range(0..=4)?,
                stride: input.int_in_range(0..=3)?,
                padding: input.int_in_range(0..=3)?,
                bias: input.arbitrary()?,
            },
            4 => Op::BatchNorm,
            5 => Op::MaxPool { size: input.int_in_range(0..=3)?, stride: input.int_in_range(0..=3)? },
            6 => Op::AvgPool { size: input.int_in_range(0..=3)?, stride: input.int_in_range(0..=3)? },
            7 => Op::Add,
            _ => Op::Relu,
        };
        ops.push((op, [input.int_in_range(0..=7)?, input.int_in_range(0..=7)?]));
    }
    // For whoever looks into a crash.
    if std::env::var_os("SAM_FUZZ_SHOW").is_some() {
        eprintln!("{image}, batch {batch}: {ops:#?}");
    }
    let describe = |graph: &mut sam_backend_ndarray::Description| -> Result<Tensor, NetworkError> {
        let mut last = Tensor::INPUT;
        for (i, (op, inputs)) in ops.iter().enumerate() {
            // Mostly a chain; sometimes from further back, or from what is not there.
            let from = |choice: usize| if choice < 6 { last } else { Tensor(choice - 6 + i / 2) };
            let inputs = inputs.map(from);
            let inputs = if *op == Op::Add { &inputs[..] } else { &inputs[..1] };
            last = graph.push(Name::numbered("op", i), *op, inputs)?;
        }
        last = graph.push(Name::new("pool"), Op::GlobalAvgPool, &[last])?;
        graph.push(Name::new("head"), Op::Classify { classes: CLASSES }, &[last])
    };
    if let Ok(network) = Network::<f32>::build(image, CLASSES, batch, 1, describe) {
        compute(network, image, batch, input)?;
    }
    Ok(())
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
