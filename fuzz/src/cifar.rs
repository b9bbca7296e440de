//! The CIFAR reader on any bytes.

use std::path::Path;

use sam_train::data::cifar::{CifarImages, CifarKind};

const IMAGE: usize = 3 * 32 * 32;

/// The first byte says how many records there should be and of which kind. Input is repeated up to the length that this
/// takes, give or take a byte, since few inputs would be as long.
pub fn check(data: &[u8]) {
    let Some((&first, seed)) = data.split_first() else { return };
    let records = usize::from(first % 3);
    let (kind, label_bytes) = if first & 4 == 0 { (CifarKind::Ten, 1) } else { (CifarKind::Hundred, 2) };
    let length = records * (IMAGE + label_bytes);
    let given = match first >> 6 {
        0 => seed.len(),
        1 => length.saturating_sub(1),
        2 => length + 1,
        _ => length,
    };
    let bytes: Vec<u8> = seed.iter().copied().cycle().take(given).collect();
    let mut images = CifarImages::default();
    match images.append_bytes(Path::new("batch.bin"), &bytes, kind, records) {
        Ok(()) => {
            assert_eq!(bytes.len(), length);
            assert_eq!((images.labels.len(), images.pixels.len()), (records, records * IMAGE));
            for (i, record) in bytes.chunks(IMAGE + label_bytes).enumerate() {
                assert_eq!(images.labels[i], u16::from(record[label_bytes - 1]));
                assert!(usize::from(images.labels[i]) < kind.classes());
                // Planes to pixels, by another formula.
                for (channel, plane) in record[label_bytes..].chunks(IMAGE / 3).enumerate() {
                    let pixels = images.pixels[i * IMAGE..].iter().skip(channel).step_by(3);
                    assert!(plane.iter().eq(pixels.take(IMAGE / 3)));
                }
            }
        }
        Err(error) => {
            assert!(error.to_string().starts_with("batch.bin: "));
            assert_eq!(images, CifarImages::default(), "a file that is refused leaves nothing");
        }
    }
}
