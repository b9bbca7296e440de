//! `sam info`.

use std::{env, thread};

use clap::Args;
use serde_json::json;

use super::{Call, columns, output::print};
use crate::{
    data::DataSource,
    experiment::ExperimentError,
    report::result_file::MachineFacts,
    training::{
        backend::{Backend, BackendName},
        memory,
    },
};

/// What this machine has and this program uses of it: processor, memory, GPU, data sets.
#[derive(Debug, Clone, Args)]
pub struct InfoArgs {}

/// Where facts stand behind their names.
const FACTS: usize = 15;

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when stdout cannot be written.
pub fn run(call: Call<'_>) -> Result<(), ExperimentError> {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let machine = MachineFacts::here(cores);
    let processor = machine.processor.unwrap_or_else(|| "unknown".to_owned());
    let arithmetic = sam_backend_ndarray::arithmetic();
    let memory = memory::available().map(|bytes| bytes >> 20);
    let gpu = Backend::open(BackendName::Cuda, 1).map(drop).map_err(|error| error.to_string());
    let sets: Vec<(String, Result<(), String>)> = DataSource::NAMED
        .iter()
        .map(|source| {
            let found = source.load(None, Some(1)).map(drop).map_err(|error| error.to_string());
            (source.name().to_owned(), found)
        })
        .collect();
    let found = |found: &Result<(), String>| found.is_ok();
    if call.as_json {
        let sets: serde_json::Map<_, _> =
            sets.iter().map(|(name, there)| (name.clone(), found(there).into())).collect();
        print(json!({
            "kind": "info", "version": env!("CARGO_PKG_VERSION"), "platform": machine.platform, "processor": processor,
            "cores": cores, "arithmetic": arithmetic, "available_mib": memory.map(|mib| mib as u64),
            "cuda": gpu.is_ok(), "data": sets,
        }))?;
        return Ok(());
    }
    let memory = memory.map_or("unknown".to_owned(), |mib| format!("{mib} MiB free"));
    let gpu = gpu.map_or_else(|error| format!("none ({error})"), |()| "there: --backend cuda".to_owned());
    let platform = format!("{}, {}", env!("CARGO_PKG_VERSION"), machine.platform);
    let processor = format!("{processor}, {cores} cores, {arithmetic}");
    let facts = [("sam", platform), ("processor", processor), ("memory", memory), ("GPU", gpu)];
    for (name, fact) in facts {
        let beside = columns::of_stdout().map(|columns| columns.saturating_sub(FACTS).max(FACTS));
        let fact = columns::wrapped(&fact, beside, 0).replace('\n', &format!("\n{:FACTS$}", ""));
        print(format_args!("{name:<14} {fact}"))?;
    }
    let data_dir = env::var("SAM_DATA").unwrap_or_else(|_| "not set".to_owned());
    print(format_args!("SAM_DATA       {data_dir}"))?;
    for (name, there) in &sets {
        print(format_args!("{name:<14} {}", if found(there) { "found" } else { "not found" }))?;
    }
    Ok(())
}
