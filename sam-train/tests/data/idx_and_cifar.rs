//! The data readers against bytes written by hand, and everything random about batches against its distribution.

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};
use sam_train::data::{
    Augment, BatchMaker, DataError, DataSource, Dataset, Standardizer,
    cifar::{CifarImages, CifarKind},
    epoch_order,
    idx::{parse_images, parse_labels},
    own::{FileSettings, read},
    replace_at_random,
};

/// Two images of 2 x 3 pixels.
const IMAGES: &[u8] =
    b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c";
/// Their labels, 7 and 2.
const LABELS: &[u8] = b"\0\0\x08\x01\0\0\0\x02\x07\x02";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn images_error(name: &str, bytes: &[u8]) -> DataError {
    parse_images(Path::new(name), bytes).unwrap_err()
}

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    // The content says what it is, whatever somebody has called it.
    let files = [
        ("images", IMAGES.to_vec()),
        ("images.gz", gzip(IMAGES)),
        ("images.gz", IMAGES.to_vec()),
        ("images", gzip(IMAGES)),
    ];
    for (name, bytes) in files {
        let images = parse_images(Path::new(name), &bytes).unwrap();
        assert_eq!((images.count, images.height, images.width), (2, 2, 3));
        assert_eq!(images.pixels.all().unwrap(), (1..=12).collect::<Vec<u8>>());
    }
    assert_eq!(parse_labels(Path::new("labels"), LABELS, 10).unwrap(), [7, 2]);
    assert_eq!(parse_labels(Path::new("labels.gz"), &gzip(LABELS), 8).unwrap(), [7, 2]);
}

#[test]
fn every_cut_of_an_idx_file_is_called_truncated() {
    for end in 0..IMAGES.len() {
        match images_error("cut", &IMAGES[..end]) {
            DataError::Truncated { expected, found, .. } => {
                assert_eq!(found, end as u64);
                assert_eq!(expected, [4, 16, 28].into_iter().find(|&e| e > found).unwrap());
            }
            other => panic!("cut at {end}: {other}"),
        }
    }
}

#[test]
fn no_cut_and_no_flipped_bit_of_a_gzip_file_gives_other_images() {
    let whole = gzip(IMAGES);
    for end in 0..whole.len() {
        assert!(parse_images(Path::new("cut.gz"), &whole[..end]).is_err(), "cut at {end}");
    }
    // A few bits carry nothing (time, system, padding of the last byte); all others are noticed.
    let original = parse_images(Path::new("whole.gz"), &whole).unwrap();
    let mut accepted = 0;
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(images) = parse_images(Path::new("flipped.gz"), &flipped) {
            assert_eq!(images, original, "bit {bit}");
            accepted += 1;
        }
    }
    assert!(accepted < 64, "{accepted} flipped bits went unnoticed");
}

#[test]
fn each_kind_of_broken_idx_file_has_its_error() {
    assert!(matches!(images_error("a", LABELS), DataError::Magic { expected: 0x803, found: 0x801, .. }));
    assert!(matches!(images_error("a", &[IMAGES, b"x"].concat()), DataError::TooLong { expected: 28, .. }));
    assert!(matches!(images_error("a.gz", b"<!"), DataError::NotGzip { found, .. } if found == "3c 21"));
    assert!(
        matches!(images_error("a.gz", b""), DataError::NotGzip { found, .. } if found == "an empty file")
    );
    let hostile = [&IMAGES[..4], &[0xff; 12]].concat();
    assert!(matches!(images_error("a", &hostile), DataError::Dimensions { .. }));
    let empty = [&IMAGES[..4], &[0; 12]].concat();
    assert!(matches!(images_error("a", &empty), DataError::Dimensions { dims, .. } if dims == [0, 0, 0]));
    // A header may claim 64 GiB: nothing is allocated for it.
    let claim = [&IMAGES[..4], b"\x00\x10\0\0\0\0\x01\0\0\0\x01\0", &[1; 99]].concat();
    assert!(matches!(images_error("a", &claim), DataError::Truncated { found: 115, .. }));
    let label = parse_labels(Path::new("labels"), LABELS, 7).unwrap_err();
    assert!(matches!(label, DataError::Label { position: 0, label: 7, classes: 7, .. }));
    assert_eq!(
        label.to_string(),
        "labels: expected labels of 0 to 6, found 7 at position 0; for files with other classes set `data` to the path of their folder"
    );
}

fn write_fashion(directory: &Path, files: [(&str, &[u8]); 4]) {
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).unwrap();
    }
}

#[test]
fn a_directory_of_idx_files_is_found_and_must_be_consistent() {
    let directory = tempfile::tempdir().unwrap();
    let load = || DataSource::FashionMnist.load(Some(directory.path()), None);
    assert!(matches!(load(), Err(DataError::NotFound { name: "fashion-mnist", .. })));
    fs::write(directory.path().join("train-images-idx3-ubyte"), IMAGES).unwrap();
    assert!(
        matches!(load(), Err(DataError::MissingFile { path, .. }) if path.ends_with("train-labels-idx1-ubyte"))
    );
    write_fashion(
        directory.path(),
        [
            ("train-images-idx3-ubyte", IMAGES),
            ("train-labels-idx1-ubyte", LABELS),
            ("t10k-images-idx3-ubyte", IMAGES),
            ("t10k-labels-idx1-ubyte.gz", &gzip(LABELS)),
        ],
    );
    let dataset = load().unwrap();
    assert_eq!((dataset.train.labels.as_slice(), dataset.test.len()), (&[7, 2][..], 2));
    let one_label = b"\0\0\x08\x01\0\0\0\x01\x07";
    fs::write(directory.path().join("train-labels-idx1-ubyte"), one_label).unwrap();
    assert!(matches!(load(), Err(DataError::Count { images: 2, labels: 1, .. })));
    fs::write(directory.path().join("train-labels-idx1-ubyte"), LABELS).unwrap();
    let turned = [&IMAGES[..8], b"\0\0\0\x03\0\0\0\x02", &IMAGES[16..]].concat();
    fs::write(directory.path().join("t10k-images-idx3-ubyte"), turned).unwrap();
    assert!(
        matches!(load(), Err(DataError::Shape { expected, found, .. }) if expected == "2x3" && found == "3x2")
    );
}

#[test]
fn of_several_files_for_one_name_the_newest_is_read_and_it_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let source = DataSource::FashionMnist;
    write_fashion(
        directory.path(),
        [
            ("train-images.idx3-ubyte", IMAGES),
            ("train-labels-idx1-ubyte", LABELS),
            ("t10k-images-idx3-ubyte", IMAGES),
            ("t10k-labels.idx1-ubyte", LABELS),
        ],
    );
    assert_eq!(source.load(Some(directory.path()), None).unwrap().train.labels, [7, 2]);
    assert_eq!(source.ambiguities(Some(directory.path())).unwrap(), [""; 0]);

    // An old packed file beside a newer unpacked one, and the other way round.
    let other = gzip(b"\0\0\x08\x01\0\0\0\x02\x01\x03");
    fs::write(at("train-labels-idx1-ubyte.gz"), &other).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for (outdated, labels) in [("train-labels-idx1-ubyte.gz", [7, 2]), ("train-labels-idx1-ubyte", [1, 3])] {
        for name in ["train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz"] {
            let time = if name == outdated { old } else { std::time::SystemTime::now() };
            fs::File::options().write(true).open(at(name)).unwrap().set_modified(time).unwrap();
        }
        assert_eq!(source.load(Some(directory.path()), None).unwrap().train.labels, labels);
        let said = source.ambiguities(Some(directory.path())).unwrap();
        assert_eq!(said.len(), 1);
        assert!(
            said[0].ends_with(&format!("{} is not: remove what is out of date", at(outdated).display())),
            "{said:?}"
        );
    }

    // A download that failed is newer than what it was to replace: it is not passed over in silence, and not the end of the matter.
    fs::write(at("train-labels-idx1-ubyte.gz"), "<html>Not found</html>").unwrap();
    let named = at("train-labels-idx1-ubyte");
    for error in [
        source.load(Some(directory.path()), None).unwrap_err(),
        read(directory.path(), &FileSettings::of(directory.path())).map(drop).unwrap_err(),
    ] {
        let said = format!("{} is there too, and older: remove the broken file", named.display());
        assert!(error.to_string().contains("train-labels-idx1-ubyte.gz: expected a gzip file"), "{error}");
        assert!(error.to_string().contains(&said), "{error}");
    }
}

#[test]
fn a_limit_keeps_the_first_training_images_only() {
    let whole = DataSource::Digits.load(None, None).unwrap();
    let limited = DataSource::Digits.load(None, Some(100)).unwrap();
    assert_eq!((limited.train.len(), limited.test.len()), (100, 597));
    assert_eq!(*limited.train.pixels.all().unwrap(), whole.train.pixels.all().unwrap()[..6400]);
    assert_eq!(limited.train.labels, whole.train.labels[..100]);
    assert_ne!(limited.fingerprint().unwrap(), whole.fingerprint().unwrap());
}

#[test]
fn cifar_planes_become_pixels() {
    let record = |label: &[u8]| {
        let mut record = label.to_vec();
        for channel in 0..3 {
            record.extend((0..1024).map(|pixel| (pixel % 64 + channel * 64) as u8));
        }
        record
    };
    for (kind, first, second) in
        [(CifarKind::Ten, &[9][..], &[0][..]), (CifarKind::Hundred, &[19, 99], &[3, 0])]
    {
        let bytes = [record(first), record(second)].concat();
        let mut images = CifarImages::default();
        images.append_bytes(Path::new("batch"), &bytes, kind, 2).unwrap();
        assert_eq!(images.labels, [kind.classes() as u16 - 1, 0]);
        assert_eq!(images.pixels.len(), 2 * 3072);
        assert_eq!(&images.pixels[5 * 3..6 * 3], &[5, 69, 133]);
        let cut = CifarImages::default().append_bytes(Path::new("batch"), &bytes[1..], kind, 2).unwrap_err();
        assert!(matches!(cut, DataError::Truncated { expected, found, .. } if expected == found + 1));
        let long = CifarImages::default().append_bytes(Path::new("batch"), &bytes, kind, 1).unwrap_err();
        assert!(matches!(long, DataError::TooLong { .. }));
    }
    let wrong = record(&[10]);
    let error = CifarImages::default().append_bytes(Path::new("b"), &wrong, CifarKind::Ten, 1).unwrap_err();
    assert!(matches!(error, DataError::Label { label: 10, .. }));
}

/// All files of CIFAR-10 in their true size, sparse, black and of class 0 but for the last training record.
#[test]
fn a_directory_of_cifar_is_found_and_must_be_complete() {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("cifar-10-batches-bin");
    fs::create_dir(&files).unwrap();
    let load = || DataSource::Cifar10.load(Some(directory.path()), None);
    for batch in 1..=5 {
        let file = fs::File::create(files.join(format!("data_batch_{batch}.bin"))).unwrap();
        file.set_len(10_000 * 3073).unwrap();
    }
    assert!(matches!(load(), Err(DataError::MissingFile { path, .. }) if path.ends_with("test_batch.bin")));
    fs::copy(files.join("data_batch_1.bin"), files.join("test_batch.bin")).unwrap();
    let last = files.join("data_batch_5.bin");
    let mut content = fs::read(&last).unwrap();
    let record = content.len() - 3073;
    content[record] = 9;
    content[record + 1 + 1024] = 200;
    fs::write(&last, content).unwrap();
    let cifar = load().unwrap();
    assert_eq!((cifar.train.len(), cifar.test.len(), cifar.shape.len()), (50_000, 10_000, 3072));
    assert_eq!(cifar.train.labels[49_998..], [0, 9]);
    assert_eq!(&cifar.train.pixels.all().unwrap()[49_999 * 3072..][..6], &[0, 200, 0, 0, 0, 0]);
}

/// Class counts of the UCI test part, as its description gives them.
#[test]
fn the_embedded_digits_are_all_there_and_split_evenly() {
    let digits = DataSource::Digits.load(None, None).unwrap();
    assert_eq!((digits.train.len(), digits.test.len(), digits.shape.len()), (1200, 597, 64));
    let mut counts = [0; 10];
    digits.train.labels.iter().chain(&digits.test.labels).for_each(|&label| counts[usize::from(label)] += 1);
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    let [train, test] = [&digits.train, &digits.test].map(|set| set.pixels.all().unwrap());
    let pixels = || train.iter().chain(&*test);
    assert_eq!(pixels().max(), Some(&16));
    // The sum of all pixels of scikit-learn's copy.
    assert_eq!(pixels().map(|&pixel| u64::from(pixel)).sum::<u64>(), 561_718);
    for digit in 0..10 {
        let share = digits.train.labels.iter().filter(|&&label| label == digit).count();
        assert!((90..150).contains(&share), "{share} training images of {digit}");
    }
}

#[test]
fn training_images_have_mean_zero_and_variance_one() {
    let digits = DataSource::Digits.load(None, None).unwrap();
    let mut values = vec![0.0; digits.train.pixels.len()];
    Standardizer::fit(&digits.train.pixels, 1)
        .unwrap()
        .apply(&digits.train.pixels.all().unwrap(), &mut values);
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "mean {mean}, variance {variance}");
}

#[test]
fn label_noise_has_its_rate_and_is_uniform_over_the_classes() {
    let n = 200_000;
    let labels: Vec<u16> = (0..n).map(|i| (i % 10) as u16).collect();
    for rate in [0.0, 0.2, 0.4, 1.0] {
        let noisy = replace_at_random(&labels, 10, rate, 7);
        let expected = rate * 0.9;
        let deviation = (expected * (1.0 - expected) / n as f64).sqrt();
        let share = noisy.wrong as f64 / n as f64;
        assert!((share - expected).abs() <= 4.5 * deviation, "rate {rate}: {share}");
        assert_eq!(noisy.wrong, noisy.labels.iter().zip(&labels).filter(|(a, b)| a != b).count());
    }
    let mut joint = [[0_u32; 10]; 10];
    let noisy = replace_at_random(&labels, 10, 1.0, 7);
    labels.iter().zip(&noisy.labels).for_each(|(&from, &to)| joint[usize::from(from)][usize::from(to)] += 1);
    // 2,000 expected in each of the 100 cells, standard deviation 42.
    assert!(joint.as_flattened().iter().all(|count| (1_790..2_210).contains(count)), "{joint:?}");
}

#[test]
fn label_noise_depends_on_the_seed_alone_and_nests() {
    let labels = vec![3; 1000];
    let at = |rate, seed| replace_at_random(&labels, 10, rate, seed).labels;
    assert_eq!(at(0.4, 1), at(0.4, 1));
    assert_ne!(at(0.4, 1), at(0.4, 2));
    assert!(at(0.2, 1).iter().zip(at(0.4, 1)).all(|(&low, high)| low == 3 || low == high));
}

#[test]
fn each_epoch_sees_every_image_once_in_another_order() {
    let order = |seed, epoch| epoch_order(seed, epoch, 1000);
    let mut sorted = order(1, 1);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
    assert_eq!(order(1, 1), order(1, 1));
    assert_ne!(order(1, 1), order(1, 2));
    assert_ne!(order(1, 1), order(2, 1));
    // Image 0 is anywhere: its mean position over 400 epochs is 499.5 with a standard deviation of 14.4.
    let mean =
        (0..400).map(|e| order(9, e).iter().position(|&i| i == 0).unwrap()).sum::<usize>() as f64 / 400.0;
    assert!((mean - 499.5).abs() < 60.0, "{mean}");
}

fn batch(dataset: &Dataset, chosen: &[usize], augment: Augment, epoch: u64) -> Vec<f32> {
    let mut batches = BatchMaker::new(dataset, chosen.len()).unwrap();
    batches.train(chosen, augment, 5, epoch).unwrap().iter().copied().collect()
}

#[test]
fn an_images_augmentation_depends_on_seed_epoch_and_image_not_on_its_batch() {
    let digits = DataSource::Digits.load(None, None).unwrap();
    for augment in [Augment::Basic, Augment::Cutout] {
        let together = batch(&digits, &[10, 20, 30], augment, 2);
        let alone = batch(&digits, &[20], augment, 2);
        assert_eq!(together[64..128], alone);
        let epochs: Vec<_> = (0..8).map(|epoch| batch(&digits, &[20], augment, epoch)).collect();
        assert!(epochs.iter().any(|other| *other != epochs[0]));
    }
}

#[test]
fn visiting_a_set_shows_each_image_once_in_order() {
    let digits = DataSource::Digits.load(None, None).unwrap();
    let whole = batch(&digits, &(0..1200).collect::<Vec<_>>(), Augment::None, 0);
    let (mut values, mut labels, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    BatchMaker::new(&digits, 500)
        .unwrap()
        .visit(&digits.train, |images, of| {
            values.extend(images.iter().copied());
            labels.extend_from_slice(of);
            sizes.push(images.dim().0);
            Ok::<_, DataError>(())
        })
        .unwrap();
    assert_eq!((values, labels, sizes), (whole, digits.train.labels, vec![500, 500, 200]));
}
