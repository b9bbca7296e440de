//! Trains a network with the engine, follows the run by an observer of its own, and can be stopped and started again.
//!
//! `cargo run --release -p sam-train --example follow_a_run [DIRECTORY [EPOCHS]]`

use std::{env, error::Error};

use sam_train::{
    data::DataSource,
    experiment::train::{RunDirectory, train},
    interrupt::Interrupt,
    observer::{Event, Host, Observer, ObserverError},
    training::{
        backend::{Backend, BackendName},
        config::{Config, Machine},
        nonfinite::OnNonFinite,
        settings::{Method, Settings},
    },
};

/// Writes a line for each epoch; a program with a window would draw there.
struct Follower;

impl Observer for Follower {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event {
            Event::Begun { work, total, done } => {
                println!("{work}: {done} of {total} steps were done before");
            }
            Event::Epoch { metrics, epochs, .. } => {
                println!("epoch {} of {epochs}: training loss {:.4}", metrics.epoch, metrics.train_loss);
            }
            _ => {}
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = RunDirectory::new(arguments.next().unwrap_or_else(|| "runs/followed".to_owned()));
    let mut settings = Settings::new("mlp-32".parse()?, DataSource::Digits, Method::SAM);
    settings.epochs = arguments.next().map_or(Ok(5), |epochs| epochs.parse())?;
    let config =
        Config { on_nonfinite: OnNonFinite::Stop, recipe: None, machine: Machine::cpu(2), run: settings };

    let dataset = config.run.data.name.load(None, None)?;
    let backend = Backend::open(BackendName::Cpu, config.machine.threads)?;
    let learner = backend.learner(&config.run, dataset.shape, dataset.classes)?;
    // Another thread may call `interrupt.request()`: the run then ends with a checkpoint.
    let interrupt = Interrupt::default();
    let host = Host { interrupt: &interrupt, observer: &Follower };
    let result = train(&directory, &config, &dataset, learner, host)?;
    println!("{}", result.sentence());
    Ok(())
}
