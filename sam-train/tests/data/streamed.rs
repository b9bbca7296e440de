//! Pictures that stay in their files: their centres, random parts of them, and what becomes of files that change.

use std::{fs, io::Cursor, path::Path};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use sam_train::data::{
    Augment, Augmentation, BatchMaker, BatchShare, DataError, Dataset, Pixels, Prefetcher, epoch_order,
    own::{FileSettings, Fit, Found, OnBroken, read},
};
use tempfile::TempDir;

fn write(path: &Path, picture: RgbImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut bytes, ImageFormat::Png).unwrap();
    fs::write(path, bytes.into_inner()).unwrap();
}

/// Ten pictures of each of two classes, all of other sizes, of noise around a colour of their class.
fn folder() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for i in 0..10_u32 {
        for (class, color) in [("a", [200, 30, 60]), ("b", [20, 90, 180])] {
            let noise = |x: u32, y: u32| ((x * 7 + y * 13 + i * 29) % 40) as u8;
            let picture = RgbImage::from_fn(40 + 3 * i, 90 - 4 * i, |x, y| {
                Rgb(color.map(|value: u8| value + noise(x, y)))
            });
            write(&place.path().join(class).join(format!("{i}.png")), picture);
        }
    }
    place
}

fn found(place: &Path, size: &str) -> Result<Found, DataError> {
    let mut settings = FileSettings::of(place);
    (settings.fit, settings.size) = (Fit::Centre, Some(size.parse().unwrap()));
    settings.broken = OnBroken::Skip;
    read(place, &settings)
}

fn bits(values: ndarray::ArrayView4<'_, f32>) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn the_centre_is_shown_and_what_lies_around_it_is_not() {
    let place = tempfile::tempdir().unwrap();
    for (class, inner) in [("a", [250, 0, 0]), ("b", [0, 0, 250])] {
        for i in 0..5 {
            // Of 132 x 80 pixels the middle is 12 / 44 of 80: 21 of each side.
            let inside = |x: u32, y: u32| (55..78).contains(&x) && (29..52).contains(&y);
            let picture =
                RgbImage::from_fn(132, 80, |x, y| Rgb(if inside(x, y) { inner } else { [0, 255, 0] }));
            write(&place.path().join(class).join(format!("{i}.png")), picture);
        }
    }
    let Found { dataset, notes, .. } = found(place.path(), "12x12").unwrap();
    assert!(matches!(dataset.train.pixels, Pixels::Pictures(_)));
    assert!(notes.iter().any(|note| note.contains("left in their files")), "{notes:?}");
    for (label, image) in dataset.train.labels.iter().zip(dataset.train.pixels.all().unwrap().chunks(432)) {
        let inner = if *label == 0 { [250, 0, 0] } else { [0, 0, 250] };
        assert!(image.chunks(3).all(|pixel| pixel == inner), "{image:?}");
    }
}

/// In one go, image by image and in parts, in memory or not.
#[test]
fn subsets_and_chunks_of_pictures_are_those_of_their_bytes() {
    let place = folder();
    let mut dataset = found(place.path(), "8x12").unwrap().dataset;
    assert_eq!((dataset.train.len(), dataset.test.len()), (16, 4));
    let all = dataset.train.pixels.all().unwrap().into_owned();
    let size = dataset.shape.len();
    let mut parts = Vec::new();
    dataset
        .train
        .pixels
        .chunks(size + 1, |bytes| -> Result<(), DataError> {
            assert!(bytes.len().is_multiple_of(size));
            parts.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
    assert_eq!(parts, all);
    let subset = dataset.train.subset([3, 0, 3]).unwrap();
    let expected = [&all[3 * size..4 * size], &all[..size], &all[3 * size..4 * size]].concat();
    assert_eq!(subset.pixels.all().unwrap(), expected);
    let fingerprint = dataset.fingerprint().unwrap();
    let mut in_memory = dataset.clone();
    in_memory.train.pixels = all.clone().into();
    assert_eq!(in_memory.fingerprint().unwrap(), fingerprint);
    dataset.train.truncate(5);
    assert_eq!(dataset.train.pixels.all().unwrap(), &all[..5 * size]);
}

#[test]
fn batches_of_random_parts_depend_on_their_place_alone_and_change_from_epoch_to_epoch() {
    let place = folder();
    let dataset: Dataset = found(place.path(), "24x24").unwrap().dataset;
    let maker = || BatchMaker::new(&dataset, 8).unwrap();
    for name in ["resized", "resized-randaugment", "resized-autoaugment-imagenet", "basic", "none"] {
        let augmentation = Augmentation::from(name.parse::<Augment>().unwrap());
        let mut ahead = Prefetcher::new(maker(), 8, augmentation, 3);
        let mut epochs = Vec::new();
        for epoch in [0, 1] {
            let order = epoch_order(0, 0, 16);
            let (batch, next) = order.split_at(8);
            let whole = bits(maker().train(batch, augmentation, 3, epoch).unwrap());
            assert_eq!(bits(ahead.take(epoch, batch, Some(next.into())).unwrap()), whole, "{name}");
            let part = |range: std::ops::Range<usize>| BatchShare { chosen: &batch[range], batch: batch[0] };
            let mut parts = bits(maker().train(part(0..3), augmentation, 3, epoch).unwrap());
            parts.extend(bits(maker().train(part(3..8), augmentation, 3, epoch).unwrap()));
            assert_eq!(parts, whole, "{name}");
            epochs.push(whole);
        }
        assert_eq!(epochs[0] == epochs[1], name == "none", "{name}");
    }
}

#[test]
fn a_file_that_goes_away_while_a_run_uses_it_is_named() {
    let place = folder();
    let dataset = found(place.path(), "8x8").unwrap().dataset;
    let mut maker = BatchMaker::new(&dataset, 16).unwrap();
    fs::remove_file(place.path().join("a/4.png")).unwrap();
    let all: Vec<usize> = (0..16).collect();
    let train = maker.train(&all, Augment::Resized, 0, 0).map(drop);
    let test = dataset.test.pixels.all().map(drop);
    // It is in one of the two.
    let error = train.and(test).unwrap_err().to_string();
    assert!(error.contains("a/4.png: cannot be read"), "{error}");
}

#[test]
fn a_picture_that_cannot_be_decoded_is_left_out_at_the_start() {
    let place = folder();
    let whole = fs::read(place.path().join("b/1.png")).unwrap();
    fs::write(place.path().join("b/1.png"), &whole[..whole.len() / 2]).unwrap();
    let found = found(place.path(), "8x8").unwrap();
    assert_eq!(found.dataset.train.len() + found.dataset.test.len(), 19);
    assert_eq!(found.broken.len(), 1);
    assert!(found.broken[0].to_string().contains("b/1.png: it cannot be decoded"), "{}", found.broken[0]);
}

/// Once decoded and kept, pictures need their files no more; where there is room for some, the others are decoded again.
#[test]
fn pictures_that_are_kept_have_the_bytes_of_their_files() {
    let place = folder();
    let plain = found(place.path(), "24x24").unwrap().dataset;
    let batch = |dataset: &Dataset| {
        let all: Vec<usize> = (0..16).collect();
        bits(BatchMaker::new(dataset, 16).unwrap().train(&all, Augment::Resized, 3, 1).unwrap())
    };
    let expected = (batch(&plain), plain.test.pixels.all().unwrap().into_owned());
    // Pictures of 40 x 90 and more in three colours: room for all, for about half of them, and for none.
    for (room, all) in [(1 << 20, true), (110_000, false), (1000, false)] {
        let mut kept = plain.clone();
        assert!(kept.keep_decoded(room).unwrap());
        for _ in 0..2 {
            assert_eq!(batch(&kept), expected.0, "{room} bytes");
            assert_eq!(*kept.test.pixels.all().unwrap(), expected.1, "{room} bytes");
        }
        let part = kept.train.subset([5, 2, 9]).unwrap();
        assert_eq!(part.pixels.all().unwrap(), plain.train.subset([5, 2, 9]).unwrap().pixels.all().unwrap());
        fs::rename(place.path().join("a"), place.path().join("elsewhere")).unwrap();
        fs::rename(place.path().join("b"), place.path().join("elsewhere too")).unwrap();
        assert_eq!(
            kept.train.pixels.all().is_ok_and(|_| kept.test.pixels.all().is_ok()),
            all,
            "{room} bytes"
        );
        fs::rename(place.path().join("elsewhere"), place.path().join("a")).unwrap();
        fs::rename(place.path().join("elsewhere too"), place.path().join("b")).unwrap();
    }
    let mut in_memory = plain.clone();
    in_memory.train.pixels = plain.train.pixels.all().unwrap().into_owned().into();
    in_memory.test.pixels = expected.1.into();
    assert!(!in_memory.keep_decoded(1 << 20).unwrap(), "nothing is left in files");
}
