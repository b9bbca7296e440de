//! Pictures of what the engine found: its figures as SVG and PNG.

mod comparison;
pub mod contact_sheet;
pub mod curves;
mod figure;
mod legend;
mod look;
mod plot;
mod raster;
mod surface;
mod ticks;

use std::path::{Path, PathBuf};

pub use plot::DrawError;

use crate::experiment::findings::{Drawing, Picture};

/// Draws `picture` into `directory`, and returns its file.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn draw(directory: &Path, picture: &Picture) -> Result<PathBuf, DrawError> {
    let path = directory.join(picture.file_name());
    match &picture.drawing {
        Drawing::Figure(figure) => figure::draw(&path, figure)?,
        Drawing::Surfaces { title, surfaces } => surface::draw(&path, title, surfaces)?,
        Drawing::Comparison(summaries) => comparison::draw(&path, summaries)?,
    }
    Ok(path)
}
