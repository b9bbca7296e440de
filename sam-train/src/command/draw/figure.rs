//! Draws a [`Figure`]: axes, bands, dots, legend.

use std::path::Path;

use plotters::{
    element::{Circle, PathElement, Polygon},
    prelude::DashedLineSeries,
    style::Color,
};

use super::{
    legend::{Entry, Swatch},
    look::{self, Look},
    plot::{self, Area, Axis, Chart, DrawError, Frame},
};
use crate::report::figure::{Figure, Horizontal, Panel, Point, Series, Style};

/// Lines whose bands can be told apart where they lie upon each other.
const BANDS: usize = 4;
/// Categories that a panel of half the width has room for.
const NARROW: usize = 6;

/// Draws `figure` to `path`.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn draw(path: &Path, figure: &Figure) -> Result<(), DrawError> {
    let rows = rows(&figure.panels);
    let width = if figure.panels.len() == 1 { 760.max(room(&figure.panels[0])) } else { 1120 };
    plot::save(path, &figure.title, (width, 44 + 400 * rows.len().max(1) as u32), |area| {
        let area = area.titled(&figure.title, plot::text(20)).map_err(DrawError::draw)?;
        for (area, panels) in area.split_evenly((rows.len().max(1), 1)).iter().zip(rows) {
            for (area, panel) in area.split_evenly((1, panels.len())).iter().zip(panels) {
                draw_panel(area, panel)?;
            }
        }
        Ok(())
    })
}

/// Two panels in a row, but for those that have too many categories for that, and the last one if there is no other for it.
fn rows(panels: &[Panel]) -> Vec<&[Panel]> {
    let mut rows = Vec::new();
    let mut rest = panels;
    while !rest.is_empty() {
        let both = rest.len() > 1 && rest[..2].iter().all(|panel| categories(panel) <= NARROW);
        let (row, behind) = rest.split_at(if both { 2 } else { 1 });
        rows.push(row);
        rest = behind;
    }
    rows
}

fn categories(panel: &Panel) -> usize {
    match &panel.x {
        Horizontal::Categories(_, names) => names.len(),
        Horizontal::Quantity(_) => 0,
    }
}

/// Pixels that a panel's categories want.
fn room(panel: &Panel) -> u32 {
    80 + 90 * categories(panel) as u32
}

/// How high a value stands, no higher than can be; what is no number stands nowhere.
fn height(panel: &Panel, value: f64) -> f64 {
    let value = if value > panel.most() { panel.most() } else { value };
    if panel.logarithmic { value.log10() } else { value }
}

fn draw_panel(area: &Area<'_>, panel: &Panel) -> Result<(), DrawError> {
    let scale = |value: f64| height(panel, value);
    let points = || panel.series.iter().flat_map(|series| &series.points);
    // A wide interval on a logarithmic axis may reach below zero: the mean alone counts then.
    let heights =
        points().flat_map(|point| point.y.ends().map(scale).into_iter().chain([scale(point.y.mean)]));
    let (mut low, mut high) = range(heights);
    if panel.from_zero && !panel.logarithmic {
        low = low.min(0.0);
        high = if high > 0.0 { high } else { 1.0 };
    }
    let margin = 0.08 * (high - low);
    // Where no mean is negative the axis has no room for negative numbers, though an interval may reach there.
    let positive = !panel.logarithmic && points().all(|point| point.y.mean.is_nan() || point.y.mean >= 0.0);
    let y = (if positive { (low - margin).max(0.0) } else { low - margin })
        ..(high + margin).min(scale(panel.most()));
    let (mut left, mut right) = range(points().map(|point| point.x));
    // Dots, unlike lines, would stand upon the frame.
    if panel.series.iter().all(|series| series.style == Style::Dots) {
        let aside = 0.04 * (right - left);
        (left, right) = (if left >= 0.0 { (left - aside).max(0.0) } else { left - aside }, right + aside);
    }
    let (x, label, ticks, names): (_, _, _, &[String]) = match &panel.x {
        Horizontal::Quantity(label) => (left..right, label.as_str(), 9, &[]),
        Horizontal::Categories(label, names) => (-0.5..names.len() as f64 - 0.5, label.as_str(), 0, names),
    };
    let x_axis = Axis::new(label, x, ticks);
    let y_axis = Axis { logarithmic: panel.logarithmic, ..Axis::new(&panel.y, y.clone(), 8) };
    let looks = looks(panel);
    let named = panel.series.iter().zip(&looks).filter(|(series, _)| !series.name.is_empty());
    let entries: Vec<Entry> = named.map(|(series, look)| entry(series, *look)).collect();
    let frame = Frame { title: &panel.title, entries: &entries, names, ..Frame::default() };
    let mut chart = plot::chart(area, frame, &x_axis, &y_axis)?;
    let bands = panel.series.iter().filter(|series| series.style == Style::Line).count() <= BANDS;
    for (series, look) in panel.series.iter().zip(looks) {
        draw_series(&mut chart, series, look, bands, &scale, y.start)?;
    }
    Ok(())
}

/// The look of each series: that of its method, if it is called like one or stands in a category that is.
fn looks(Panel { series, x, .. }: &Panel) -> Vec<Look> {
    let names: Vec<&str> = match x {
        Horizontal::Categories(_, names) if series.iter().all(|series| series.name.is_empty()) => {
            names.iter().map(String::as_str).collect()
        }
        _ => series.iter().map(|series| series.name.as_str()).collect(),
    };
    Look::of(series.iter().enumerate().map(|(i, series)| (names.get(i).copied().unwrap_or(""), series.color)))
}

fn entry(series: &Series, look: Look) -> Entry {
    let swatch = match series.style {
        Style::Line => Swatch::Line(look),
        Style::Dashed => Swatch::Dashed(look),
        Style::Dots => Swatch::Mark(look),
        Style::Shaded(share) => Swatch::Shade(look::line_shade(share)),
    };
    Entry { name: series.name.clone(), swatch }
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

/// Draws `series`; `scale` is where a value stands, not finite where it has no place, and `floor` where the axis begins.
fn draw_series(
    chart: &mut Chart<'_>,
    series: &Series,
    look: Look,
    bands: bool,
    scale: &impl Fn(f64) -> f64,
    floor: f64,
) -> Result<(), DrawError> {
    let color = look.color();
    let stroke = color.stroke_width(2);
    let mean = |point: &Point| (point.x, scale(point.y.mean).max(floor));
    // An interval may reach where the axis does not.
    let end = |point: &Point, i: usize| {
        let height = scale(point.y.ends()[i]);
        (point.x, if height.is_finite() { height.max(floor) } else { floor })
    };
    let bar = |point: &Point| PathElement::new(vec![end(point, 0), end(point, 1)], stroke);
    let known = |point: &Point| point.y.ci95.is_some();
    // A line has a gap where there is no value.
    let lines = || {
        let parts = series.points.split(|point| !scale(point.y.mean).is_finite());
        parts.filter(|part| !part.is_empty())
    };
    match series.style {
        Style::Line => {
            for part in lines() {
                if part.iter().any(known) && bands {
                    let upper = part.iter().map(|point| end(point, 1));
                    let band = upper.chain(part.iter().rev().map(|point| end(point, 0))).collect::<Vec<_>>();
                    chart.draw_series([Polygon::new(band, color.mix(0.18))]).map_err(DrawError::draw)?;
                } else if let Some(last) = part.last().filter(|point| known(point)) {
                    // Many bands upon each other are one: the interval of the end alone.
                    chart.draw_series([bar(last)]).map_err(DrawError::draw)?;
                }
                plot::line(chart, &part.iter().map(mean).collect::<Vec<_>>(), f64::INFINITY, look)?;
            }
        }
        Style::Shaded(share) => {
            let stroke = look::line_shade(share).stroke_width(2);
            let paths =
                lines().map(|part| PathElement::new(part.iter().map(mean).collect::<Vec<_>>(), stroke));
            chart.draw_series(paths).map_err(DrawError::draw)?;
        }
        Style::Dashed => {
            for part in lines() {
                let means: Vec<(f64, f64)> = part.iter().map(mean).collect();
                chart.draw_series(DashedLineSeries::new(means, 8, 5, stroke)).map_err(DrawError::draw)?;
            }
        }
        Style::Dots => {
            let points: Vec<&Point> = lines().flatten().collect();
            // Beside a mean with its interval, the others are single runs.
            let any = points.iter().any(|point| known(point));
            let (means, single): (Vec<&Point>, Vec<&Point>) =
                points.into_iter().partition(|point| !any || known(point));
            let dots = single.into_iter().map(|point| Circle::new(mean(point), 3, color.mix(0.4).filled()));
            chart.draw_series(dots).map_err(DrawError::draw)?;
            let bars = means.iter().filter(|point| known(point)).map(|point| bar(point));
            chart.draw_series(bars).map_err(DrawError::draw)?;
            chart
                .draw_series(means.into_iter().map(|point| look.mark(mean(point))))
                .map_err(DrawError::draw)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::statistics::Estimate;

    fn panel(categories: usize) -> Panel {
        let names = (0..categories).map(|i| format!("number {i}")).collect();
        let wide = |x| Point { x, y: Estimate::of(&[80.0, 110.0]) };
        let series = |name: &str, style| Series {
            name: name.to_owned(),
            color: 0,
            style,
            points: vec![wide(0.0), Point::exact(1.0, f64::NAN), Point::exact(2.0, 90.0), wide(3.0)],
        };
        Panel {
            title: "Panel".to_owned(),
            x: Horizontal::Categories("category".to_owned(), names),
            y: "error (%)".to_owned(),
            from_zero: true,
            logarithmic: false,
            series: vec![series("SGD, 2 epochs", Style::Line), series("SGD, 4 epochs", Style::Dots)],
        }
    }

    #[test]
    fn panels_share_a_row_unless_they_are_wide_or_alone() {
        let lengths = |categories: &[usize]| -> Vec<usize> {
            let panels: Vec<Panel> = categories.iter().map(|&count| panel(count)).collect();
            rows(&panels).iter().map(|row| row.len()).collect()
        };
        assert_eq!(lengths(&[4, 4, 4]), [2, 1]);
        assert_eq!(lengths(&[4, 9]), [1, 1]);
        assert_eq!(lengths(&[9, 4, 4]), [1, 2]);
        assert!(lengths(&[]).is_empty());
    }

    #[test]
    fn what_has_no_value_has_no_height() {
        for logarithmic in [false, true] {
            let panel = Panel { logarithmic, ..panel(4) };
            assert!(height(&panel, f64::NAN).is_nan());
            assert_eq!(height(&panel, 110.0), height(&panel, 100.0));
        }
    }

    #[test]
    fn no_axis_goes_beyond_what_can_be_and_every_name_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.svg");
        for logarithmic in [false, true] {
            let panel = Panel { logarithmic, ..panel(4) };
            draw(&path, &Figure { title: "Figure".to_owned(), panels: vec![panel] }).unwrap();
            let svg = std::fs::read_to_string(&path).unwrap();
            let texts: Vec<&str> =
                svg.lines().filter(|line| !line.starts_with('<') && !line.is_empty()).collect();
            for name in ["SGD, 2 epochs", "SGD, 4 epochs", "number 3", "category", "100"] {
                assert!(texts.contains(&name), "{name}: {texts:?}");
            }
            let numbers = texts.iter().filter_map(|text| text.parse::<f64>().ok());
            assert!(numbers.into_iter().all(|number| (0.0..=100.0).contains(&number)), "{texts:?}");
            assert_eq!(texts.contains(&"error (%), logarithmic"), logarithmic);
            assert!(!svg.contains("NaN"), "{svg}");
        }
    }
}
