//! SVHN's files in MATLAB's format: small ones that `SciPy` wrote, and every way in which they can be broken.

use std::{fs, path::Path};

use sam_train::data::{DataSource, mat::MatImages};

/// Five images with y = 1, 10, 9, 2, 5, as they are and packed. `SciPy` reads from them the values of the tests below.
const RAW: &[u8] = include_bytes!("svhn/tiny_raw.mat");
const PACKED: &[u8] = include_bytes!("svhn/tiny_z.mat");

fn read(bytes: &[u8]) -> Result<MatImages, String> {
    let mut images = MatImages::default();
    images.append_bytes(Path::new("train_32x32.mat"), bytes).map_err(|error| error.to_string())?;
    Ok(images)
}

#[test]
fn images_are_set_upright_and_the_label_10_is_0() {
    let raw = read(RAW).unwrap();
    assert_eq!(raw, read(PACKED).unwrap());
    assert_eq!(raw.labels, [1, 0, 9, 2, 5]);
    assert_eq!(raw.pixels.len(), 5 * 3072);
    // X[0, 0..3, :, 0], a row of pixels.
    assert_eq!(raw.pixels[..9], [95, 235, 217, 69, 169, 240, 59, 44, 78]);
    // X[31, 2, :, 4], X[5, 31, :, 3].
    let at =
        |row: usize, column: usize, image: usize| &raw.pixels[((image * 32 + row) * 32 + column) * 3..][..3];
    assert_eq!([at(31, 2, 4), at(5, 31, 3)], [[127, 50, 123], [66, 238, 43]]);
}

#[test]
fn the_data_set_is_found_with_its_extra_images_behind_the_others() {
    let place = tempfile::tempdir().unwrap();
    let inside = place.path().join("svhn");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("train_32x32.mat"), PACKED).unwrap();
    let missing = DataSource::Svhn.load(Some(place.path()), None).unwrap_err().to_string();
    assert!(missing.contains("test_32x32.mat") && missing.contains("housenumbers"), "{missing}");
    fs::write(inside.join("test_32x32.mat"), RAW).unwrap();
    let svhn = DataSource::Svhn.load(Some(place.path()), None).unwrap();
    assert_eq!((svhn.train.len(), svhn.test.len(), svhn.classes), (5, 5, 10));
    assert_eq!((svhn.name.as_str(), svhn.class_names[0].as_str()), ("svhn", "0"));
    let missing = DataSource::SvhnExtra.load(Some(&inside), None).unwrap_err().to_string();
    assert!(missing.contains("extra_32x32.mat"), "{missing}");
    fs::write(inside.join("extra_32x32.mat"), RAW).unwrap();
    let extra = DataSource::SvhnExtra.load(Some(&inside), None).unwrap();
    assert_eq!((extra.train.len(), extra.test.len()), (10, 5));
    assert_eq!(extra.train.labels[..5], extra.train.labels[5..]);
}

/// `bytes` with others at a place.
fn with(bytes: &[u8], at: usize, others: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at..at + others.len()].copy_from_slice(others);
    changed
}

fn place_of(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

/// Each broken file has one line with its name, what was expected and what was found.
#[test]
fn broken_files_are_refused_by_what_is_wrong() {
    let dims = place_of(RAW, &[32, 0, 0, 0, 32, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0]);
    // `y`: its name in the tag, its values in a tag.
    let labels = place_of(RAW, &[1, 10, 9, 2, 5]);
    let name = place_of(RAW, &[1, 0, 1, 0, b'y']);
    for (broken, part) in [
        (Vec::new(), "MATLAB file of level 5"),
        (RAW[..100].to_vec(), "MATLAB file of level 5"),
        (with(RAW, 126, b"MI"), "level 5"),
        (with(&with(RAW, 124, b"\x01\x00MI"), 0, b"MATLAB 5.0"), "other order of bytes"),
        (with(&with(RAW, 124, b"\x00\x02IM"), 0, b"MATLAB 7.3"), "HDF5"),
        (b"\x1f\x8bno gzip at all".to_vec(), "damaged"),
        (RAW[..128].to_vec(), "no X"),
        (RAW[..5000].to_vec(), "its end before"),
        (RAW[..RAW.len() - 60].to_vec(), "no y"),
        (PACKED[..3000].to_vec(), "end"),
        (with(PACKED, 140, &[0xff; 8]), "damaged"),
        (with(PACKED, 4000, &[0xff; 8]), "damaged"),
        (with(RAW, dims, &[28]), "[28, 32, 3, 5]"),
        (with(RAW, dims + 12, &[6]), "18432 bytes"),
        (with(RAW, dims + 12, &[0xff; 4]), "-1"),
        (with(RAW, dims + 12, &[0xff, 0xff, 0xff, 0x7f]), "6597069763584 bytes"),
        (with(RAW, labels, &[11]), "11 at position 0"),
        (with(RAW, labels, &[0]), "0 at position 0"),
        (with(RAW, name + 4, b"z"), "no y"),
        (with(RAW, 132, &[0xff, 0xff, 0xff, 0xff]), "its end before"),
    ] {
        let error = read(&broken).expect_err(part);
        assert!(error.starts_with("train_32x32.mat: ") && error.contains(part), "{part}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// Numbers in all types that MATLAB may find short enough, and a file whose labels come first.
#[test]
fn labels_of_every_type_and_in_either_order_are_read() {
    let matrices = matrices();
    let [images, _] = &matrices;
    for (kind, values) in [
        (1_u32, vec![1, 10, 9, 2, 5]),
        (3, [1_i16, 10, 9, 2, 5].iter().flat_map(|v| v.to_le_bytes()).collect()),
        (6, [1_u32, 10, 9, 2, 5].iter().flat_map(|v| v.to_le_bytes()).collect()),
        (7, [1_f32, 10.0, 9.0, 2.0, 5.0].iter().flat_map(|v| v.to_le_bytes()).collect()),
        (9, [1_f64, 10.0, 9.0, 2.0, 5.0].iter().flat_map(|v| v.to_le_bytes()).collect()),
    ] {
        let labels = labels_of(kind, &values);
        for file in [[images.clone(), labels.clone()], [labels, images.clone()]] {
            let file = [&RAW[..128], &file[0], &file[1]].concat();
            assert_eq!(read(&file).unwrap().labels, [1, 0, 9, 2, 5], "type {kind}");
        }
    }
    let fraction = labels_of(9, &[1.5_f64; 5].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    let error = read(&[&RAW[..128], images, &fraction].concat()).unwrap_err();
    assert!(error.contains("1.5 at position 0"), "{error}");
    let four = labels_of(1, &[1, 2, 3, 4]);
    let error = read(&[&RAW[..128], images, &four].concat()).unwrap_err();
    assert!(error.contains("5 labels") || error.contains("4 bytes"), "{error}");
}

/// The two arrays of the file.
fn matrices() -> [Vec<u8>; 2] {
    let count = u32::from_le_bytes(RAW[132..136].try_into().unwrap()) as usize;
    [RAW[128..136 + count].to_vec(), RAW[136 + count..].to_vec()]
}

/// `y` of five numbers of a type.
fn labels_of(kind: u32, values: &[u8]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut inside = words(&[6, 8, 6, 0, 5, 8, 5, 1, 1, 1, u32::from(b'y'), 0, kind, values.len() as u32]);
    inside.extend(values);
    inside.resize(inside.len().next_multiple_of(8), 0);
    [words(&[14, inside.len() as u32]), inside].concat()
}
