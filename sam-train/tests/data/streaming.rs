//! Images that are left in their file are the same images.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use proptest::prelude::*;
use sam_train::data::{Augment, BatchMaker, DataError, DataSource, Dataset, Pixels, idx::read_images};

const HEADER: usize = 16;

/// The digits, and the same with the training images left in a file of `directory`.
fn both(directory: &Path) -> (Dataset, Dataset) {
    let memory = DataSource::Digits.load(None, None).unwrap();
    let pixels = memory.train.pixels.all().unwrap();
    let path = directory.join("images");
    fs::write(&path, [&[0; HEADER], &*pixels].concat()).unwrap();
    let mut file = memory.clone();
    file.train.pixels = Pixels::in_file(&path, HEADER as u64, pixels.len() as u64).unwrap();
    (memory, file)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn batches_from_a_file_have_the_bits_of_batches_from_memory(
        chosen in prop::collection::vec(0..1200_usize, 1..40),
        augment in prop_oneof![Just(Augment::None), Just(Augment::Basic), Just(Augment::Cutout)],
        epoch in 0..5_u64,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (memory, file) = both(directory.path());
        let batch = |dataset: &Dataset| -> Vec<u32> {
            let mut batches = BatchMaker::new(dataset, chosen.len()).unwrap();
            batches.train(&chosen, augment, 3, epoch).unwrap().iter().map(|value| value.to_bits()).collect()
        };
        prop_assert_eq!(batch(&file), batch(&memory));
        prop_assert_eq!(
            file.train.subset(chosen.iter().copied()).unwrap(),
            memory.train.subset(chosen.iter().copied()).unwrap()
        );
    }
}

#[test]
fn everything_that_reads_a_set_sees_the_same_images() {
    let directory = tempfile::tempdir().unwrap();
    let (mut memory, mut file) = both(directory.path());
    for limit in [1200, 700, 1] {
        memory.train.truncate(limit);
        file.train.truncate(limit);
        assert_eq!(file.train.pixels.len(), limit * 64);
        assert_eq!(file.fingerprint().unwrap(), memory.fingerprint().unwrap());
        assert_eq!(file.train.pixels.all().unwrap(), memory.train.pixels.all().unwrap());
        let visited = |dataset: &Dataset| {
            let mut values = Vec::new();
            let visit = BatchMaker::new(dataset, 500).unwrap().visit(&dataset.train, |images, _| {
                values.extend(images.iter().map(|value| value.to_bits()));
                Ok::<_, DataError>(())
            });
            visit.unwrap();
            values
        };
        assert_eq!(visited(&file), visited(&memory));
    }
}

#[test]
fn a_file_that_is_shortened_while_it_is_used_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_, file) = both(directory.path());
    let mut batches = BatchMaker::new(&file, 2).unwrap();
    let path = directory.path().join("images");
    OpenOptions::new().write(true).open(&path).unwrap().set_len(1000).unwrap();
    let error = batches.train(&[3, 1199], Augment::None, 0, 0).unwrap_err();
    assert!(matches!(&error, DataError::Truncated { expected: 76_816, found: 1000, .. }), "{error}");
    assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    assert!(file.fingerprint().is_err());
}

/// A million and more records: the file is sparse, so that it takes no room on the disk.
#[test]
fn a_large_file_stays_where_it_is_and_a_wrong_length_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("images");
    let (count, side) = (1_100_000_u64, 16_u64);
    let mut file = fs::File::create(&path).unwrap();
    let dims = [count as u32, side as u32, side as u32].map(u32::to_be_bytes);
    file.write_all(&[&[0, 0, 8, 3], dims.as_flattened()].concat()).unwrap();
    let len = HEADER as u64 + count * side * side;
    file.set_len(len).unwrap();
    file.seek(SeekFrom::Start(len - 1)).unwrap();
    file.write_all(&[9]).unwrap();

    let images = read_images(&path).unwrap();
    assert_eq!((images.count, images.height, images.width), (1_100_000, 16, 16));
    assert!(matches!(images.pixels, Pixels::File(_)));
    let mut buffer = Vec::new();
    let last = images.pixels.len() - 256;
    let last = images.pixels.get(last..last + 256, &mut buffer).unwrap();
    assert_eq!((last[0], last[255]), (0, 9));

    file.set_len(len + 1).unwrap();
    assert!(matches!(read_images(&path), Err(DataError::TooLong { expected, .. }) if expected == len));
    file.set_len(len - 1).unwrap();
    assert!(matches!(read_images(&path), Err(DataError::Truncated { found, .. }) if found == len - 1));
}
