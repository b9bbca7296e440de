//! Draws a [`Figure`]: axes, bands, dots, legend.

use std::path::Path;

use plotters::{
    element::{Circle, Cross, EmptyElement, PathElement, Polygon, Rectangle, Text, TriangleMarker},
    prelude::{DashedLineSeries, SeriesLabelPosition},
    style::{
        Color, RGBColor, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::plot::{self, Area, Axis, BLUE, Chart, DrawError, INK, SKY, VERMILION};
use crate::report::figure::{Figure, Horizontal, Panel, Point, Series, Style};

/// Colours in the order in which series get them: all can be told apart with any kind of colour vision.
pub const PALETTE: [RGBColor; 9] = [
    BLUE,
    VERMILION,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    SKY,
    RGBColor(120, 94, 40),
    RGBColor(90, 90, 90),
    RGBColor(150, 190, 60),
];

/// The methods whose colour is the same in every picture: the palette's of that place.
const METHODS: [&str; 4] = ["SGD", "SAM", "ASAM", "mixup"];

/// Draws `figure` to `path`.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn draw(path: &Path, figure: &Figure) -> Result<(), DrawError> {
    let columns = figure.panels.len().clamp(1, 2);
    let rows = figure.panels.len().div_ceil(2).max(1);
    let size = (if columns == 1 { 760 } else { 1120 }, 44 + 400 * rows as u32);
    plot::save(path, &figure.title, size, |area| {
        let area = area.titled(&figure.title, plot::text(20)).map_err(DrawError::draw)?;
        for (area, panel) in area.split_evenly((rows, columns)).iter().zip(&figure.panels) {
            draw_panel(area, panel)?;
        }
        Ok(())
    })
}

fn draw_panel(area: &Area<'_>, panel: &Panel) -> Result<(), DrawError> {
    // A share is never above 100 %, though an interval may reach there.
    let most = if panel.y.ends_with("(%)") { 100.0 } else { f64::INFINITY };
    let scale = |value: f64| {
        let value = value.min(most);
        if panel.logarithmic { value.log10() } else { value }
    };
    let ends = |point: &Point| point.y.ends();
    let points = || panel.series.iter().flat_map(|series| &series.points);
    // A wide interval on a logarithmic axis may reach below zero: the mean alone counts then.
    let heights = points().flat_map(|point| ends(point).map(scale).into_iter().chain([scale(point.y.mean)]));
    let (mut low, mut high) = range(heights);
    if panel.from_zero && !panel.logarithmic {
        low = low.min(0.0);
        high = if high > 0.0 { high } else { 1.0 };
    }
    let margin = 0.08 * (high - low);
    // The legend, in the upper right, gets room of its own where dots may be anywhere or lines end high.
    let (left, right) = range(points().map(|point| point.x));
    let legend =
        0.07 * panel.series.iter().filter(|series| !series.name.is_empty()).count() as f64 * (high - low);
    let covered =
        |point: &Point| point.x > right - 0.3 * (right - left) && scale(point.y.mean) > high - legend;
    if panel.series.iter().any(|series| series.style == Style::Dots) || points().any(covered) {
        high += legend;
    }
    // Where no mean is negative the axis has no room for negative numbers, though an interval may reach there.
    let positive = !panel.logarithmic && points().all(|point| point.y.mean >= 0.0);
    let y = (if positive { (low - margin).max(0.0) } else { low - margin })..high + margin;
    let (x, label, ticks) = match &panel.x {
        Horizontal::Quantity(label) => (left..right, label.as_str(), 9),
        Horizontal::Categories(label, names) => (-0.5..names.len() as f64 - 0.5, label.as_str(), 0),
    };
    let bottom = y.start;
    let x_axis = Axis { label, range: x, ticks };
    let y_axis = Axis { label: &panel.y, range: y.clone(), ticks: 8 };
    let mut chart = plot::chart_scaled(area, &panel.title, x_axis, y_axis, panel.logarithmic)?;
    if let Horizontal::Categories(_, names) = &panel.x {
        let size = if names.len() > 6 { 11 } else { 13 };
        let style = plot::text(size).pos(Pos::new(HPos::Center, VPos::Top));
        for (i, name) in names.iter().enumerate() {
            // Long names stand on two levels in turn.
            let drop = if names.len() > 5 && name.len() > 6 && i % 2 == 1 { 19 } else { 6 };
            let label =
                EmptyElement::at((i as f64, bottom)) + Text::new(name.clone(), (0, drop), style.clone());
            chart.draw_series([label]).map_err(DrawError::draw)?;
        }
    }
    let colors = colors(panel);
    for (series, color) in panel.series.iter().zip(colors) {
        draw_series(&mut chart, series, color, y.start, scale)?;
    }
    if panel.series.iter().any(|series| !series.name.is_empty()) {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .border_style(INK.mix(0.3))
            .label_font(plot::text(13))
            .draw()
            .map_err(DrawError::draw)?;
    }
    Ok(())
}

/// The colour of each series by its number in the palette: that of its method in all pictures, if it is called like one, or stands in a
/// category that is; of the others none that such a one of them has.
fn colors(Panel { series, x, .. }: &Panel) -> Vec<usize> {
    let names: Vec<&str> = match x {
        Horizontal::Categories(_, names) if series.iter().all(|series| series.name.is_empty()) => {
            names.iter().map(String::as_str).collect()
        }
        _ => series.iter().map(|series| series.name.as_str()).collect(),
    };
    // The same method for another length is the same method.
    let method = |name: &'_ str| match name.split_once(", ") {
        Some((method, length)) if length.contains(" epoch") => method.to_owned(),
        _ => name.to_owned(),
    };
    let of_method = |name: &str| METHODS.iter().position(|known| *known == method(name));
    let of = |i: usize| names.get(i).and_then(|name| of_method(name));
    let taken: Vec<usize> = (0..series.len()).filter_map(of).collect();
    let free = |color: usize| {
        let mut all = (0..PALETTE.len()).map(|step| (color + step) % PALETTE.len());
        all.find(|color| !taken.contains(color)).unwrap_or(color)
    };
    series.iter().enumerate().map(|(i, series)| of(i).unwrap_or_else(|| free(series.color))).collect()
}

/// The ends of the finite ones of `values`, never equal.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match high - low {
        gap if gap > 0.0 => (low, high),
        _ if low.is_finite() => (low - 0.5, low + 0.5),
        _ => (0.0, 1.0),
    }
}

/// Marks that tell lines apart without their colours: dots, triangles, crosses, squares in turn.
fn markers(
    chart: &mut Chart<'_, '_>,
    places: &[(f64, f64)],
    number: usize,
    color: RGBColor,
) -> Result<(), DrawError> {
    let places = places.iter().copied();
    match number % 4 {
        0 => chart.draw_series(places.map(|place| Circle::new(place, 3, color.filled()))).map(drop),
        1 => chart.draw_series(places.map(|place| TriangleMarker::new(place, 5, color.filled()))).map(drop),
        2 => chart.draw_series(places.map(|place| Cross::new(place, 4, color.stroke_width(2)))).map(drop),
        _ => {
            let square = |place| EmptyElement::at(place) + Rectangle::new([(-3, -3), (3, 3)], color.filled());
            chart.draw_series(places.map(square)).map(drop)
        }
    }
    .map_err(DrawError::draw)
}

fn draw_series(
    chart: &mut Chart<'_, '_>,
    series: &Series,
    number: usize,
    floor: f64,
    scale: impl Fn(f64) -> f64,
) -> Result<(), DrawError> {
    let color = PALETTE[number % PALETTE.len()];
    let at = |point: &Point, value: f64| {
        let y = scale(value);
        (point.x, if y.is_finite() { y.max(floor) } else { floor })
    };
    let points: Vec<&Point> = series.points.iter().filter(|point| scale(point.y.mean).is_finite()).collect();
    let means: Vec<(f64, f64)> = points.iter().map(|point| at(point, point.y.mean)).collect();
    let stroke = color.stroke_width(2);
    match series.style {
        Style::Line => {
            let upper = points.iter().map(|p| at(p, p.y.ends()[1]));
            let band = upper.chain(points.iter().rev().map(|p| at(p, p.y.ends()[0])));
            let band: Vec<_> = band.collect();
            if points.iter().any(|point| point.y.ci95.is_some()) {
                chart.draw_series([Polygon::new(band, color.mix(0.18))]).map_err(DrawError::draw)?;
            }
            chart.draw_series([PathElement::new(means.clone(), stroke)]).map_err(DrawError::draw)?;
            if points.len() <= 40 {
                markers(chart, &means, number, color)?;
            }
        }
        Style::Dashed => {
            chart.draw_series(DashedLineSeries::new(means, 8, 5, stroke)).map_err(DrawError::draw)?;
        }
        Style::Dots => {
            let dots = means.iter().map(|&mean| Circle::new(mean, 4, color.mix(0.75).filled()));
            chart.draw_series(dots).map_err(DrawError::draw)?;
            let bars = points.iter().filter(|point| point.y.ci95.is_some());
            let bars = bars.map(|p| PathElement::new(p.y.ends().map(|end| at(p, end)).to_vec(), stroke));
            chart.draw_series(bars).map_err(DrawError::draw)?;
        }
    }
    if !series.name.is_empty() {
        let style = series.style;
        chart
            .draw_series(std::iter::empty::<Circle<(f64, f64), i32>>())
            .map_err(DrawError::draw)?
            .label(series.name.clone())
            .legend(move |(x, y)| {
                let ends = if style == Style::Dots {
                    vec![(x + 7, y), (x + 11, y)]
                } else {
                    vec![(x, y), (x + 18, y)]
                };
                PathElement::new(ends, color.stroke_width(if style == Style::Dots { 6 } else { 3 }))
            });
    }
    Ok(())
}
