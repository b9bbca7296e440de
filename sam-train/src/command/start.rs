//! What is said before a run and after it.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::HumanDuration;

use super::terminal::{Terminal, note};
use crate::{
    data::Dataset,
    observer::{Event, Observer, ObserverError},
    report::counted,
    training::{batch_sizes::Timetable, config::Config, memory, settings::Settings},
};

/// Says what is about to be trained, once work begins: a run that is refused has said nothing. Soon after, how long it will take.
pub struct Banner<'a> {
    lines: [String; 3],
    terminal: &'a Terminal,
    forecast: Mutex<Option<Forecast>>,
}

impl<'a> Banner<'a> {
    /// What is trained on what, for how long, on what and to where, said in `terminal`.
    pub fn new(
        config: &Config,
        dataset: &Dataset,
        parameters: usize,
        directory: &Path,
        ranks: usize,
        terminal: &'a Terminal,
    ) -> Self {
        Self {
            lines: lines(config, dataset, parameters, directory, ranks),
            terminal,
            forecast: Mutex::new(None),
        }
    }
}

impl Observer for Banner<'_> {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        let mut forecast = self.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Begun { total, .. } if forecast.is_none() => {
                self.lines.iter().for_each(|line| self.terminal.line(line));
                *forecast = Some(Forecast { total: *total, first: None, told: false });
            }
            Event::Progress { done } => {
                let said = forecast.as_mut().and_then(|own| own.hear(*done, Instant::now()));
                // It stands above the bar or the curves, which are there by now.
                said.iter().for_each(|line| self.terminal.line(line));
            }
            _ => {}
        }
        Ok(())
    }
}

/// The time that steps take before anything is said of it, and the least that is worth saying.
const MEASURED: Duration = Duration::from_secs(3);
const WORTH: Duration = Duration::from_secs(30);

/// How long a run will take, by its first steps.
#[derive(Debug)]
struct Forecast {
    total: u64,
    /// When the first step was done, which also fills memory, and how many were then.
    first: Option<(Instant, u64)>,
    told: bool,
}

impl Forecast {
    /// What can be said once, when so many steps are done.
    fn hear(&mut self, done: u64, now: Instant) -> Option<String> {
        let &mut (start, before) = self.first.get_or_insert((now, done));
        let (taken, steps) = (now.saturating_duration_since(start), done.saturating_sub(before));
        if self.told || taken < MEASURED || steps == 0 {
            return None;
        }
        self.told = true;
        let left = taken.mul_f64(self.total.saturating_sub(done) as f64 / steps as f64);
        (left >= WORTH).then(|| {
            format!(
                "about {} to go, as fast as the last {}; evaluations come on top",
                HumanDuration(left),
                counted(steps as usize, "step")
            )
        })
    }
}

fn lines(
    config: &Config,
    dataset: &Dataset,
    parameters: usize,
    directory: &Path,
    ranks: usize,
) -> [String; 3] {
    let Config { machine, run, .. } = config;
    let Settings { model, epochs, batch, method, sgd, .. } = run;
    let shape = dataset.shape;
    let data = format!(
        "{}: {} to train on, {} {}, {}x{}x{} in {} classes",
        dataset.name,
        counted(dataset.train.len(), "image"),
        dataset.test.len(),
        run.data.evaluated_on().purpose(),
        shape.height,
        shape.width,
        shape.channels,
        dataset.classes
    );
    let rho = method.rho().map_or(String::new(), |rho| format!(" (rho {rho})"));
    let network =
        format!("{model}: {}; {}{rho}, lr {}", counted(parameters, "parameter"), run.procedure(), sgd.lr);
    let steps = Timetable::new(run, dataset.train.len()).total();
    let mebibytes = memory::of_run(config, dataset, ranks).div_ceil(1 << 20);
    let length = format!(
        "{} of batches of {batch}, {}, each of {} at most; {} on {}, at least {mebibytes} MiB; into {}",
        counted(*epochs, "epoch"),
        counted(steps, "step"),
        counted(run.gradients_per_step(), "gradient"),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of so many ms, and what was said when.
    fn heard(total: u64, ms: u64) -> Vec<(u64, String)> {
        let mut forecast = Forecast { total, first: None, told: false };
        let start = Instant::now();
        let said = |done| Some((done, forecast.hear(done, start + Duration::from_millis(done * ms))?));
        (1..=total).filter_map(said).collect()
    }

    #[test]
    fn the_time_to_expect_is_said_once_and_by_the_steps_behind_the_first() {
        assert_eq!(
            heard(7_204, 500),
            [(7, "about 60 minutes to go, as fast as the last 6 steps; evaluations come on top".to_owned())]
        );
        // Slow steps are told of after the second, and what ends soon is not worth a line.
        assert_eq!(heard(10, 60_000).len(), 1);
        assert!(heard(40, 500).is_empty());
    }
}
