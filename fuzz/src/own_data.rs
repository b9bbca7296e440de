//! The readers of data of one's own on any bytes: the first byte says which.

use std::{io::Cursor, path::Path};

use sam_model::ImageShape;
use sam_train::data::{
    cifar::{CifarImages, CifarKind},
    idx::parse_array,
    own::{FileSettings, decode_picture, parse_numpy, parse_rows, read},
};

use crate::folder::Folder;

/// First bytes from here on are of files of several arrays: other seeds keep their meaning.
const ARCHIVES: u8 = 240;
/// And of these of Parquet.
const PARQUET: u8 = 248;

/// What is read has as many values as it says; everything else is an error that names the file.
pub fn check(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    let path = Path::new("file");
    match which % 5 {
        _ if *which >= PARQUET => archive("table.parquet", bytes),
        _ if *which >= ARCHIVES => {
            archive(["arrays.npz", "arrays.safetensors"][usize::from(which % 2)], bytes)
        }
        0 => array(parse_numpy(path, bytes).map_err(|error| error.to_string())),
        1 => array(parse_array(path, bytes).map_err(|error| error.to_string())),
        2 => match parse_rows(path, bytes, None) {
            Ok((labels, numbers)) => {
                assert!(numbers.iter().all(|number| number.is_finite()));
                assert!(labels.iter().all(|label| !label.is_empty()));
                assert!(labels.is_empty() || numbers.len().is_multiple_of(labels.len()));
            }
            Err(error) => assert!(error.to_string().starts_with("file: ")),
        },
        3 => {
            let shape = ImageShape { height: 3, width: 5, channels: 3 };
            if let Ok(pixels) = decode_picture(Cursor::new(bytes), shape) {
                assert_eq!(pixels.len(), shape.len());
            }
        }
        _ => {
            let mut images = CifarImages::default();
            if images.append_all_bytes(path, bytes, CifarKind::HundredCoarse).is_ok() {
                assert_eq!(images.pixels.len(), 3072 * images.labels.len());
            }
        }
    }
}

fn array(found: Result<(Vec<usize>, usize), String>) {
    match found {
        Ok((dims, count)) => assert_eq!(dims.iter().product::<usize>(), count),
        Err(error) => assert!(error.starts_with("file: "), "{error}"),
    }
}

/// A file of arrays by name is a data set whose parts fit each other, or an error that names the file.
fn archive(name: &str, bytes: &[u8]) {
    let folder = Folder::new("own-data");
    let path = folder.write(name, bytes);
    match read(&path, &FileSettings::of(&path)) {
        Ok(found) => {
            let set = found.dataset;
            for part in [&set.train, &set.test] {
                assert_eq!(part.pixels.len(), part.len() * set.shape.len());
                assert!(part.labels.iter().all(|&label| usize::from(label) < set.classes));
            }
        }
        Err(error) => assert!(error.to_string().contains(name), "{error}"),
    }
}
