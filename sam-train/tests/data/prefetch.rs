//! Batches made ahead are the batches that were asked for.

use std::fs;

use proptest::prelude::*;
use sam_train::data::{Augment, BatchMaker, DataError, DataSource, Dataset, Pixels, Prefetcher, epoch_order};

/// Large enough for a thread of their own, and a small one.
const BATCHES: [usize; 2] = [600, 16];

fn digits() -> Dataset {
    DataSource::Digits.load(None, None).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Steps as they come in training, and jumps to other steps and epochs as after a rollback; what is announced is
    /// what comes next, or something else, or nothing.
    #[test]
    fn whatever_was_announced_a_batch_is_the_one_that_is_taken(
        batch in prop::sample::select(BATCHES.to_vec()),
        walk in prop::collection::vec((0..3_u64, 0..2_usize, 0..4_u8), 1..12),
    ) {
        let digits = digits();
        let mut expected = BatchMaker::new(&digits, batch).unwrap();
        let maker = BatchMaker::new(&digits, batch).unwrap();
        let mut ahead = Prefetcher::new(maker, batch, Augment::Cutout, 9);
        for (i, &(epoch, step, announced)) in walk.iter().enumerate() {
            let order = epoch_order(9, epoch, 1200);
            let chunk = |step: usize| &order[step * batch..][..batch];
            let truly = walk.get(i + 1).filter(|next| next.0 == epoch).map(|next| chunk(next.1));
            let next = match announced {
                0 => None,
                1 => Some(chunk(1 - step)),
                _ => truly,
            };
            let found = ahead.take(epoch, chunk(step), next.map(Into::into)).unwrap();
            prop_assert_eq!(found, expected.train(chunk(step), Augment::Cutout, 9, epoch).unwrap());
        }
    }
}

#[test]
fn a_file_that_is_shortened_is_an_error_of_the_batch_that_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("images");
    let mut digits = digits();
    fs::write(&path, &*digits.train.pixels.all().unwrap()).unwrap();
    digits.train.pixels = Pixels::in_file(&path, 0, 1200 * 64).unwrap();
    let maker = BatchMaker::new(&digits, 2).unwrap();
    let mut ahead = Prefetcher::new(maker, 2, Augment::None, 0);
    fs::File::options().write(true).open(&path).unwrap().set_len(640).unwrap();
    assert!(ahead.take(0, &[0, 9], Some((&[3, 10]).into())).is_ok());
    for _ in 0..2 {
        let error = ahead.take(0, &[3, 10], None).unwrap_err();
        assert!(matches!(error, DataError::Truncated { found: 640, .. }), "{error}");
    }
    assert!(ahead.take(0, &[4, 5], None).is_ok(), "the images before the cut are still there");
}
