//! What is said before a run and after it.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::terminal::note;
use crate::{
    data::Dataset,
    observer::{Event, Observer, ObserverError},
    report::counted,
    training::{batch_sizes::Timetable, config::Config, memory, settings::Settings},
};

/// Says what is about to be trained, once work begins: a run that is refused has said nothing.
pub struct Banner {
    lines: [String; 3],
    told: AtomicBool,
}

impl Banner {
    /// What is trained on what, for how long, on what and to where.
    pub fn new(config: &Config, dataset: &Dataset, parameters: usize, directory: &Path) -> Self {
        Self { lines: lines(config, dataset, parameters, directory), told: AtomicBool::new(false) }
    }
}

impl Observer for Banner {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        if matches!(event, Event::Begun { .. }) && !self.told.swap(true, Ordering::Relaxed) {
            self.lines.iter().for_each(note);
        }
        Ok(())
    }
}

fn lines(config: &Config, dataset: &Dataset, parameters: usize, directory: &Path) -> [String; 3] {
    let Config { machine, run, .. } = config;
    let Settings { model, epochs, batch, method, base, sgd, .. } = run;
    let shape = dataset.shape;
    let data = format!(
        "{}: {} to train on, {} to test on, {}x{}x{} in {} classes",
        dataset.name,
        counted(dataset.train.len(), "image"),
        dataset.test.len(),
        shape.height,
        shape.width,
        shape.channels,
        dataset.classes
    );
    let rho = method.rho().map_or(String::new(), |rho| format!(" (rho {rho})"));
    let base = if base.is_sgd() { String::new() } else { format!(" on {}", base.name()) };
    let network = format!(
        "{model}: {}; {}{rho}{base}, lr {}",
        counted(parameters, "parameter"),
        method.title(),
        sgd.lr
    );
    let steps = Timetable::new(run, dataset.train.len()).total();
    let mebibytes = memory::of_run(config, dataset).div_ceil(1 << 20);
    let length = format!(
        "{} of batches of {batch}, {}, each of {} gradients at most; {} on {}, at least {mebibytes} MiB; into {}",
        counted(*epochs, "epoch"),
        counted(steps, "step"),
        run.gradients_per_step(),
        machine.backend,
        counted(machine.threads, "thread"),
        directory.display()
    );
    [data, network, length]
}

/// Says what can be done with a run that has ended.
pub fn what_next(directory: &Path) {
    let run = directory.display();
    note(format_args!(
        "next: sam evaluate {run}, sam export {run} --out net.onnx, sam diff {run} OTHER, sam report {run}"
    ));
}
