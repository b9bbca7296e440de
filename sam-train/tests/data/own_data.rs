//! Data of one's own: every kind of file as real life has it, written here byte by byte, read or refused with a reason.

use std::{
    fs,
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use image::{
    DynamicImage, GrayImage, ImageEncoder as _, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::jpeg::JpegEncoder,
};
use sam_model::ImageShape;
use sam_train::data::{
    DataError, DataSource,
    own::{FileSettings, Found, OnBroken, decode_picture, read},
};
use sam_train::training::settings::DataSettings;
use tempfile::TempDir;

/// A folder of files, removed at the end.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(&self) -> Result<Found, DataError> {
        self.read_as(|_| {})
    }

    fn read_as(&self, change: impl FnOnce(&mut FileSettings)) -> Result<Found, DataError> {
        let mut settings = FileSettings::of(self.0.path());
        change(&mut settings);
        read(self.0.path(), &settings)
    }

    fn refused(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG of one colour.
fn plain(width: u32, height: u32, color: [u8; 3]) -> Vec<u8> {
    encoded(&RgbImage::from_pixel(width, height, Rgb(color)).into(), ImageFormat::Png)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file: type code, dimensions and the bytes of the values.
fn idx(code: u8, dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, dims.len() as u8];
    dims.iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let padded = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded.len() as u16).to_le_bytes());
    bytes.extend(padded.as_bytes());
    bytes.extend(values);
    bytes
}

fn decode(bytes: &[u8], height: usize, width: usize, channels: usize) -> Result<Vec<u8>, String> {
    decode_picture(Cursor::new(bytes), ImageShape { height, width, channels })
}

#[test]
fn class_folders_are_split_by_class_and_ordered_so_that_the_first_images_have_all_classes() {
    let place = Place::new();
    for i in 0..10 {
        place.write(&format!("cats/{i}.png"), plain(4, 3, [200, i, 0]));
        place.write(&format!("dogs/deep/{i}.PNG"), plain(4, 3, [0, i, 200]));
    }
    place.write("dogs/Thumbs.db", "left behind");
    place.write("dogs/notes.txt", "not read");
    place.write(".hidden/1.png", "not looked at");
    let Found { dataset, notes, broken, .. } = place.read().unwrap();
    assert_eq!(dataset.class_names, ["cats", "dogs"]);
    assert_eq!((dataset.shape.height, dataset.shape.width, dataset.shape.channels), (3, 4, 3));
    assert_eq!((dataset.train.len(), dataset.test.len()), (16, 4));
    assert_eq!(dataset.test.labels, [0, 0, 1, 1]);
    assert_eq!(dataset.train.labels[..4], [0, 1, 0, 1]);
    let pixels = dataset.train.pixels.all().unwrap();
    let of_image = |image: usize| &pixels[image * 36..][..3];
    assert!(
        dataset.train.labels.iter().enumerate().all(|(i, &label)| (of_image(i)[0] == 200) == (label == 0))
    );
    assert!(notes.iter().any(|note| note.contains("20 % of each class")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("1 .txt")), "{notes:?}");
    assert!(broken.is_empty());
    // Which images are held out does not change from one time to the next.
    assert_eq!(place.read().unwrap().dataset, dataset);
}

#[test]
fn train_and_test_folders_are_taken_as_they_are_and_a_class_without_training_images_is_refused() {
    let place = Place::new();
    for (part, count) in [("train", 5), ("val", 3), ("test", 2)] {
        for class in ["a", "b"] {
            (0..count).for_each(|i| place.write(&format!("{part}/{class}/{i}.png"), plain(2, 2, [i, 0, 0])));
        }
    }
    let found = place.read().unwrap();
    assert_eq!((found.dataset.train.len(), found.dataset.test.len()), (10, 4));
    assert!(found.notes.iter().any(|note| note.contains("validation set, 6 images")), "{:?}", found.notes);
    place.write("test/c/0.png", plain(2, 2, [0; 3]));
    assert!(place.refused().contains("found the class c; add training images"), "{}", place.refused());
}

#[test]
fn broken_pictures_stop_the_reading_or_are_left_out_and_counted() {
    let place = Place::new();
    for i in 0..4 {
        place.write(&format!("a/{i}.png"), plain(8, 8, [i, 1, 2]));
        place.write(&format!("b/{i}.png"), plain(8, 8, [i, 2, 1]));
    }
    let whole = plain(8, 8, [9; 3]);
    place.write("a/cut.png", &whole[..whole.len() - 20]);
    place.write("a/empty.jpg", "");
    place.write("b/page.jpg", "<html>");
    place.write("b/moving.gif", b"GIF89a\x01\0\x01\0\0\0\0;");
    let refused = place.refused();
    assert!(refused.contains("cannot be read: 4") && refused.contains("`broken` skip"), "{refused}");
    let found = place.read_as(|settings| settings.broken = OnBroken::Skip).unwrap();
    assert_eq!(found.dataset.train.len() + found.dataset.test.len(), 8);
    let mut lines: Vec<String> = found
        .broken
        .iter()
        .map(|broken| format!("{}: {}", broken.path.file_name().unwrap().display(), broken.reason))
        .collect();
    lines.sort();
    assert!(lines[0].starts_with("cut.png: it cannot be decoded"), "{lines:?}");
    assert_eq!(lines[1], "empty.jpg: expected PNG or JPEG, found neither");
    assert_eq!(lines[2], "moving.gif: expected PNG or JPEG, found Gif; convert it");
    assert_eq!(lines[3], "page.jpg: expected PNG or JPEG, found neither");
}

#[test]
fn pictures_of_every_depth_become_bytes_as_they_are_seen() {
    let rgb = decode(&plain(2, 2, [10, 20, 30]), 2, 2, 3).unwrap();
    assert_eq!(rgb, [10, 20, 30].repeat(4));
    // sRGB's luminance: 0.2126 red, 0.7152 green, 0.0722 blue.
    let grey = decode(&plain(2, 2, [100, 200, 50]), 2, 2, 1).unwrap();
    assert!(grey.iter().all(|&value| value.abs_diff(168) <= 1), "{grey:?}");
    let deep = image::ImageBuffer::<Luma<u16>, _>::from_pixel(2, 2, Luma([257 * 77 + 100]));
    assert_eq!(decode(&encoded(&deep.into(), ImageFormat::Png), 2, 2, 1).unwrap(), [77; 4]);
    // Half transparent black on white.
    let clear = RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 0, 0, if x == 0 { 0 } else { 127 }]));
    assert_eq!(
        decode(&encoded(&clear.into(), ImageFormat::Png), 1, 2, 3).unwrap(),
        [255, 255, 255, 128, 128, 128]
    );
    // Of a grey picture all three channels are alike.
    let grey = encoded(&GrayImage::from_pixel(1, 1, Luma([5])).into(), ImageFormat::Png);
    assert_eq!(decode(&grey, 1, 1, 3).unwrap(), [5; 3]);
}

#[test]
fn a_header_that_claims_more_than_there_is_memory_is_refused_before_it_is_asked_for() {
    let mut bytes = plain(2, 2, [0; 3]);
    let side = 60_000_u32.to_be_bytes();
    bytes[16..24].copy_from_slice(&[side, side].concat());
    // The header's own checksum.
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let refused = decode(&bytes, 2, 2, 3).unwrap_err();
    assert!(refused.contains("60000x60000"), "{refused}");
}

#[test]
fn a_camera_s_note_on_how_it_was_held_turns_the_picture() {
    // The left half is black.
    let picture = GrayImage::from_fn(32, 16, |x, _| Luma([if x < 16 { 0 } else { 255 }]));
    let with_note = |orientation: u8| {
        // A TIFF header, and a directory of one entry: tag 0x112, one 16-bit number.
        let exif =
            [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0, 0, 0, 0, 0][..]]
                .concat();
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
        encoder.set_exif_metadata(exif).unwrap();
        encoder.encode_image(&picture).unwrap();
        bytes
    };
    let upright = decode(&with_note(1), 16, 32, 1).unwrap();
    assert!(upright[0] < 20 && upright[31] > 235);
    // 6: to be turned clockwise by a quarter; what was left is above then.
    let turned = decode(&with_note(6), 32, 16, 1).unwrap();
    assert!(
        turned[..16].iter().all(|&value| value < 20) && turned[31 * 16..].iter().all(|&value| value > 235)
    );
    let half = decode(&with_note(3), 16, 32, 1).unwrap();
    assert!(half[0] > 235 && half[31] < 20);
}

#[test]
fn pictures_of_several_sizes_are_scaled_and_cut_evenly() {
    let place = Place::new();
    // Black stripes at both ends, which the square in the middle does not have.
    let striped = RgbImage::from_fn(64, 32, |x, _| Rgb([if (16..48).contains(&x) { 90 } else { 0 }; 3]));
    for i in 0..3 {
        place.write(&format!("a/{i}.png"), encoded(&striped.clone().into(), ImageFormat::Png));
        place.write(&format!("b/{i}.png"), plain(40, 40, [90, 90, 90]));
    }
    let found = place.read().unwrap();
    assert_eq!((found.dataset.shape.height, found.dataset.shape.width), (32, 32));
    assert!(found.notes.iter().any(|note| note.contains("brought to 32x32")), "{:?}", found.notes);
    let pixels = found.dataset.train.pixels.all().unwrap();
    assert!(pixels.iter().all(|&value| value == 90));
    let small = place.read_as(|settings| settings.size = Some("4x8".parse().unwrap())).unwrap();
    assert_eq!((small.dataset.shape.height, small.dataset.shape.width), (4, 8));
    let grey = place.read_as(|settings| settings.grey = true).unwrap();
    assert_eq!(grey.dataset.shape.channels, 1);
}

#[test]
fn emnist_s_classes_from_1_its_letters_and_its_turned_images_are_read() {
    let place = Place::new();
    // 26 images of 2x2, lying: 0 1 2 3 is 0 2 1 3 upright.
    let images = idx(8, &[52, 2, 2], &[0, 1, 2, 3].repeat(52));
    let labels: Vec<u8> = (1..=26).cycle().take(52).collect();
    for part in ["train", "test"] {
        place.write(&format!("emnist-letters-{part}-images-idx3-ubyte.gz"), gzip(&images));
        place.write(&format!("emnist-letters-{part}-labels-idx1-ubyte"), idx(8, &[52], &labels));
    }
    let found = place.read().unwrap();
    assert_eq!(found.dataset.classes, 26);
    assert_eq!(found.dataset.class_names[25], "26");
    assert_eq!(found.dataset.test.labels[..3], [0, 1, 2]);
    assert_eq!(found.dataset.test.pixels.all().unwrap()[..4], [0, 2, 1, 3]);
    let mapping: String = (1..=26).map(|i| format!("{i} {} {}\n", 64 + i, 96 + i)).collect();
    place.write("emnist-letters-mapping.txt", mapping);
    assert_eq!(place.read().unwrap().dataset.class_names[25], "Z");
    // Beside another family neither is chosen, and one of its files chooses it.
    place.write("emnist-digits-train-images-idx3-ubyte", &images);
    assert!(
        place.refused().contains("emnist-digits, emnist-letters; name one of the files"),
        "{}",
        place.refused()
    );
    let path = place.path("emnist-letters-test-labels-idx1-ubyte");
    assert_eq!(read(&path, &FileSettings::of(&path)).unwrap().dataset.train.len(), 52);
}

#[test]
fn qmnist_s_columns_other_numbers_and_names_with_a_dot_are_read() {
    let place = Place::new();
    let floats: Vec<u8> = (0..8).flat_map(|i| (i as f32 / 7.0).to_be_bytes()).collect();
    let extended: Vec<u8> = [3, 5]
        .iter()
        .flat_map(|&class: &i32| [class, 9, 9, 9, 9, 9, 9, 9])
        .flat_map(i32::to_be_bytes)
        .collect();
    for part in ["train", "test"] {
        place.write(&format!("{part}-images.idx3-float"), idx(0x0d, &[2, 2, 2], &floats));
        place.write(&format!("{part}-labels-idx2-int"), idx(0x0c, &[2, 8], &extended));
    }
    let dataset = place.read().unwrap().dataset;
    assert_eq!(dataset.class_names, ["3", "5"]);
    assert_eq!(dataset.train.pixels.all().unwrap()[..4], [0, 36, 73, 109]);
    for (code, width) in [(9, 1), (0x0b, 2), (0x0c, 4), (0x0e, 8)] {
        place.write("train-labels-idx2-int", idx(code, &[2], &vec![0; 2 * width]));
        assert!(place.refused().contains("2 to 65536 classes, found 1"), "{code}");
    }
    place.write("train-labels-idx2-int", idx(0x0f, &[2], &[0; 2]));
    assert!(place.refused().contains("IDX magic"), "{}", place.refused());
}

#[test]
fn zeros_behind_a_gzip_member_are_padding_and_other_bytes_are_damage() {
    let place = Place::new();
    let images = gzip(&idx(8, &[4, 1, 2], &[0, 1, 2, 3, 4, 5, 6, 7]));
    place.write("labels-idx1-ubyte", idx(8, &[4], &[0, 1, 0, 1]));
    place.write("images-idx3-ubyte.gz", [&images[..], &[0; 1000]].concat());
    let padded = place.read_as(|settings| settings.test_share = Some(0.5)).unwrap().dataset;
    assert_eq!(padded.train.len() + padded.test.len(), 4);
    place.write("images-idx3-ubyte.gz", [&images[..], &[0; 7], b"junk"].concat());
    assert!(place.refused().contains("compressed data is damaged"), "{}", place.refused());
}

/// 2 MiB of nothing take 2 kB when packed.
#[test]
fn a_file_that_unpacks_to_more_than_it_may_is_refused_whatever_packs_it() {
    const SIDE: u32 = 1 << 10;
    let zeros = vec![0; 2 << 20];
    let mut npz = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in [
        ("x.npy", npy("|u1", &format!("(2, {SIDE}, {SIDE})"), &zeros)),
        ("y.npy", npy("|u1", "(2,)", &[0, 1])),
    ] {
        let packed =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        npz.start_file(name, packed).unwrap();
        npz.write_all(&array).unwrap();
    }
    let idx_files = [
        ("train-images-idx3-ubyte.gz", gzip(&idx(8, &[2, SIDE, SIDE], &zeros))),
        ("train-labels-idx1-ubyte", idx(8, &[2], &[0, 1])),
    ];
    let table = [("table.csv.gz", gzip(&"0,0,1\n".repeat(1 << 19).into_bytes()))];
    let numpy = [("data.npz", npz.finish().unwrap().into_inner())];
    for files in [&idx_files[..], &table, &numpy] {
        let place = Place::new();
        files.iter().for_each(|(name, bytes)| place.write(name, bytes));
        let read = |limit| place.read_as(|files| files.unpack_limit = Some(limit));
        let text = read(1).unwrap_err().to_string();
        assert!(text.contains(files[0].0) && text.contains("`unpack-limit`"), "{text}");
        // With as much as it takes nothing is wrong, or something else.
        let text = read(4).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(!text.contains("`unpack-limit`"), "{text}");
    }
}

#[test]
fn a_stale_file_beside_a_newer_one_is_not_read_and_it_is_said() {
    let place = Place::new();
    let files = |byte| idx(8, &[4, 1, 1], &[byte; 4]);
    place.write("labels-idx1-ubyte", idx(8, &[4], &[0, 1, 0, 1]));
    place.write("images-idx3-ubyte.gz", gzip(&files(7)));
    place.write("images-idx3-ubyte", files(9));
    let stale = fs::File::options().append(true).open(place.path("images-idx3-ubyte.gz")).unwrap();
    stale.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let found = place.read_as(|settings| settings.test_share = Some(0.5)).unwrap();
    assert_eq!(found.dataset.train.pixels.all().unwrap()[0], 9);
    assert!(found.notes.iter().any(|note| note.contains("images-idx3-ubyte.gz is not")), "{:?}", found.notes);
}

#[test]
fn cifar_files_of_any_number_of_records_are_read_by_their_fine_or_coarse_labels() {
    let record = |labels: &[u8], value: u8| [labels, &[value; 3072]].concat();
    let place = Place::new();
    place.write("data_batch_1.bin", [record(&[3], 1), record(&[5], 2)].concat());
    place.write("data_batch_2.bin", record(&[3], 3));
    place.write("test_batch.bin", record(&[5], 4));
    let dataset = place.read().unwrap().dataset;
    assert_eq!((dataset.train.len(), dataset.test.len()), (3, 1));
    assert_eq!(dataset.class_names, ["3", "5"]);
    let place = Place::new();
    place.write("train.bin", [record(&[1, 50], 1), record(&[1, 51], 2), record(&[2, 52], 3)].concat());
    place.write("test.bin", record(&[1, 50], 4));
    assert_eq!(place.read().unwrap().dataset.class_names, ["50", "51", "52"]);
    let coarse = place.read_as(|settings| settings.label = Some("coarse".into())).unwrap();
    assert_eq!(coarse.dataset.class_names, ["1", "2"]);
    place.write("train.bin", [0; 3000]);
    assert!(place.refused().contains("3074 (CIFAR-100), found 3000 bytes"), "{}", place.refused());
}

#[test]
fn numpy_arrays_are_read_by_their_names_in_any_order_of_axes_and_words_may_be_labels() {
    let place = Place::new();
    place.write("x_train.npy", npy("|u1", "(3, 1, 2)", &[1, 2, 3, 4, 5, 6]));
    place.write("y_train.npy", npy("<i8", "(3,)", &[7_i64, 9, 7].map(i64::to_le_bytes).concat()));
    place.write("x_test.npy", npy("|u1", "(1, 1, 2)", &[8, 9]));
    let words: Vec<u8> = ['7'].iter().flat_map(|&letter| (letter as u32).to_le_bytes()).collect();
    place.write("y_test.npy", npy("<U1", "(1,)", &words));
    let dataset = place.read().unwrap().dataset;
    assert_eq!(dataset.class_names, ["7", "9"]);
    assert_eq!(dataset.test.pixels.all().unwrap()[..], [8, 9]);
    // (1, 2) and (3, 4), the first dimension running fastest.
    let fortran = npy("|u1", "(2, 1, 2)", &[1, 3, 2, 4]);
    let fortran = String::from_utf8_lossy(&fortran[10..]).replace("False", "True ");
    let fortran = [b"\x93NUMPY\x01\x00\x76\x00", fortran.as_bytes()].concat();
    place.write("x_test.npy", fortran);
    place.write("y_test.npy", npy("|u1", "(2,)", &[7, 9]));
    assert_eq!(place.read().unwrap().dataset.test.pixels.all().unwrap()[..], [1, 2, 3, 4]);
    for (name, bytes, reason) in [
        ("x_train.npy", npy("|u1", "(3, 1, 2)", &[1]), "whole .npy file"),
        ("x_train.npy", npy("|u1", "(99999999999, 99999999999)", &[1]), "dimensions of"),
        ("x_train.npy", npy("<c8", "(1, 1)", &[0; 8]), "float64 or words"),
        ("x_train.npy", npy("<f4", "(1, 1)", &f32::NAN.to_le_bytes()), "NaN at position 0"),
        ("x_train.npy", b"\x93NUMPY".to_vec(), "whole .npy file"),
    ] {
        place.write(name, bytes);
        assert!(place.refused().contains(reason), "{}", place.refused());
    }
}

/// Labels in a file of their own, for the training images of a data set by name.
#[test]
fn training_images_take_the_labels_of_another_file() {
    let place = Place::new();
    let digits = DataSource::Digits.load(None, None).unwrap();
    let mut settings = DataSettings::new(DataSource::Digits);
    settings.train_labels = Some(place.path("people.npy"));
    let labels: Vec<i64> =
        digits.train.labels.iter().enumerate().map(|(i, &l)| if i % 5 == 0 { 3 } else { l.into() }).collect();
    let bytes = |labels: &[i64]| labels.iter().flat_map(|label| label.to_le_bytes()).collect::<Vec<_>>();
    place.write("people.npy", npy("<i8", &format!("({},)", labels.len()), &bytes(&labels)));
    let found = settings.load(None).unwrap();
    assert!(found.dataset.train.labels.iter().zip(&labels).all(|(&found, &label)| i64::from(found) == label));
    assert_eq!(found.dataset.test, digits.test);
    let others = digits.train.labels.iter().step_by(5).filter(|&&label| label != 3).count();
    let note = found.notes.iter().find(|note| note.contains("people.npy")).unwrap();
    assert!(note.contains(&format!("{others} differ")), "{note}");
    let refused = |labels: &[i64]| {
        place.write("people.npy", npy("<i8", &format!("({},)", labels.len()), &bytes(labels)));
        settings.load(None).unwrap_err().to_string()
    };
    let few = refused(&labels[1..]);
    assert!(few.contains(&format!("expected {} labels, found {}", labels.len(), labels.len() - 1)), "{few}");
    let mut beyond = labels.clone();
    beyond[7] = 10;
    assert!(refused(&beyond).contains("10 at position 7"));
}

#[test]
fn a_table_is_split_by_its_label_and_its_columns_have_scales_of_their_own() {
    let place = Place::new();
    let rows: String =
        (0..20).map(|i| format!("{},{},{}\n", i, 1000 * i, if i < 10 { "low" } else { "high" })).collect();
    place.write("table.csv", format!("small,large,label\n{rows}"));
    let found = place.read().unwrap();
    let dataset = found.dataset;
    assert_eq!((dataset.shape.height, dataset.shape.width, dataset.shape.channels), (1, 1, 2));
    assert_eq!((dataset.train.len(), dataset.test.len()), (16, 4));
    assert_eq!(dataset.class_names, ["high", "low"]);
    let pixels = dataset.train.pixels.all().unwrap();
    // Both columns are the same but for their scale.
    assert!(pixels.as_chunks::<2>().0.iter().all(|[small, large]| small == large));
    place.write("table.csv", format!("small,large,label\n{rows}1,oops,low\n"));
    assert!(
        place.refused().contains("line 22: column 2, large: expected a number, found \"oops\""),
        "{}",
        place.refused()
    );
    let found = place.read_as(|settings| settings.broken = OnBroken::Skip).unwrap();
    assert_eq!(found.broken.len(), 1);
}

#[test]
fn what_is_no_data_is_refused_with_what_to_do() {
    for (name, advice) in [
        ("photos.zip", "unpack the archive"),
        ("table.feather", "save the table as CSV"),
        ("arrays.pkl", "numpy.savez"),
        ("letter.doc", "name a folder"),
    ] {
        let place = Place::new();
        place.write(name, "x");
        let found = place.refused();
        assert!(found.contains(name) && found.contains(advice), "{found}");
    }
    let place = Place::new();
    assert!(place.refused().contains("found nothing"), "{}", place.refused());
    place.write("only/1.png", plain(1, 1, [0; 3]));
    assert!(place.refused().contains("classes, found 1"), "{}", place.refused());
    place.write("t.csv", "1,a\n");
    place.write("t.npz", "x");
    assert!(place.refused().contains("files of one format"), "{}", place.refused());
    assert!(read(Path::new("nowhere"), &FileSettings::of(Path::new("nowhere"))).is_err());
}

#[test]
fn safetensors_are_arrays_by_name_and_a_broken_one_is_refused() {
    use safetensors::{Dtype, serialize, tensor::TensorView};
    let images: Vec<u8> = (0..20 * 16).map(|i| (i * 7 % 256) as u8).collect();
    let labels: Vec<u8> = (0..20_i64).flat_map(|i| (i % 2).to_le_bytes()).collect();
    let view = |dtype, shape: &[usize], data| TensorView::new(dtype, shape.to_vec(), data).unwrap();
    let bytes = serialize(
        [("images", view(Dtype::U8, &[20, 4, 4], &images)), ("labels", view(Dtype::I64, &[20], &labels))],
        None,
    )
    .unwrap();
    let place = Place::new();
    place.write("data.safetensors", &bytes);
    let found = place.read().unwrap();
    assert_eq!(found.format, "arrays (NumPy, safetensors)");
    assert_eq!((found.dataset.shape, found.dataset.classes), (ImageShape::new(4, 4, 1), 2));
    assert_eq!(found.dataset.train.len() + found.dataset.test.len(), 20);
    place.write("data.safetensors", &bytes[..bytes.len() - 1]);
    assert!(place.refused().contains("a whole safetensors file"), "{}", place.refused());
}
