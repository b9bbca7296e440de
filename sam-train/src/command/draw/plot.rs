//! What all pictures share: files, colours, axes, lines with bands.

use std::{ops::Range, path::Path};

use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::{
        Shift,
        ranged1d::{DefaultFormatting, KeyPointHint, Ranged},
        types::RangedCoordf64,
    },
    element::{EmptyElement, Text},
    prelude::{Cartesian2d, DashedLineSeries, DrawingArea, IntoDrawingArea, SVGBackend},
    series::LineSeries,
    style::{
        Color, IntoFont, RGBColor, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    legend::{self, Entry},
    look::Look,
    raster, ticks,
};
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
/// Marks on a line at most.
const MARKS: usize = 30;
/// Pixels between a chart's head and its upper edge.
const TOP: u32 = 8;
/// Grid lines.
const GRID: RGBColor = RGBColor(228, 228, 228);

/// A region of a picture.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A region with axes.
pub type Chart<'b> = ChartContext<'b, SVGBackend<'b>, Cartesian2d<Quantity, Quantity>>;

/// An axis whose numbers stand where we put them.
pub struct Quantity {
    places: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ranged for Quantity {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.places.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // No finer lines between those that have numbers.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.places.range()
    }
}

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
    /// What is shown of it: of a logarithmic axis, exponents of ten.
    pub range: Range<f64>,
    /// Numbers at most.
    pub ticks: usize,
    /// Whether it is logarithmic, which its label then says.
    pub logarithmic: bool,
}

impl<'a> Axis<'a> {
    /// A linear axis.
    pub const fn new(label: &'a str, range: Range<f64>, ticks: usize) -> Self {
        Self { label, range, ticks, logarithmic: false }
    }

    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            return ticks::logarithmic(&self.range, self.ticks);
        }
        let mut ticks = ticks::linear(&self.range, self.ticks);
        if self.label == "epoch" {
            ticks.retain(|epoch| epoch.fract() == 0.0);
        }
        ticks
    }

    /// What it is called.
    fn named(&self) -> String {
        format!("{}{}", self.label, if self.logarithmic { ", logarithmic" } else { "" })
    }

    /// The text of the number at `value`, one of `ticks`.
    fn written(&self, value: f64, ticks: &[f64]) -> String {
        if !self.logarithmic {
            return ticks::number(value);
        }
        let place = ticks.iter().position(|tick| *tick == value);
        place.and_then(|place| ticks::powers(ticks).into_iter().nth(place)).unwrap_or_default()
    }
}

/// What a chart has around its axes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Frame<'a> {
    /// What it shows, on top.
    pub title: &'a str,
    /// The legend, below that.
    pub entries: &'a [Entry],
    /// Names of categories at 0, 1, 2, ... of the horizontal axis, which has no numbers then.
    pub names: &'a [String],
    /// Whether a unit of one axis is to be as long as one of the other, their ranges being equal.
    pub square: bool,
}

/// A chart with light grid lines and labelled axes in its `frame`.
///
/// # Errors
/// [`DrawError::Draw`].
pub fn chart<'b>(
    area: &Area<'b>,
    frame: Frame<'_>,
    x: &Axis<'_>,
    y: &Axis<'_>,
) -> Result<Chart<'b>, DrawError> {
    let Frame { title, entries, names, square } = frame;
    let area = area.margin(12, 12, 12, 20);
    let area = if title.is_empty() { area } else { area.titled(title, text(17)).map_err(DrawError::draw)? };
    let area = legend::draw(area, entries)?;
    let (left, size) = (if y.logarithmic { 72 } else { 58 }, 13);
    let each = f64::from(area.dim_in_pixel().0.saturating_sub(left)) / names.len().max(1) as f64;
    let names: Vec<Vec<String>> =
        names.iter().map(|name| in_lines(name, (each / (0.58 * f64::from(size))) as usize)).collect();
    let lines = names.iter().map(Vec::len).max().unwrap_or(1) as u32;
    let below = 26 + 15 * lines + if x.label.is_empty() { 0 } else { 5 };
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width.saturating_sub(left), height.saturating_sub(below + TOP));
    let area = match square {
        true => area.margin(0, height.saturating_sub(width), 0, width.saturating_sub(height)),
        false => area,
    };
    let (x_ticks, y_ticks) = (x.ticks(), y.ticks());
    let mut chart = ChartBuilder::on(&area)
        .x_label_area_size(below)
        .y_label_area_size(left)
        .margin_top(TOP)
        .build_cartesian_2d(
            Quantity { places: x.range.clone().into(), ticks: x_ticks.clone() },
            Quantity { places: y.range.clone().into(), ticks: y_ticks.clone() },
        )
        .map_err(DrawError::draw)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc(x.named())
        .y_desc(y.named())
        .x_label_formatter(&|value| x.written(*value, &x_ticks))
        .y_label_formatter(&|value| y.written(*value, &y_ticks))
        .label_style(text(size))
        .axis_desc_style(text(14))
        .draw()
        .map_err(DrawError::draw)?;
    let style = text(size).pos(Pos::new(HPos::Center, VPos::Top));
    for (place, lines) in names.iter().enumerate() {
        for (line, name) in lines.iter().enumerate() {
            let below = EmptyElement::at((place as f64, y.range.start))
                + Text::new(name.clone(), (0, 7 + 15 * line as i32), style.clone());
            chart.draw_series([below]).map_err(DrawError::draw)?;
        }
    }
    Ok(chart)
}

/// `name` in lines of `most` letters, as far as its words are no longer.
fn in_lines(name: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Draws `points` as a line of that look as far as it lies below `top`, with a mark at each point as long as they can be told apart.
///
/// # Errors
/// [`DrawError::Draw`].
pub fn line(chart: &mut Chart<'_>, points: &[(f64, f64)], top: f64, look: Look) -> Result<(), DrawError> {
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
    let stroke = look.color().stroke_width(2);
    match look.dashed() {
        true => chart.draw_series(DashedLineSeries::new(visible, 8, 4, stroke)).map(drop),
        false => chart.draw_series(LineSeries::new(visible, stroke)).map(drop),
    }
    .map_err(DrawError::draw)?;
    // Of many points some have marks.
    let every = points.len().div_ceil(MARKS).max(1);
    let marked = points.iter().skip((every - 1) / 2).step_by(every).filter(|point| point.1 <= top);
    chart.draw_series(marked.map(|&point| look.mark(point))).map_err(DrawError::draw)?;
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
    fn a_name_is_broken_between_its_words() {
        assert_eq!(in_lines("SAM with AdamW, 30 epochs", 12), ["SAM with", "AdamW, 30", "epochs"]);
        assert_eq!(in_lines("m-sharpness", 4), ["m-sharpness"]);
        assert_eq!(in_lines("SGD, 30 epochs", 30), ["SGD, 30 epochs"]);
    }
}
