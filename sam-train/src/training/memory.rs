//! Whether a run fits into memory, asked before anything is allocated: the system would end it halfway, or others. And
//! what it took.

use std::fs;

use sam_backend_ndarray::{Activations, Dual64, Network, Scalar, Size};
use sam_model::ImageShape;

use super::{
    config::Config,
    settings::{Method, Settings},
};
use crate::data::Dataset;

const WORD: u128 = size_of::<f32>() as u128;

/// A run needs more memory than there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`model` {model} needs at least {needed} MiB of memory with `batch` {batch}, {available} MiB are available; choose a \
     smaller model or batch, or for many runs fewer `threads`"
)]
pub struct NotEnough {
    model: String,
    batch: usize,
    needed: u128,
    available: u128,
}

/// Bytes that a run of `config` on `dataset` takes at least in a process of the machine, one of so many `ranks`, the pixels not counted:
/// its learner, if that is here, a checkpoint, and labels and order of the images.
pub fn of_run(config: &Config, dataset: &Dataset, ranks: usize) -> u128 {
    // The order of an epoch, the labels with their noise, and the learner's copy of them.
    const IMAGE: u128 = (size_of::<usize>() + 2 * size_of::<u16>()) as u128;
    let Config { machine, run, .. } = config;
    let Dataset { shape, classes, train, .. } = dataset;
    let spared =
        if machine.shard_state.shards(run, ranks) { in_shards(run, *shape, *classes, ranks) } else { 0 };
    let learner = machine.backend.on_host(of_learner(run, *shape, *classes).saturating_sub(spared));
    learner + of_checkpoint(run, *shape, *classes) + train.len() as u128 * IMAGE
}

/// Bytes that a learner on the CPU takes at least: weights, gradient, the base optimizer's buffers, the method's, averages, activations
/// with their gradients, and its batches. The layers' working memory comes on top.
pub fn of_learner(settings: &Settings, shape: ImageShape, classes: usize) -> u128 {
    // In use, ready, and being made.
    const BATCHES: u128 = 3;
    let size = size::<f32>(settings, shape, classes);
    let vectors =
        (2 + settings.base.buffers() + settings.method.buffers() + settings.average.count()) as u128;
    let batch = settings.batch.largest() as u128 * shape.len() as u128 * WORD;
    let of_method = match settings.method {
        Method::SecondOrderSam { .. } => of_dual_network(settings, shape, classes) + 4 * batch,
        _ => 0,
    };
    let mixed = if settings.mixup().is_some() { batch } else { 0 };
    // The gradient of the second labels, which the method that is mixup itself counts among its own vectors.
    let of_labels = u128::from(settings.data.mixup.is_some());
    let of_method = of_method + mixed;
    size.parameters as u128 * (vectors + of_labels) * WORD + size.buffer_bytes + BATCHES * batch + of_method
}

/// Bytes that a learner on the CPU is spared where ranks keep shards: of the base optimizer's buffers, the sums of gradients and the
/// perturbed weights they need a part; and as much as such a part for their own weights in a step. Groups that climb by
/// themselves have their perturbed weights whole.
fn in_shards(settings: &Settings, shape: ImageShape, classes: usize, ranks: usize) -> u128 {
    let parameters = size::<f32>(settings, shape, classes).parameters as u128;
    // Beside buffers: whole, what is counted as the gradient is one that is computed, or the sum of them.
    let (vectors, more) = match settings.method {
        Method::MSharpness { .. } => (settings.base.buffers() + 1, 1),
        method => (settings.base.buffers() + method.buffers(), 2),
    };
    (parameters * vectors as u128 * (ranks as u128 - 1)).saturating_sub(more * parameters) / ranks as u128
        * WORD
}

/// Bytes of a network in dual numbers of double precision, and of a product with its Hessian: weights and gradient as dual
/// numbers, weights, vector and product in double precision.
fn of_dual_network(settings: &Settings, shape: ImageShape, classes: usize) -> u128 {
    let size = size::<Dual64>(settings, shape, classes);
    let weight = 2 * size_of::<Dual64>() + 3 * size_of::<f64>();
    size.buffer_bytes + size.parameters as u128 * weight as u128
}

/// Bytes that writing a checkpoint takes: weights, the base optimizer's buffers and averages as numbers, as bytes, and in the file's order.
fn of_checkpoint(settings: &Settings, shape: ImageShape, classes: usize) -> u128 {
    let vectors = (1 + settings.base.buffers() + settings.average.count()) as u128;
    size::<f32>(settings, shape, classes).parameters as u128 * vectors * 3 * WORD
}

/// Bytes of memory that this process has held at most at a time (its largest resident set), which is less than it asked for
/// if the system has swapped. `None` where the system does not tell.
pub fn peak() -> Option<u64> {
    let bytes = kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")?;
    u64::try_from(bytes).ok()
}

/// Whether a network on the CPU keeps its activations.
pub const fn activations(settings: &Settings) -> Activations {
    if settings.checkpoint_activations { Activations::Recomputed } else { Activations::Kept }
}

/// Images that are too small for the network are an error of the network's own, later.
fn size<T: Scalar>(settings: &Settings, shape: ImageShape, classes: usize) -> Size {
    let batch = settings.at_once();
    let described = settings.describe(shape, classes);
    let size = described.map(|network| Network::<T>::size_of(&network, batch, activations(settings)));
    size.unwrap_or(Size { parameters: 0, buffer_bytes: 0 })
}

/// Makes sure that so many bytes are available now. Where that is unknown they are.
///
/// # Errors
/// [`NotEnough`] if they are not.
pub fn check(settings: &Settings, needed: u128) -> Result<(), NotEnough> {
    match available() {
        Some(available) if needed > available => Err(NotEnough {
            model: settings.model.to_string(),
            batch: settings.batch.largest(),
            needed: needed.div_ceil(1 << 20),
            available: available >> 20,
        }),
        _ => Ok(()),
    }
}

/// Bytes that this process can still get: the least of what the machine, its control groups and its own limit leave.
/// `None` where the system does not tell.
pub fn available() -> Option<u128> {
    let machine = || kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:");
    let own = || {
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let limit = field(&limits, "Max address space")?.parse::<u128>().ok()?;
        let used = kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")?;
        Some(limit.saturating_sub(used))
    };
    [machine(), own(), control_groups()].into_iter().flatten().min()
}

/// The least of what the process's control group (version 2) and the groups around it leave.
fn control_groups() -> Option<u128> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = std::path::Path::new("/sys/fs/cgroup");
    let own = root.join(path);
    let number = |file| fs::read_to_string(file).ok()?.trim().parse::<u128>().ok();
    own.ancestors()
        .take_while(|group| group.starts_with(root))
        .filter_map(|group| {
            Some(number(group.join("memory.max"))?.saturating_sub(number(group.join("memory.current"))?))
        })
        .min()
}

/// The first word behind `name` at the start of a line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

fn kibibytes(text: &str, name: &str) -> Option<u128> {
    Some(field(text, name)?.parse::<u128>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_tables_are_read() {
        let table = "MemTotal:       24576 kB\nMemAvailable:    1024 kB\n";
        assert_eq!(kibibytes(table, "MemAvailable:"), Some(1 << 20));
        assert_eq!(kibibytes(table, "MemFree:"), None);
        let limits = "Max address space         unlimited            unlimited            bytes\n";
        assert_eq!(field(limits, "Max address space"), Some("unlimited"));
        if cfg!(target_os = "linux") {
            let available = available().unwrap();
            assert!((1 << 20..1 << 50).contains(&available), "{available}");
        }
    }

    #[test]
    fn the_peak_counts_memory_that_was_written_to_and_is_given_back() {
        if !cfg!(target_os = "linux") {
            assert_eq!(peak(), None);
            return;
        }
        const LARGE: usize = 48 << 20;
        let before = peak().unwrap();
        let large = vec![1_u8; LARGE];
        assert_eq!(large.iter().filter(|&&byte| std::hint::black_box(byte) == 1).count(), LARGE);
        drop(large);
        let after = peak().unwrap();
        assert!(after >= before && after >= LARGE as u64, "{before}, {after}");
    }
}
