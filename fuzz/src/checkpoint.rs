//! The checkpoint reader on any bytes, and on files that fit their checksum.

use std::path::Path;

use arbitrary::Unstructured;
use sam_train::training::{
    checkpoint::{Checkpoint, RunPosition},
    history::HistoryMark,
    metrics::EpochMetrics,
    state::{State, Tensor},
};

/// A file that is read is written again as it was read; a state that is not finite is not read.
pub fn check(data: &[u8]) {
    let path = Path::new("c.safetensors");
    match Checkpoint::decode(path, data) {
        Ok(checkpoint) => {
            let again = checkpoint.encode(path).expect("what was read can be written");
            assert_eq!(Checkpoint::decode(path, &again).expect("and read again"), checkpoint);
        }
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("c.safetensors: ") && line.contains("expected"), "{line}");
        }
    }
    let Ok(made) = make(&mut Unstructured::new(data)) else { return };
    let sound =
        made.state.tensors.iter().all(|tensor| tensor.values.len() == tensor.shape.iter().product::<usize>());
    // What the format calls something else is no tensor's name.
    let distinct = |i: usize, name: &str| {
        name != "__metadata__" && !made.state.tensors[..i].iter().any(|other| other.name == name)
    };
    let distinct = made.state.tensors.iter().enumerate().all(|(i, tensor)| distinct(i, &tensor.name));
    let Ok(file) = made.encode(path) else {
        assert!(!sound || !distinct, "a sound state could not be written");
        return;
    };
    let finite = made.state.tensors.iter().flat_map(|tensor| &tensor.values).all(|value| value.is_finite());
    let position = &made.position;
    let rates = position.last.and_then(|last| last.images_per_s);
    let losses = position.last.map(|last| last.train_loss);
    let mut numbers = rates.into_iter().chain(losses).chain([position.loss_sum, position.seconds]);
    // Figures that describe the run are kept if they are numbers, and keep nobody from reading it if they are not.
    let kept = numbers.all(f64::is_finite);
    let readable = finite && distinct;
    match Checkpoint::decode(path, &file) {
        Ok(found) => assert!(readable && (found == made || !kept), "{found:?} instead of {made:?}"),
        Err(error) => assert!(!readable, "{error}"),
    }
    // Any single bit makes another file of it.
    if let (false, Some(&place)) = (file.is_empty(), data.last()) {
        let mut file = file;
        let at = usize::from(place) * 257 % file.len();
        file[at] ^= 1 << (place % 8);
        // Or the same one: the digits of \u001f may be capital.
        let found = Checkpoint::decode(path, &file);
        assert!(
            found.is_err() || !kept || found.is_ok_and(|found| found == made),
            "a flipped bit in byte {at} went unnoticed"
        );
    }
}

fn make(input: &mut Unstructured<'_>) -> arbitrary::Result<Checkpoint> {
    let mut tensors = Vec::new();
    for _ in 0..input.int_in_range(0..=3)? {
        let shape: Vec<usize> =
            (0..input.int_in_range(0..=3)?).map(|_| input.int_in_range(0..=4)).collect::<Result<_, _>>()?;
        let values = (0..shape.iter().product::<usize>())
            .map(|_| Ok(f32::from_bits(input.arbitrary()?)))
            .collect::<arbitrary::Result<_>>()?;
        tensors.push(Tensor { name: input.arbitrary()?, shape, values });
    }
    let last = match input.arbitrary()? {
        false => None,
        true => Some(EpochMetrics {
            epoch: input.arbitrary()?,
            train_loss: input.arbitrary()?,
            skipped: input.arbitrary()?,
            test_loss: input.arbitrary::<Option<f32>>()?.filter(|x| x.is_finite()).map(f64::from),
            test_error: None,
            lr: 0.1,
            images_per_s: input.arbitrary()?,
            ..EpochMetrics::default()
        }),
    };
    let position = RunPosition {
        settings: input.arbitrary()?,
        data: input.arbitrary()?,
        epochs: input.arbitrary()?,
        metrics: HistoryMark { lines: input.arbitrary()?, sha256: input.arbitrary()? },
        last,
        step: input.arbitrary()?,
        loss_sum: input.arbitrary()?,
        seconds: input.arbitrary()?,
        skipped: input.arbitrary()?,
        skipped_in_a_row: input.arbitrary()?,
        rollbacks: input.arbitrary()?,
        ..RunPosition::default()
    };
    Ok(Checkpoint { position, state: State { tensors } })
}
