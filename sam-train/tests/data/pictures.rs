//! Pictures of the kinds that cameras, scanners and web pages leave, and thirty files that are none.

use std::{fs, io::Cursor, path::Path};

use image::{DynamicImage, ImageBuffer, ImageFormat, LumaA, Rgb, RgbImage, Rgba};
use sam_model::ImageShape;
use sam_train::data::own::{FileSettings, Fit, OnBroken, decode_picture, read, show_picture};

/// Two halves of 16 x 16 pixels, written by Pillow: `pictures/kinds.py`.
const PROGRESSIVE: &[u8] = include_bytes!("pictures/progressive.jpg");
const CMYK: &[u8] = include_bytes!("pictures/cmyk.jpg");
const GREY: &[u8] = include_bytes!("pictures/grey.jpg");

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The pixels in the middle of both halves.
fn halves(bytes: &[u8]) -> [[u8; 3]; 2] {
    let pixels = decode_picture(Cursor::new(bytes), ImageShape::new(16, 32, 3)).unwrap();
    [4, 28].map(|x| pixels[(8 * 32 + x) * 3..][..3].try_into().unwrap())
}

/// Within 3 of what Pillow sees: decoders round differently.
#[test]
fn progressive_cmyk_and_grey_jpegs_have_the_colours_that_pillow_sees() {
    for (name, bytes, expected) in [
        ("progressive", PROGRESSIVE, [[250, 10, 21], [10, 20, 240]]),
        ("CMYK", CMYK, [[255, 0, 0], [0, 0, 0]]),
        ("grey", GREY, [[40; 3], [200; 3]]),
    ] {
        let found = halves(bytes);
        let near = found.as_flattened().iter().zip(expected.as_flattened());
        assert!(near.into_iter().all(|(a, b): (&u8, &u8)| a.abs_diff(*b) <= 3), "{name}: {found:?}");
    }
}

#[test]
fn pngs_of_sixteen_bits_with_and_without_colour_and_transparency_are_seen_alike() {
    let deep = |value: u8| u16::from(value) * 257;
    let rgb = ImageBuffer::from_pixel(32, 16, Rgb([deep(9), deep(99), deep(199)]));
    let rgba = ImageBuffer::from_pixel(32, 16, Rgba([deep(9), deep(99), deep(199), u16::MAX]));
    let grey = ImageBuffer::from_pixel(32, 16, LumaA([77_u8, 255]));
    let clear = ImageBuffer::from_pixel(32, 16, LumaA([deep(77), 0]));
    let color = [9, 99, 199];
    for (picture, expected) in [
        (encoded(rgb, ImageFormat::Png), color),
        (encoded(rgba, ImageFormat::Png), color),
        (encoded(grey, ImageFormat::Png), [77; 3]),
        (encoded(clear, ImageFormat::Png), [255; 3]),
    ] {
        assert_eq!(halves(&picture), [expected; 2]);
    }
}

/// What a network sees of one picture is what it saw of the same one in a folder.
#[test]
fn a_picture_alone_is_shown_as_one_of_a_folder() {
    let picture = RgbImage::from_fn(50, 30, |x, y| Rgb([(x * 5) as u8, (y * 8) as u8, (x * y % 256) as u8]));
    let bytes = encoded(picture, ImageFormat::Png);
    let place = tempfile::tempdir().unwrap();
    for i in 0..8 {
        let path = place.path().join(format!("{}/{i}.png", ["a", "b"][i % 2]));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &bytes).unwrap();
    }
    for fit in [Fit::Cover, Fit::Centre] {
        let mut settings = FileSettings::of(place.path());
        (settings.fit, settings.size) = (fit, Some("20x20".parse().unwrap()));
        let dataset = read(place.path(), &settings).unwrap().dataset;
        let shown = show_picture(Cursor::new(&bytes), dataset.shape, fit).unwrap();
        let all = dataset.train.pixels.all().unwrap();
        assert!(all.chunks(shown.len()).all(|image| image == shown), "{fit}");
    }
}

/// A PNG whose header says something else, with a checksum that fits.
fn with_header(png: &[u8], at: usize, values: &[u8]) -> Vec<u8> {
    let mut bytes = png.to_vec();
    bytes[at..at + values.len()].copy_from_slice(values);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    bytes
}

/// The place of a JPEG's marker.
fn marker(jpeg: &[u8], code: u8) -> usize {
    jpeg.windows(2).position(|pair| pair == [0xff, code]).unwrap()
}

fn with(bytes: &[u8], at: usize, values: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + values.len()].copy_from_slice(values);
    bytes
}

/// Thirty files that are called pictures, and what is said of each.
fn bad_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    const NEITHER: &str = "expected PNG or JPEG, found neither";
    const DAMAGED: &str = "it cannot be decoded";
    let noise =
        RgbImage::from_fn(40, 40, |x, y| Rgb([(x * 91 + y * 57) as u8, (x * y) as u8, (x ^ y) as u8]));
    let png = encoded(noise.clone(), ImageFormat::Png);
    let jpeg = encoded(noise, ImageFormat::Jpeg);
    let data = png.windows(4).position(|name| name == b"IDAT").unwrap();
    let frame = marker(&jpeg, 0xc0);
    vec![
        ("empty.png", Vec::new(), NEITHER),
        ("empty.jpg", Vec::new(), NEITHER),
        ("one-byte.png", vec![0x89], NEITHER),
        ("zeros.jpg", vec![0; 4096], NEITHER),
        ("text.jpeg", b"a note to myself".to_vec(), NEITHER),
        ("page.jpg", b"<!DOCTYPE html><title>404</title>".to_vec(), NEITHER),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), NEITHER),
        ("document.jpg", b"%PDF-1.7\n".to_vec(), NEITHER),
        ("archive.png", b"PK\x03\x04\x14\0\0\0\0\0".to_vec(), NEITHER),
        ("film.jpg", b"\0\0\0\x18ftypmp42\0\0\0\0".to_vec(), NEITHER),
        ("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0".to_vec(), NEITHER),
        ("moving.gif", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), "found Gif; convert it"),
        ("really-gif.png", b"GIF87a\x01\0\x01\0\0\0\0;".to_vec(), "found Gif; convert it"),
        ("bitmap.bmp", b"BM\x46\0\0\0\0\0\0\0".to_vec(), "found Bmp; convert it"),
        ("web.webp", b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(), "found WebP; convert it"),
        ("scan.tiff", b"II*\0\x08\0\0\0".to_vec(), "found Tiff; convert it"),
        ("signature.png", png[..8].to_vec(), DAMAGED),
        ("no-data.png", png[..data - 4].to_vec(), DAMAGED),
        ("half.png", png[..png.len() / 2].to_vec(), DAMAGED),
        ("bit.png", with(&png, data + 60, &[png[data + 60] ^ 0x10]), DAMAGED),
        ("checksum.png", with(&png, 30, &[png[30] ^ 1]), DAMAGED),
        ("no-width.png", with_header(&png, 16, &[0; 4]), DAMAGED),
        ("depth.png", with_header(&png, 24, &[3]), DAMAGED),
        ("color.png", with_header(&png, 25, &[7]), DAMAGED),
        ("huge.png", with_header(&png, 16, &[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]), "60000x60000 pixels"),
        ("start.jpg", jpeg[..4].to_vec(), DAMAGED),
        ("no-scan.jpg", jpeg[..frame].to_vec(), DAMAGED),
        ("no-height.jpg", with(&jpeg, frame + 5, &[0; 4]), DAMAGED),
        ("lossless.jpg", with(&jpeg, frame + 1, &[0xc3]), DAMAGED),
        ("arithmetic.jpg", with(&jpeg, frame + 1, &[0xc9]), DAMAGED),
    ]
}

/// Each has one line, with its name and what was found; all of them are counted, and the first stops a run that does not skip.
#[test]
fn thirty_bad_files_have_a_clear_line_each() {
    let place = tempfile::tempdir().unwrap();
    let good = encoded(RgbImage::from_pixel(4, 4, Rgb([1, 2, 3])), ImageFormat::Png);
    let write = |name: &str, bytes: &[u8]| {
        let path = place.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for i in 0..4 {
        write(&format!("a/{i}.png"), &good);
        write(&format!("b/{i}.png"), &good);
    }
    let bad = bad_files();
    assert_eq!(bad.len(), 30);
    bad.iter()
        .enumerate()
        .for_each(|(i, (name, bytes, _))| write(&format!("{}/{name}", ["a", "b"][i % 2]), bytes));
    for fit in [Fit::Cover, Fit::Centre] {
        let mut settings = FileSettings::of(place.path());
        (settings.fit, settings.size) = (fit, Some("4x4".parse().unwrap()));
        let stopped = read(place.path(), &settings).unwrap_err().to_string();
        assert!(stopped.contains("cannot be read: 30") && stopped.contains("`broken` skip"), "{stopped}");
        settings.broken = OnBroken::Skip;
        let found = read(place.path(), &settings).unwrap();
        assert_eq!(found.dataset.train.len() + found.dataset.test.len(), 8);
        assert_eq!(found.broken.len(), 30);
        for (name, _, expected) in &bad {
            let of_name = |path: &Path| path.file_name().unwrap().to_str() == Some(name);
            let broken = found.broken.iter().find(|broken| of_name(&broken.path)).unwrap();
            let line = broken.to_string();
            assert!(line.contains(expected) && !line.contains('\n') && line.len() < 400, "{line}");
        }
    }
}

/// Decoders would show grey in the place of what is missing. What cameras add behind a picture, and pictures within its notes, do not
/// count.
#[test]
fn a_jpeg_that_ends_too_early_is_named_and_what_follows_its_end_is_not_looked_at() {
    let noise =
        RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 91 + y * 57) as u8, (x * y) as u8, (x ^ y) as u8]));
    let shape = ImageShape::new(8, 8, 3);
    for whole in [encoded(noise, ImageFormat::Jpeg), PROGRESSIVE.to_vec(), CMYK.to_vec(), GREY.to_vec()] {
        let seen = decode_picture(Cursor::new(&whole), shape).unwrap();
        let scan = marker(&whole, 0xda);
        for end in [scan + 20, whole.len() - 20, whole.len() - 2, whole.len() - 1] {
            let error = decode_picture(Cursor::new(&whole[..end]), shape).unwrap_err();
            assert!(error.contains("without its end marker"), "{end}: {error}");
        }
        let followed = [&whole[..], b"\0\0\0\x18ftypmp42 a film"].concat();
        assert_eq!(decode_picture(Cursor::new(followed), shape).unwrap(), seen);
        // A small picture in a note, which has an end of its own.
        let mut noted = whole[..2].to_vec();
        noted.extend([0xff, 0xe1]);
        noted.extend((GREY.len() as u16 + 2).to_be_bytes());
        noted.extend(GREY);
        noted.extend(&whole[2..]);
        assert_eq!(decode_picture(Cursor::new(&noted), shape).unwrap(), seen);
        assert!(decode_picture(Cursor::new(&noted[..noted.len() - 2]), shape).is_err());
    }
}
