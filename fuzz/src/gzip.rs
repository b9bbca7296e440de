//! Unpacking: any bytes as a `.gz` file, and any content packed and unpacked.

use std::{io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use sam_train::data::{
    cifar::{CifarImages, CifarKind},
    idx::{parse_images, parse_labels},
};

/// A broken file is an error; a packed one reads as the plain one does.
pub fn check(data: &[u8]) {
    let (plain, packed) = (Path::new("file"), Path::new("file.gz"));
    // Whatever comes of these: no panic, and no more memory than the content.
    let _ = parse_images(packed, data);
    let _ = parse_labels(packed, data, 10);
    let _ = CifarImages::default().append_bytes(packed, data, CifarKind::Ten, 1);

    // The bytes say that a file is packed, whatever its name; they are asked once.
    if data.starts_with(&[0x1f, 0x8b]) {
        assert_eq!(parse_images(packed, data).ok(), parse_images(plain, data).ok());
        assert_eq!(parse_labels(packed, data, 10).ok(), parse_labels(plain, data, 10).ok());
        return;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("writing to memory");
    let file = encoder.finish().expect("writing to memory");
    assert_eq!(parse_images(packed, &file).ok(), parse_images(plain, data).ok());
    assert_eq!(parse_labels(packed, &file, 10).ok(), parse_labels(plain, data, 10).ok());
    // In two members, as `cat a.gz b.gz` makes them.
    let (first, second) = data.split_at(data.len() / 2);
    let mut members = Vec::new();
    for part in [first, second] {
        let mut encoder = GzEncoder::new(&mut members, Compression::none());
        encoder.write_all(part).expect("writing to memory");
        encoder.finish().expect("writing to memory");
    }
    assert_eq!(parse_images(packed, &members).ok(), parse_images(plain, data).ok());
    // Without its last byte it is no file.
    assert!(parse_images(packed, &file[..file.len() - 1]).is_err());
}
