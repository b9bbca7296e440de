//! Some images of each class on one picture.

use std::fmt::Write as _;

use image::{DynamicImage, GenericImage, GrayImage, ImageFormat, RgbImage, imageops::FilterType};

use super::{plot::DrawError, raster};
use crate::{
    data::{DataError, Dataset},
    observer::ObserverError,
};

/// Images of a class.
const COLUMNS: usize = 10;
/// Classes, at most: beyond them nobody looks.
const MOST_ROWS: usize = 30;
/// A tile's side in points, of which the raster makes two pixels each.
const TILE: u32 = 48;
const GAP: u32 = 4;
/// Room for a class's name.
const NAMES: u32 = 150;
/// Letters of a name that fit there.
const LETTERS: usize = 20;

/// The first training images of each class, a row with its name each, as a PNG file. Rows of numbers that are no images are bars of
/// grey.
///
/// # Errors
/// [`ObserverError`], when images cannot be read, or are not of 1, 3 or 4 channels.
pub fn png(dataset: &Dataset) -> Result<Vec<u8>, ObserverError> {
    let rows = dataset.classes.min(MOST_ROWS);
    let (width, height) = (NAMES + COLUMNS as u32 * (TILE + GAP), rows as u32 * (TILE + GAP) + GAP);
    let mut svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\">");
    svg.push_str("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
    for (row, name) in dataset.class_names.iter().take(rows).enumerate() {
        let y = row as u32 * (TILE + GAP) + GAP + TILE / 2 + 4;
        let name: String = name.chars().take(LETTERS).collect();
        let escaped = name.replace('&', "&amp;").replace('<', "&lt;");
        let text = "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\"";
        write!(svg, "<text x=\"8\" y=\"{y}\" {text}>{escaped}</text>").map_err(Box::new)?;
    }
    svg.push_str("</svg>");
    let scale = raster::SCALE as u32;
    let mut sheet = image::load_from_memory(&raster::png(&svg)?).map_err(DrawError::draw)?;
    let mut placed = vec![0; dataset.classes];
    for (index, &label) in dataset.train.labels.iter().enumerate() {
        let (row, column) = (usize::from(label), placed[usize::from(label)]);
        if row >= rows || column >= COLUMNS {
            continue;
        }
        placed[row] += 1;
        let tile = tile(dataset, index)?.resize(scale * TILE, scale * TILE, FilterType::Nearest);
        let x = scale * (NAMES + column as u32 * (TILE + GAP));
        let y = scale * (GAP + row as u32 * (TILE + GAP));
        sheet.copy_from(&tile.to_rgba8(), x, y).map_err(DrawError::draw)?;
    }
    let mut file = std::io::Cursor::new(Vec::new());
    sheet.write_to(&mut file, ImageFormat::Png).map_err(DrawError::draw)?;
    Ok(file.into_inner())
}

/// A training image; its bytes are stretched to all greys where the largest of the data set's first images is small, as the
/// digits' 16 is.
fn tile(dataset: &Dataset, index: usize) -> Result<DynamicImage, ObserverError> {
    let (shape, set) = (dataset.shape, &dataset.train);
    let size = shape.len();
    let mut buffer = Vec::new();
    let largest = |bytes: &[u8]| bytes.iter().copied().max().unwrap_or(0);
    let first: Result<&[u8], DataError> = set.pixels.get(0..size * set.len().min(64), &mut buffer);
    let factor = if largest(first?) <= 16 { 15 } else { 1 };
    let mut buffer = Vec::new();
    let bytes = set.pixels.get(index * size..(index + 1) * size, &mut buffer)?;
    let bytes: Vec<u8> = bytes.iter().map(|byte| byte.saturating_mul(factor)).collect();
    let (width, height) = (shape.width as u32, shape.height as u32);
    let picture = match (width, height, shape.channels) {
        (1, 1, columns) => GrayImage::from_raw(columns as u32, 1, bytes).map(DynamicImage::ImageLuma8),
        (.., 1) => GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8),
        (.., 3) => RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
        (.., channels) => {
            let first = bytes.iter().step_by(channels).copied().collect();
            GrayImage::from_raw(width, height, first).map(DynamicImage::ImageLuma8)
        }
    };
    picture.ok_or_else(|| DrawError::draw("an image has other bytes than its size says").into())
}
