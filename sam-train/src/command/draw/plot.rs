//! What all pictures share: files, colours, axes, lines with bands.

use std::{ops::Range, path::Path};

use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::{Shift, types::RangedCoordf64},
    prelude::{Cartesian2d, DrawingArea, IntoDrawingArea, SVGBackend},
    series::LineSeries,
    style::{Color, IntoFont, RGBColor, TextStyle, WHITE},
};

use super::raster;
use crate::{
    files::{self, FileError},
    report::markdown::escaped,
};

/// Colours that people with any kind of colour vision tell apart (Okabe and Ito 2008).
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
/// Light blue, for what is nearly the same as the blue thing.
pub const SKY: RGBColor = RGBColor(86, 180, 233);
/// Vermilion.
pub const VERMILION: RGBColor = RGBColor(213, 94, 0);
/// Text.
pub const INK: RGBColor = RGBColor(51, 51, 51);
/// Grid lines.
const GRID: RGBColor = RGBColor(228, 228, 228);

/// A region of a picture.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A region with axes.
pub type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The drawing library refused something.
    #[error("the picture cannot be drawn: {0}")]
    Draw(String),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl DrawError {
    /// For `map_err`.
    pub fn draw(error: impl std::fmt::Display) -> Self {
        Self::Draw(error.to_string())
    }
}

/// Writes an SVG file of `size` (width, height in pixels) that `draw` fills, on white ground; beside it the same picture as
/// a PNG file of twice the size. Who cannot see the picture is told its `title`.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn save(
    path: &Path,
    title: &str,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<(), DrawError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(DrawError::draw)?;
        draw(&area)?;
        area.present().map_err(DrawError::draw)?;
    }
    let svg = named(&svg, title);
    files::replace(path, svg.as_bytes())?;
    Ok(files::replace(&path.with_extension("png"), &raster::png(&svg)?)?)
}

/// The document `svg` as an image called `title`.
fn named(svg: &str, title: &str) -> String {
    let title = escaped(title);
    match svg.strip_prefix("<svg ").and_then(|rest| rest.split_once('>')) {
        Some((attributes, content)) => {
            format!("<svg role=\"img\" aria-label=\"{title}\" {attributes}>\n<title>{title}</title>{content}")
        }
        None => svg.to_owned(),
    }
}

/// Text of `size` pixels.
pub fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// What an axis shows.
#[derive(Debug, Clone)]
pub struct Axis<'a> {
    /// Quantity and unit.
    pub label: &'a str,
    /// What is shown of it.
    pub range: Range<f64>,
    /// Labels at most.
    pub ticks: usize,
}

/// A chart with light grid lines and labelled axes.
///
/// # Errors
/// [`DrawError::Draw`].
pub fn chart<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    x: Axis<'_>,
    y: Axis<'_>,
) -> Result<Chart<'a, 'b>, DrawError> {
    chart_scaled(area, title, x, y, false)
}

/// The same; the vertical axis may show powers of ten, of which it has the exponents.
///
/// # Errors
/// [`DrawError::Draw`].
pub fn chart_scaled<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    x: Axis<'_>,
    y: Axis<'_>,
    logarithmic: bool,
) -> Result<Chart<'a, 'b>, DrawError> {
    let mut chart = ChartBuilder::on(area)
        .caption(title, text(17))
        .margin(12)
        .margin_right(20)
        .x_label_area_size(46)
        .y_label_area_size(if logarithmic { 72 } else { 58 })
        .build_cartesian_2d(x.range.clone(), y.range.clone())
        .map_err(DrawError::draw)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc(x.label)
        .y_desc(y.label)
        .x_labels(x.ticks)
        .y_labels(y.ticks)
        .x_label_formatter(&|value| number(*value))
        .y_label_formatter(&|value| if logarithmic { power_of_ten(*value) } else { number(*value) })
        .label_style(text(13))
        .axis_desc_style(text(14))
        .draw()
        .map_err(DrawError::draw)?;
    Ok(chart)
}

/// A tick's number without needless digits.
fn number(value: f64) -> String {
    format!("{}", (value * 1e6).round() / 1e6)
}

/// `10^exponent`: a whole power without needless digits, any other with three.
pub fn power_of_ten(exponent: f64) -> String {
    let power = 10_f64.powf(exponent);
    if (exponent - exponent.round()).abs() > 1e-9 {
        return crate::report::markdown::significant(power);
    }
    if (-3.0..6.0).contains(&exponent.round()) { number(power) } else { format!("{power:.0e}") }
}

/// Draws `(x, y)` as a line as far as it lies below `top`.
///
/// # Errors
/// [`DrawError::Draw`].
pub fn line(
    chart: &mut Chart<'_, '_>,
    points: &[(f64, f64)],
    top: f64,
    color: RGBColor,
) -> Result<(), DrawError> {
    let mut visible = Vec::new();
    for (i, &point) in points.iter().enumerate() {
        if let Some(&before) = i.checked_sub(1).and_then(|i| points.get(i))
            && (before.1 > top) != (point.1 > top)
        {
            let share = (top - before.1) / (point.1 - before.1);
            visible.push((before.0 + share * (point.0 - before.0), top));
        }
        if point.1 <= top {
            visible.push(point);
        }
    }
    chart.draw_series(LineSeries::new(visible, color.stroke_width(2))).map_err(DrawError::draw)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_title_for_those_who_do_not_see_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.svg");
        save(&path, "a < b & \"c\"", (40, 30), |_| Ok(())).unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        assert!(
            svg.contains("<title>a &lt; b &amp; ") && svg.starts_with("<svg role=\"img\" aria-label="),
            "{svg}"
        );
    }

    #[test]
    fn powers_of_ten_are_short() {
        let found = [-5.0, -3.0, -0.0, 4.0, 6.0, 0.5].map(power_of_ten);
        assert_eq!(found, ["1e-5", "0.001", "1", "10000", "1e6", "3.16"]);
    }
}
