//! Trains the same network with SGD and with SAM around candle's own SGD, from the same weights on the same batches.
//!
//! ```sh
//! cargo run --release                            # digits, 20 epochs
//! cargo run --release -- fashion-mnist 5 10000   # data set, epochs, training images
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Optimizer, SGD, VarBuilder, VarMap, loss::cross_entropy};
use ndarray::ArrayView4;
use sam_core::{CountingOracle, FnOracle, Gaussian, Outcome, Plain, Rule, Sam, Schedule};
use sam_on_candle::{Base, CandleSpace, network::ConvNet, parameters};
use sam_train::data::{Augment, BatchMaker, DataSource, Dataset, epoch_order};

const BATCH: usize = 32;
const RATE: f64 = 0.1;
const RHO: f32 = 0.05;
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
    let start = VarMap::new();
    network(&data, &start)?;
    initialize(&start)?;
    println!("{}: {} training images, batches of {BATCH}", data.name, data.train.len());
    println!("method  epochs  gradients  last loss  test error (%)  seconds");
    // SAM's step costs two gradients, so SGD may take twice the epochs.
    for (method, epochs) in [("SGD", epochs), ("SGD", 2 * epochs), ("SAM", epochs)] {
        let began = Instant::now();
        let Run { gradients, loss, error } = train(&data, &start, method == "SAM", epochs)?;
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

fn network(data: &Dataset, variables: &VarMap) -> candle_core::Result<ConvNet> {
    let shape = [data.shape.height, data.shape.width, data.shape.channels];
    let builder = VarBuilder::from_varmap(variables, DType::F32, &Device::Cpu);
    ConvNet::new(shape, data.classes, builder)
}

/// Weights by He et al. 2015, biases and logits zero. From a seed: candle's own CPU initialisers have none.
fn initialize(variables: &VarMap) -> candle_core::Result<()> {
    let map = variables.data().lock().expect("no thread panics while it holds the map");
    for (name, var) in map.iter() {
        let seed = name.bytes().fold(SEED, |seed, byte| seed.wrapping_mul(257).wrapping_add(byte.into()));
        let mut values = vec![0f32; var.elem_count()];
        if name.ends_with("weight") && !name.starts_with("head") {
            Gaussian::new(seed).fill(&mut values);
            let fan_in = var.elem_count() / var.dim(0)?;
            values.iter_mut().for_each(|value| *value *= (2.0 / fan_in as f32).sqrt());
        }
        var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
    }
    Ok(())
}

/// A batch as candle's convolutions take it: channels before pixels.
fn tensors(images: ArrayView4<'_, f32>, labels: &[u16]) -> candle_core::Result<(Tensor, Tensor)> {
    let (samples, height, width, channels) = images.dim();
    let values: Vec<f32> = images.permuted_axes([0, 3, 1, 2]).iter().copied().collect();
    let labels: Vec<u32> = labels.iter().map(|&label| label.into()).collect();
    Ok((
        Tensor::from_vec(values, (samples, channels, height, width), &Device::Cpu)?,
        Tensor::from_vec(labels, samples, &Device::Cpu)?,
    ))
}

fn train(data: &Dataset, start: &VarMap, sharp: bool, epochs: u64) -> Result<Run, Box<dyn Error>> {
    let variables = VarMap::new();
    let model = network(data, &variables)?;
    let mut w: Vec<Var> = parameters(&variables);
    for (to, from) in w.iter().zip(parameters(start)) {
        to.set(&from)?;
    }
    let mut g = Default::default();
    let mut sam = Sam::new(CandleSpace::new(&w)?, Rule::l2(RHO), Base(SGD::new(w.clone(), RATE)?));
    let mut plain = Plain::new(CandleSpace::<f32>::new(&w)?, Base(SGD::new(w.clone(), RATE)?));
    let mut batches = BatchMaker::new(data, BATCH)?;
    let steps = data.train.len().div_ceil(BATCH) as u64;
    let schedule = Schedule::cosine(RATE);
    let mut run = Run { gradients: 0, loss: 0.0, error: 0.0 };
    for epoch in 0..epochs {
        for (i, chosen) in epoch_order(SEED, epoch, data.train.len()).chunks(BATCH).enumerate() {
            let labels: Vec<u16> = chosen.iter().map(|&i| data.train.labels[i]).collect();
            let (images, labels) = tensors(batches.train(chosen, Augment::None, SEED, epoch)?, &labels)?;
            // The model's layers hold the variables of `w` itself.
            let mut oracle = CountingOracle::new(FnOracle(|_: &[Var], g: &mut _, _| {
                let loss = cross_entropy(&model.forward(&images)?, &labels)?;
                *g = loss.backward()?;
                loss.to_scalar::<f32>()
            }));
            let rate = schedule.rate(epoch * steps + i as u64, epochs * steps);
            sam.base.0.set_learning_rate(rate);
            plain.base.0.set_learning_rate(rate);
            let (loss, outcome) = if sharp {
                let step = sam.step(&mut w[..], &mut g, &mut oracle)?;
                (step.clean, step.outcome)
            } else {
                let step = plain.step(&mut w[..], &mut g, &mut oracle)?;
                (step.loss, step.outcome)
            };
            if let Outcome::NonFinite(pass) = outcome {
                return Err(format!("the {pass} gradient of epoch {epoch}, step {i} is not finite").into());
            }
            run.loss = loss;
            run.gradients += oracle.total();
        }
    }
    let mut wrong = 0;
    batches.visit(&data.test, |images, labels| {
        let (images, labels) = tensors(images, labels)?;
        let right = model.forward(&images)?.argmax(1)?.eq(&labels)?.to_dtype(DType::U32)?;
        wrong += labels.elem_count() - right.sum_all()?.to_scalar::<u32>()? as usize;
        Ok::<_, Box<dyn Error>>(())
    })?;
    run.error = 100.0 * wrong as f64 / data.test.len() as f64;
    Ok(run)
}
