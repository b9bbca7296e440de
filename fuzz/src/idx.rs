//! The IDX reader on any bytes, plain and as `.gz`.

use std::path::Path;

use sam_train::data::idx::{parse_images, parse_labels};

/// What is read is what the file says, byte for byte; everything else is an error that names the file.
pub fn check(data: &[u8]) {
    match parse_images(Path::new("images"), data) {
        Ok(images) => {
            let dims = [images.count, images.height, images.width].map(|dim| (dim as u32).to_be_bytes());
            let again = [&[0, 0, 8, 3], dims.as_flattened(), &images.pixels.all().expect("pixels in memory")]
                .concat();
            assert_eq!(again, data);
        }
        Err(error) => assert!(error.to_string().starts_with("images: ")),
    }
    for classes in [1, 10, 100] {
        match parse_labels(Path::new("labels"), data, classes) {
            Ok(labels) => {
                assert!(labels.iter().all(|&label| usize::from(label) < classes));
                let bytes: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
                let again = [&[0, 0, 8, 1], &(labels.len() as u32).to_be_bytes()[..], &bytes].concat();
                assert_eq!(again, data);
            }
            Err(error) => assert!(error.to_string().starts_with("labels: ")),
        }
    }
}
