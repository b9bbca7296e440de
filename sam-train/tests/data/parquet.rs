//! Parquet files as other programs write them (`parquet/samples.py`): read, or refused with a line that says what to do; never a panic.

use std::{fs, path::Path};

use sam_train::data::{
    DataError,
    own::{FileSettings, Found, OnBroken, read},
};
use tempfile::TempDir;

fn sample(name: &str) -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parquet").join(format!("{name}.parquet"));
    fs::read(path).unwrap()
}

/// A folder that is removed at the end.
struct Place(TempDir);

impl Place {
    /// With these files.
    fn of(files: &[(&str, &[u8])]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, bytes)| fs::write(place.0.path().join(name), bytes).unwrap());
        place
    }

    fn read(&self, name: &str, change: impl FnOnce(&mut FileSettings)) -> Result<Found, DataError> {
        let path = self.0.path().join(name);
        let mut settings = FileSettings::of(&path);
        change(&mut settings);
        read(&path, &settings)
    }
}

fn read_sample(name: &str, change: impl FnOnce(&mut FileSettings)) -> Result<Found, DataError> {
    Place::of(&[("table.parquet", &sample(name))]).read("table.parquet", change)
}

fn refused(name: &str) -> String {
    read_sample(name, |_| {}).unwrap_err().to_string()
}

#[test]
fn pictures_come_with_the_names_of_their_classes() {
    let found = read_sample("pictures", |_| {}).unwrap();
    let dataset = found.dataset;
    assert_eq!(found.format, "columns (Parquet)");
    assert_eq!(dataset.class_names, ["cat", "cow", "dog"]);
    assert_eq!((dataset.shape.height, dataset.shape.width, dataset.shape.channels), (3, 4, 3));
    assert_eq!((dataset.train.len(), dataset.test.len()), (12, 3));
    for part in [&dataset.train, &dataset.test] {
        let pixels = part.pixels.all().unwrap();
        for (pixels, &class) in pixels.chunks(36).zip(&part.labels) {
            // Row r: red 10 r, blue and number of the class r mod 3; dog, cat, cow in the file.
            let [red, green, blue] = [pixels[0], pixels[1], pixels[2]];
            assert_eq!(pixels, [red, green, blue].repeat(12));
            assert_eq!((green, blue), (100, red / 10 % 3));
            assert_eq!(["dog", "cat", "cow"][usize::from(blue)], dataset.class_names[usize::from(class)]);
        }
    }
    for note in ["labels are in column label", "pictures are in column image.bytes", "not read: image.path"] {
        assert!(found.notes.iter().any(|found| found.contains(note)), "{note}: {:?}", found.notes);
    }
    let small = read_sample("pictures", |settings| settings.size = Some("2x2".parse().unwrap())).unwrap();
    assert_eq!(small.dataset.shape.len(), 12);
    assert_eq!(read_sample("pictures", |settings| settings.grey = true).unwrap().dataset.shape.channels, 1);
}

#[test]
fn numbers_are_the_same_however_they_are_packed() {
    let plain = read_sample("numbers-none", |_| {}).unwrap().dataset;
    assert_eq!(plain.class_names, ["iris", "rose"]);
    assert_eq!((plain.shape.height, plain.shape.width, plain.shape.channels), (1, 1, 3));
    assert_eq!((plain.train.len(), plain.test.len()), (16, 4));
    // The columns half, square and odd have scales of their own: row / 2, row^2 - 100 and row mod 2.
    let train = plain.train.pixels.all().unwrap();
    let rows: Vec<[u8; 3]> = train.as_chunks::<3>().0.to_vec();
    let least = rows.iter().map(|[half, ..]| *half).min().unwrap();
    let most = rows.iter().map(|[half, ..]| *half).max().unwrap();
    assert_eq!((least, most), (0, 255));
    assert!(rows.iter().all(|[.., odd]| [0, 255].contains(odd)));
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    assert!(sorted.is_sorted_by_key(|[_, square, _]| *square), "{sorted:?}");
    for (row, &class) in rows.iter().zip(&plain.train.labels) {
        // Half of the range parts both species.
        assert_eq!(class, u16::from(row[0] > 127), "{row:?}");
    }
    for codec in ["snappy", "gzip", "zstd"] {
        let packed = read_sample(&format!("numbers-{codec}"), |_| {}).unwrap().dataset;
        assert_eq!((packed.train, packed.test), (plain.train.clone(), plain.test.clone()), "{codec}");
    }
}

#[test]
fn a_row_without_a_value_is_named_and_may_be_left_out() {
    let error = refused("numbers-v2");
    assert!(error.contains("table.parquet, line 8: expected a value in column odd, found none"), "{error}");
    let found = read_sample("numbers-v2", |settings| settings.broken = OnBroken::Skip).unwrap();
    assert_eq!((found.broken.len(), found.dataset.train.len() + found.dataset.test.len()), (1, 19));
}

#[test]
fn any_column_may_be_the_label() {
    let found = read_sample("numbers-none", |settings| settings.label = Some("odd".into()));
    let error = found.unwrap_err().to_string();
    assert!(error.contains("words in column species; leave it out"), "{error}");
    // Of the columns half, square, odd and day the last is refused.
    let error =
        read_sample("date", |settings| settings.label = Some("species".into())).unwrap_err().to_string();
    assert!(error.contains("dates or times in column day"), "{error}");
    let found = read_sample("pictures", |settings| settings.label = Some("image.path".into())).unwrap_err();
    assert!(found.to_string().contains("found 15 and 0"), "a class for each picture: {found}");
    let error =
        read_sample("numbers-none", |settings| settings.label = Some("none".into())).unwrap_err().to_string();
    assert!(error.contains("columns half, square, species, odd"), "{error}");
}

#[test]
fn files_of_one_part_are_read_one_behind_the_other() {
    let (pictures, numbers) = (sample("pictures"), sample("numbers-none"));
    let place = Place::of(&[
        ("train-00000-of-00002.parquet", &pictures),
        ("train-00001-of-00002.parquet", &pictures),
        ("test-00000-of-00001.parquet", &pictures),
    ]);
    let dataset = place.read(".", |_| {}).unwrap().dataset;
    assert_eq!((dataset.train.len(), dataset.test.len()), (30, 15));
    let place = Place::of(&[("train.parquet", &pictures), ("test.parquet", &numbers)]);
    let error = place.read(".", |_| {}).unwrap_err().to_string();
    assert!(error.contains("expected the columns of the file before it"), "{error}");
}

#[test]
fn what_is_not_read_is_refused_by_its_name() {
    for (name, found) in [
        ("brotli", "found Brotli; write it again"),
        ("delta", "to know the column of the labels"),
        ("date", "found dates or times in column day; leave it out"),
        ("list", "found lists in column list.list.element; leave it out"),
    ] {
        let error = refused(name);
        assert!(error.contains("table.parquet: expected ") && error.contains(found), "{error}");
    }
    let error = read_sample("delta", |settings| settings.label = Some("odd".into())).unwrap_err().to_string();
    assert!(error.contains("DELTA_BINARY_PACKED"), "{error}");
    for (bytes, found) in [
        (&b""[..], "its end is not marked"),
        (b"PAR1", "its end is not marked"),
        (b"PAR1\0\0\0\0PARE", "encrypted"),
        (b"PAR1\xff\xff\xff\xffPAR1", "an end that cannot be read"),
        (b"PAR1\0\x01\0\0\0PAR1", "columns that cannot be read"),
    ] {
        let place = Place::of(&[("table.parquet", bytes)]);
        let error = place.read("table.parquet", |_| {}).unwrap_err().to_string();
        assert!(error.contains(found), "{error}");
    }
    let error = read_sample("pictures", |settings| settings.fit = "centre".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("choose `fit` cover"), "{error}");
}

/// A hundred pictures of 50 kB of zeros lie in the file once.
#[test]
fn a_file_that_unpacks_to_more_than_it_may_is_refused() {
    let error = read_sample("zeros", |settings| settings.unpack_limit = Some(1)).unwrap_err().to_string();
    assert!(error.contains("`unpack-limit`"), "{error}");
    let error = read_sample("zeros", |settings| settings.unpack_limit = Some(16)).unwrap_err().to_string();
    assert!(error.contains("expected PNG or JPEG, found neither"), "{error}");
}

/// Every sample cut anywhere and with any of its bytes changed is a data set, or an error of one line that names the file.
#[test]
fn damaged_files_are_refused_and_nothing_panics() {
    let place = Place::of(&[]);
    for name in ["pictures", "numbers-none", "numbers-snappy", "numbers-gzip", "numbers-zstd", "numbers-v2"] {
        let whole = sample(name);
        let look = |bytes: &[u8]| {
            fs::write(place.0.path().join("table.parquet"), bytes).unwrap();
            // A MiB is many times what the samples hold; a claim of more is refused before it is looked into.
            match place.read("table.parquet", |settings| settings.unpack_limit = Some(1)) {
                Ok(_) => false,
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("table.parquet") && !error.contains('\n'), "{error}");
                    true
                }
            }
        };
        assert!(
            (0..whole.len()).all(|end| look(&whole[..end])),
            "{name}: a file that was cut was taken as whole"
        );
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= [0x01, 0x80, 0xff, 0x7f, 0x10][at % 5];
            look(&changed);
        }
    }
}
