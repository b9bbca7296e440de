//! The reader of SVHN's MATLAB files: on any bytes, and on files that are written here from any bytes.

use std::{io::Write, path::Path};

use flate2::{Compression, write::ZlibEncoder};
use sam_train::data::mat::MatImages;

const IMAGE: usize = 3 * 32 * 32;

/// Any bytes are a file or an error that names it; what is written is read as it was, packed or not, in either order.
pub fn check(data: &[u8]) {
    let path = Path::new("file.mat");
    let mut images = MatImages::default();
    match images.append_bytes(path, data) {
        Ok(()) => {
            assert_eq!(images.pixels.len(), images.labels.len() * IMAGE);
            assert!(images.labels.iter().all(|&label| label < 10));
        }
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("file.mat: ") && !line.contains('\n'), "{line}");
            assert_eq!(images, MatImages::default(), "a file that is refused leaves nothing");
        }
    }

    let Some((&first, seed)) = data.split_first().filter(|(_, seed)| !seed.is_empty()) else { return };
    let count = 1 + usize::from(first % 3);
    let values: Vec<u8> = seed.iter().copied().cycle().take(count * IMAGE).collect();
    let labels: Vec<u8> = seed.iter().cycle().take(count).map(|&byte| 1 + byte % 10).collect();
    let mut arrays =
        [array(9, &[32, 32, 3, count as i32], b'X', &values), array(9, &[count as i32, 1], b'y', &labels)];
    if first & 4 != 0 {
        arrays.reverse();
    }
    let mut file = vec![0; 124];
    file.extend(b"\x00\x01IM");
    for (i, array) in arrays.iter().enumerate() {
        if first & (8 << i) == 0 {
            file.extend(array);
            continue;
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(array).expect("writing to memory");
        let packed = encoder.finish().expect("writing to memory");
        file.extend(words(&[15, packed.len() as u32]));
        file.extend(packed);
    }
    let mut images = MatImages::default();
    images.append_bytes(path, &file).expect("a file as MATLAB writes it");
    assert!(images.labels.iter().zip(&labels).all(|(&digit, &label)| digit == u16::from(label % 10)));
    // Column by column in planes, by another formula.
    for (image, pixels) in values.chunks(IMAGE).zip(images.pixels.chunks(IMAGE)) {
        for (i, &value) in image.iter().enumerate() {
            let (channel, column, row) = (i / 1024, i % 1024 / 32, i % 32);
            assert_eq!(pixels[3 * (32 * row + column) + channel], value);
        }
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// An array of bytes with a name of one letter.
fn array(class: u32, dims: &[i32], name: u8, values: &[u8]) -> Vec<u8> {
    let mut inside = words(&[6, 8, class, 0, 5, 4 * dims.len() as u32]);
    dims.iter().for_each(|dim| inside.extend(dim.to_le_bytes()));
    inside.extend(words(&[0x0001_0001, u32::from(name), 2, values.len() as u32]));
    inside.extend(values);
    inside.resize(inside.len().next_multiple_of(8), 0);
    [words(&[14, inside.len() as u32]), inside].concat()
}
