//! Trains the same network with SGD and with SAM around burn's own SGD, from the same weights on the same batches.
//!
//! ```sh
//! cargo run --release                            # digits, 20 epochs
//! cargo run --release -- fashion-mnist 5 10000   # data set, epochs, training images
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig, momentum::MomentumConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::ArrayView4;
use sam_core::{CountingOracle, FnOracle, Outcome, Plain, Rule, Sam, Schedule, Unseen};
use sam_on_burn::{Base, BurnSpace, network::ConvNet};
use sam_train::data::{Augment, BatchMaker, DataSource, Dataset, epoch_order};

const BATCH: usize = 32;
const RATE: f64 = 0.02;
const RHO: f64 = 0.05;
const SEED: u64 = 1;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let source: DataSource = arguments.next().as_deref().unwrap_or("digits").parse()?;
    let mut number = |what| match arguments.next() {
        Some(text) => {
            text.parse().map(Some).map_err(|_| format!("expected a number of {what}, found {text}"))
        }
        None => Ok(None),
    };
    let epochs = number("epochs")?.unwrap_or(20);
    let images = number("training images")?;
    let data = source.load(None, images.map(|images: u64| images as usize))?;
    let device = Device::default().autodiff();
    device.seed(SEED);
    let shape = [data.shape.height, data.shape.width, data.shape.channels];
    // Parameters are initialised when they are first used: now, so that every run starts from the same.
    let start = ConvNet::new(shape, data.classes, &device).materialize();
    println!("{}: {} training images, batches of {BATCH}", data.name, data.train.len());
    println!("method  epochs  gradients  last loss  test error (%)  seconds");
    // SAM's step costs two gradients, so SGD may take twice the epochs.
    for (method, epochs) in [("SGD", epochs), ("SGD", 2 * epochs), ("SAM", epochs)] {
        let began = Instant::now();
        let Run { gradients, loss, error } = train(&data, start.clone(), &device, method == "SAM", epochs)?;
        let seconds = began.elapsed().as_secs_f64();
        println!("{method}     {epochs:6}  {gradients:9}  {loss:9.4}  {error:14.2}  {seconds:7.1}");
    }
    Ok(())
}

struct Run {
    gradients: u64,
    loss: f32,
    error: f64,
}

/// A batch as burn's convolutions take it: channels before pixels.
fn tensors(images: ArrayView4<'_, f32>, labels: &[u16], device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let (samples, height, width, channels) = images.dim();
    let values: Vec<f32> = images.permuted_axes([0, 3, 1, 2]).iter().copied().collect();
    let labels: Vec<i64> = labels.iter().map(|&label| label.into()).collect();
    (
        Tensor::from_data(TensorData::new(values, [samples, channels, height, width]), device),
        Tensor::from_data(TensorData::new(labels, [samples]), device),
    )
}

fn base() -> Base {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    Base { optimizer: SgdConfig::new().with_momentum(Some(momentum)).init(), rate: RATE }
}

fn train(
    data: &Dataset,
    start: ConvNet,
    device: &Device,
    sharp: bool,
    epochs: u64,
) -> Result<Run, Box<dyn Error>> {
    let mut w = start;
    let mut g = GradientsParams::new();
    let mut sam = Sam::new(BurnSpace::new(&w)?, Rule::l2(RHO), base());
    let mut plain = Plain::new(BurnSpace::new(&w)?, base());
    let criterion = CrossEntropyLossConfig::new().init(device);
    let mut batches = BatchMaker::new(data, BATCH)?;
    let steps = data.train.len().div_ceil(BATCH) as u64;
    let schedule = Schedule::cosine(RATE);
    let mut run = Run { gradients: 0, loss: 0.0, error: 0.0 };
    for epoch in 0..epochs {
        for (i, chosen) in epoch_order(SEED, epoch, data.train.len()).chunks(BATCH).enumerate() {
            let labels: Vec<u16> = chosen.iter().map(|&i| data.train.labels[i]).collect();
            let (images, labels) =
                tensors(batches.train(chosen, Augment::None, SEED, epoch)?, &labels, device);
            let mut oracle = CountingOracle::new(FnOracle(|w: &ConvNet, g: &mut GradientsParams, _| {
                let loss = criterion.forward(w.forward(images.clone()), labels.clone());
                *g = GradientsParams::from_grads(loss.backward(), w);
                // A handle: reading the number would wait for the device.
                Ok::<_, Infallible>(Unseen(loss))
            }));
            let rate = schedule.rate(epoch * steps + i as u64, epochs * steps);
            (sam.base.rate, plain.base.rate) = (rate, rate);
            let (loss, outcome) = if sharp {
                let step = sam.step(&mut w, &mut g, &mut oracle)?;
                (step.clean, step.outcome)
            } else {
                let step = plain.step(&mut w, &mut g, &mut oracle)?;
                (step.loss, step.outcome)
            };
            if let Outcome::NonFinite(pass) = outcome {
                return Err(format!("the {pass} gradient of epoch {epoch}, step {i} is not finite").into());
            }
            run.gradients += oracle.total();
            if i as u64 == steps - 1 {
                run.loss = loss.0.try_into_scalar()?;
            }
        }
    }
    let (model, device) = (w.valid(), Device::default());
    let mut wrong = 0;
    batches.visit(&data.test, |images, labels| {
        let count = labels.len();
        let (images, labels) = tensors(images, labels, &device);
        let found = model.forward(images).argmax(1).reshape([count]);
        let right: i64 = found.equal(labels).int().sum().try_into_scalar()?;
        wrong += count - usize::try_from(right).expect("a count is not negative");
        Ok::<_, Box<dyn Error>>(())
    })?;
    run.error = 100.0 * wrong as f64 / data.test.len() as f64;
    Ok(run)
}
