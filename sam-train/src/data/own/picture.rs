//! One picture: PNG or JPEG, as it was meant to be seen.

use std::io::{self, BufRead, Read as _, Seek};

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Rgb, RgbImage, imageops::FilterType,
    metadata::Orientation,
};
use sam_model::ImageShape;

/// What a picture is, as its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Rows as it is seen.
    pub height: u32,
    /// Columns as it is seen.
    pub width: u32,
    /// Whether it has colours.
    pub color: bool,
}

/// The most bytes that a picture may unpack to, as the crate `image` has it: a header may claim more than there is memory.
const MOST_BYTES: u64 = 512 << 20;

/// What every JPEG begins with.
const JPEG_START: [u8; 2] = [0xff, 0xd8];

/// What a decoder says, which may be several lines, in one.
fn damaged(error: &ImageError) -> String {
    let words: Vec<String> = error.to_string().split_whitespace().map(str::to_owned).collect();
    format!("it cannot be decoded ({})", words.join(" "))
}

/// A decoder, and how the picture is to be turned.
fn open<'a>(stream: impl BufRead + Seek + 'a) -> Result<(impl ImageDecoder + 'a, Orientation), String> {
    let reader = ImageReader::new(stream).with_guessed_format().map_err(|error| error.to_string())?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg) => {}
        Some(other) => return Err(format!("expected PNG or JPEG, found {other:?}; convert it")),
        None => return Err("expected PNG or JPEG, found neither".to_owned()),
    }
    let mut decoder = reader.into_decoder().map_err(|error| damaged(&error))?;
    let (width, height) = decoder.dimensions();
    // In three channels too.
    if decoder.total_bytes().max(3 * u64::from(width) * u64::from(height)) > MOST_BYTES {
        return Err(format!(
            "expected at most {} MiB when unpacked, found {height}x{width} pixels; make it smaller",
            MOST_BYTES >> 20
        ));
    }
    // What a damaged note says about the camera is no reason to refuse its picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

/// What the header says.
///
/// # Errors
/// What is wrong with it, for people.
pub fn probe(stream: impl BufRead + Seek) -> Result<Probe, String> {
    let (decoder, orientation) = open(stream)?;
    let (width, height) = decoder.dimensions();
    let lies = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = if lies { (height, width) } else { (width, height) };
    Ok(Probe { height, width, color: decoder.color_type().has_color() })
}

/// The bytes of a picture that is brought to `shape` of 1 or 3 channels: turned as its camera says, on white where it is
/// transparent, 16 bits rounded to 8, grey by the weights of sRGB's luminance. Of another size it is scaled by area until it
/// covers the shape, and what sticks out is cut off evenly.
///
/// # Errors
/// What is wrong with it, for people.
pub fn decode(stream: impl BufRead + Seek, shape: ImageShape) -> Result<Vec<u8>, String> {
    let mut picture = load(stream)?;
    let (width, height) = (shape.width as u32, shape.height as u32);
    if (picture.width(), picture.height()) != (width, height) {
        picture = picture.resize_to_fill(width, height, FilterType::Triangle);
    }
    Ok(bytes(picture, shape.channels))
}

/// All bytes of a picture at its own size, in 1 or 3 channels, and its shape: as [`decode`] but for the size.
///
/// # Errors
/// What is wrong with it, for people.
pub fn whole(stream: impl BufRead + Seek, channels: usize) -> Result<(Vec<u8>, ImageShape), String> {
    let picture = load(stream)?;
    let shape = ImageShape::new(picture.height() as usize, picture.width() as usize, channels);
    Ok((bytes(picture, channels), shape))
}

/// A picture as it was meant to be seen, without transparency.
fn load(mut stream: impl BufRead + Seek) -> Result<DynamicImage, String> {
    let failed = |error: io::Error| format!("cannot be read: {error}");
    if stream.fill_buf().map_err(failed)?.starts_with(&JPEG_START) {
        if !has_end(&mut stream).map_err(failed)? {
            return Err(
                "it ends in the middle of its picture (a JPEG without its end marker); get it again".into()
            );
        }
        stream.rewind().map_err(failed)?;
    }
    let (decoder, orientation) = open(stream)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?;
    picture.apply_orientation(orientation);
    if picture.color().has_alpha() {
        picture = DynamicImage::ImageRgb8(on_white(&picture));
    }
    Ok(picture)
}

fn bytes(picture: DynamicImage, channels: usize) -> Vec<u8> {
    if channels == 1 { picture.into_luma8().into_raw() } else { picture.into_rgb8().into_raw() }
}

/// Whether a JPEG goes on to its end marker: decoders put up with less, and show grey in the place of the rest.
fn has_end(stream: &mut impl BufRead) -> io::Result<bool> {
    loop {
        // What lies between segments, and behind the start of a scan, is passed over up to the next marker.
        let there = stream.fill_buf()?;
        if there.is_empty() {
            return Ok(false);
        }
        let passed = there.iter().position(|&byte| byte == 0xff);
        let count = passed.map_or(there.len(), |at| at + 1);
        stream.consume(count);
        if passed.is_none() {
            continue;
        }
        let mut code = 0xff;
        while code == 0xff {
            let Some(&next) = stream.fill_buf()?.first() else { return Ok(false) };
            stream.consume(1);
            code = next;
        }
        match code {
            0xd9 => return Ok(true),
            // A byte of the picture, and markers that have no segment.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let mut length = [0; 2];
                let whole = stream.read_exact(&mut length);
                if whole.is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
                    return Ok(false);
                }
                let rest = u64::from(u16::from_be_bytes(length)).saturating_sub(2);
                io::copy(&mut stream.by_ref().take(rest), &mut io::sink())?;
            }
        }
    }
}

fn on_white(picture: &DynamicImage) -> RgbImage {
    let picture = picture.to_rgba8();
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|value| blend(value, alpha)))
    })
}
