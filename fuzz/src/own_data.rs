//! The readers of data of one's own on any bytes: the first byte says which.

use std::{io::Cursor, path::Path};

use sam_model::ImageShape;
use sam_train::data::{
    cifar::{CifarImages, CifarKind},
    idx::parse_array,
    own::{decode_picture, parse_numpy, parse_rows},
};

/// What is read has as many values as it says; everything else is an error that names the file.
pub fn check(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    let path = Path::new("file");
    match which % 5 {
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
