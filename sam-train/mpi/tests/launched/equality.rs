//! The same weights, bit for bit, for any number of ranks and any MPI: those of one process without one.

use std::path::Path;

use sam_train::{
    data::DataSource,
    experiment::train::{RunDirectory, train},
    interrupt::Interrupt,
    observer::Host,
    training::{
        config::{Config, Machine},
        cpu::CpuLearner,
        nonfinite::OnNonFinite,
        settings::{LastBatch, Method, Settings},
    },
};

use super::launch::{example, is_open_mpi, launcher, start, start_sam};

/// A network, whether each group climbs by itself, groups that a batch is cut into, and the numbers of ranks that are tried.
type Row = (&'static str, Mode, usize, &'static [usize]);

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// An eps-hat each.
    PerGroup,
    /// One of the whole batch.
    Whole,
}
use Mode::{PerGroup, Whole};

const TABLE: &[Row] = &[
    ("mlp-32", PerGroup, 4, &[1, 2, 4]),
    ("mlp-32", Whole, 4, &[2, 4]),
    ("mlp-32", Whole, 8, &[8]),
    ("lenet", PerGroup, 4, &[2, 4]),
    ("lenet", Whole, 8, &[8]),
    ("wrn-10-1", PerGroup, 4, &[2, 4]),
    ("wrn-10-1", PerGroup, 8, &[8]),
    ("wrn-10-1", Whole, 4, &[1, 2, 4]),
    ("shake-shake-8-2x4d", PerGroup, 4, &[2, 4]),
    ("shake-shake-8-2x4d", PerGroup, 8, &[8]),
];
/// Under another MPI than Open MPI the messages are the same.
const SHORT_TABLE: &[Row] =
    &[("mlp-32", Whole, 4, &[2]), ("wrn-10-1", PerGroup, 4, &[1, 2, 4]), ("mlp-32", PerGroup, 8, &[8])];

impl Mode {
    fn method(self, groups: usize) -> Method {
        match self {
            PerGroup => Method::MSharpness { rho: 0.1, m: BATCH / groups },
            Whole => Method::sam(0.1),
        }
    }

    /// The same for the command.
    fn flags(self, groups: usize) -> Vec<String> {
        let groups_flag = ["--groups".to_owned(), groups.to_string()];
        let method = match self {
            PerGroup => vec!["--optimizer", "m-sharpness", "--m"],
            Whole => vec!["--optimizer", "sam"],
        };
        let m = matches!(self, PerGroup).then(|| (BATCH / groups).to_string());
        method.into_iter().map(str::to_owned).chain(m).chain(groups_flag).collect()
    }
}

const BATCH: usize = 64;
/// Two epochs of three steps, the last with a smaller batch.
const FLAGS: &[&str] = &[
    "--limit",
    "138",
    "--batch",
    "64",
    "--last-batch",
    "keep",
    "--epochs",
    "2",
    "--augment",
    "basic",
    "--rho",
    "0.1",
    "--threads",
    "1",
    "--json",
];

/// What one process without MPI comes to.
fn in_this_process(model: &str, method: Method, groups: usize, directory: &Path) -> String {
    let mut settings = Settings::new(model.parse().unwrap(), DataSource::Digits, method);
    (settings.epochs, settings.batch, settings.last_batch) = (2, BATCH.into(), LastBatch::Keep);
    settings.data.limit = Some(138);
    settings.data.augment = sam_train::data::Augment::Basic;
    settings.groups = Some(groups);
    let data = settings.data.load(None).unwrap().dataset;
    let learner = CpuLearner::new(&settings, data.shape, data.classes, 1).unwrap();
    let config =
        Config { on_nonfinite: OnNonFinite::Stop, recipe: None, machine: Machine::cpu(1), run: settings };
    let interrupt = Interrupt::default();
    let host = Host::quiet(&interrupt);
    let result = train(&RunDirectory::new(directory), &config, &data, Box::new(learner), host).unwrap();
    serde_json::to_value(result).unwrap()["weights_sha256"].as_str().unwrap().to_owned()
}

#[test]
fn sums_in_the_background_have_the_bits_of_sums_at_once() {
    let program = example("sums");
    for size in ["2", "4"] {
        let ended = start(&launcher(), &["-n", size, program.to_str().unwrap()]).end();
        assert_eq!(ended.code, Some(0), "{size} ranks: {ended:?}");
    }
}

#[test]
fn networks_end_in_the_bits_of_one_process_on_any_number_of_ranks() {
    let table = if is_open_mpi(&launcher()) { TABLE } else { SHORT_TABLE };
    let directory = tempfile::tempdir().unwrap();
    for (row, &(model, mode, groups, sizes)) in table.iter().enumerate() {
        let flags = mode.flags(groups);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let alone = directory.path().join(format!("{row}"));
        let expected = in_this_process(model, mode.method(groups), groups, &alone);
        for (number, &size) in sizes.iter().enumerate() {
            // Each with the other in half of the rows.
            let shard_states = if (row + number).is_multiple_of(2) { ["on", "off"] } else { ["off", "on"] };
            for (overlap, shard_state) in ["on", "off"].into_iter().zip(shard_states) {
                let out = directory.path().join(format!("{row}-{size}-{overlap}"));
                let place = ["train", "--model", model, "--out", out.to_str().unwrap()];
                let machine = ["--overlap", overlap, "--shard-state", shard_state];
                let ended = start_sam(size, &[&place[..], &machine, &flags, FLAGS].concat()).end();
                assert_eq!(ended.weights(), expected, "{model} {flags:?} on {size} ranks, {machine:?}");
                // One of them speaks.
                assert_eq!(ended.stderr.matches("epoch 2/2").count(), 1, "{}", ended.stderr);
            }
        }
    }
}

#[test]
fn an_experiment_makes_the_runs_of_one_process_and_one_rank_speaks() {
    let directory = tempfile::tempdir().unwrap();
    let weights = |ranks: usize| {
        let out = directory.path().join(format!("{ranks}"));
        let place = ["compare", "--out", out.to_str().unwrap(), "--json"];
        let length = ["--limit", "64", "--epochs", "1", "--seeds", "2", "--threads", "1"];
        let network = ["--model", "mlp-8", "--label-noise", "0"];
        let ended = start_sam(ranks, &[&place[..], &network, &length].concat()).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
        let runs = std::fs::read_to_string(out.join("runs.jsonl")).unwrap();
        let hash = |line: &str| -> String {
            let run: serde_json::Value = serde_json::from_str(line).unwrap();
            run["weights_sha256"].as_str().unwrap().to_owned()
        };
        let mut hashes: Vec<String> = runs.lines().map(hash).collect();
        hashes.sort();
        hashes
    };
    let expected = weights(1);
    // SGD, SGD of twice the epochs and SAM.
    assert_eq!(expected.len(), 6);
    assert_eq!(weights(4), expected);
}
