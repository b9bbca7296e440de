//! Pictures of a loss over a plane: level lines over shades, and the surface in space.

use std::path::Path;

use plotters::{
    chart::ChartBuilder,
    element::{EmptyElement, PathElement, Rectangle, Text},
    series::SurfaceSeries,
    style::{
        Color, ShapeStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    look::shade,
    plot::{self, Area, Axis, DrawError, Frame, INK},
};
use crate::report::{markdown::significant, surface::Surface};

/// Levels that lines are drawn at, as shares of the decades shown.
const LEVELS: usize = 12;
/// Pixels of a surface's column, of the scale of colours beside them, and of a row.
const COLUMN: u32 = 500;
const SCALE: u32 = 110;
const ROW: u32 = 500;

/// Draws level lines of each of `surfaces`, side by side and in one scale, above the surfaces in space.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn draw(path: &Path, title: &str, surfaces: &[Surface]) -> Result<(), DrawError> {
    let finite = || surfaces.iter().flat_map(|s| &s.losses).copied().filter(|x| x.is_finite() && *x > 0.0);
    let (low, high) = finite().fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
    let scale = Scale { low: low.max(1e-6).log10(), high: high.max(2e-6).log10() };
    let columns = COLUMN * surfaces.len().max(1) as u32;
    plot::save(path, title, (columns + SCALE, 40 + 2 * ROW), |area| {
        let area = area.titled(title, plot::text(20)).map_err(DrawError::draw)?;
        let (area, side) = area.split_horizontally(columns);
        colors(&side.split_vertically(ROW).0, scale)?;
        let cells = area.split_evenly((2, surfaces.len().max(1)));
        let (above, below) = cells.split_at(surfaces.len());
        for (surface, (above, below)) in surfaces.iter().zip(above.iter().zip(below)) {
            contours(above, surface, scale)?;
            in_space(below, surface, scale)?;
        }
        Ok(())
    })
}

/// Decades of loss shown.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// 0 at the lowest loss shown, 1 at the highest, linear in the logarithm.
    fn share(self, loss: f64) -> f64 {
        ((loss.max(1e-6).log10() - self.low) / (self.high - self.low).max(1e-9)).clamp(0.0, 1.0)
    }

    fn level(self, number: usize) -> f64 {
        10_f64.powf(self.low + (self.high - self.low) * (number as f64 + 0.5) / LEVELS as f64)
    }
}

/// What the shades mean: the loss of each level.
fn colors(area: &Area<'_>, scale: Scale) -> Result<(), DrawError> {
    const STEPS: i32 = 120;
    let heading = plot::text(13).pos(Pos::new(HPos::Left, VPos::Bottom));
    for (line, y) in [("loss (nats),", 26), ("logarithmic", 42)] {
        area.draw(&Text::new(line, (0, y), heading.clone())).map_err(DrawError::draw)?;
    }
    let area = area.margin(48, 60, 0, 0);
    let height = area.dim_in_pixel().1 as i32;
    let draw = |corners, color| area.draw(&Rectangle::new(corners, color)).map_err(DrawError::draw);
    for step in 0..STEPS {
        let y = |step: i32| height - height * step / STEPS;
        draw([(0, y(step + 1)), (18, y(step))], shade((f64::from(step) + 0.5) / f64::from(STEPS)).filled())?;
    }
    let style = plot::text(12).pos(Pos::new(HPos::Left, VPos::Center));
    for number in 0..LEVELS {
        let level = scale.level(number);
        let y = height - (f64::from(height) * scale.share(level)) as i32;
        area.draw(&PathElement::new(vec![(0, y), (18, y)], over(scale.share(level))))
            .map_err(DrawError::draw)?;
        area.draw(&Text::new(significant(level), (24, y), style.clone())).map_err(DrawError::draw)?;
    }
    Ok(())
}

/// A thin line that is seen on the shade of `share`.
fn over(share: f64) -> ShapeStyle {
    let color = if share < 0.5 { WHITE.mix(0.8) } else { INK.mix(0.7) };
    ShapeStyle { color, filled: false, stroke_width: 1 }
}

fn contours(area: &Area<'_>, surface: &Surface, scale: Scale) -> Result<(), DrawError> {
    let steps = &surface.steps;
    let (first, last) = (steps[0], steps[steps.len() - 1]);
    let axis = |label| Axis::new(label, first..last, 7);
    let frame = Frame { title: &surface.name, square: true, ..Frame::default() };
    let mut chart = plot::chart(area, frame, &axis("direction 1"), &axis("direction 2"))?;
    let size = steps.len();
    let at = |row: usize, column: usize| surface.losses[row * size + column];
    let cells = (0..size - 1).flat_map(|row| (0..size - 1).map(move |column| (row, column)));
    let shades = cells.clone().map(|(row, column)| {
        let mean =
            (at(row, column) + at(row + 1, column) + at(row, column + 1) + at(row + 1, column + 1)) / 4.0;
        // Into the cells that are drawn after it: no seam is left between them.
        let end =
            |i: usize| steps[i + 1] + if i + 2 < size { (steps[i + 2] - steps[i + 1]) / 2.0 } else { 0.0 };
        let corners = [(steps[column], steps[row]), (end(column), end(row))];
        Rectangle::new(corners, shade(scale.share(mean)).filled())
    });
    chart.draw_series(shades).map_err(DrawError::draw)?;
    for number in 0..LEVELS {
        let level = scale.level(number);
        let lines = cells.clone().flat_map(|(row, column)| {
            let corner = |r: usize, c: usize| (steps[column + c], steps[row + r], at(row + r, column + c));
            level_in_cell([corner(0, 0), corner(0, 1), corner(1, 1), corner(1, 0)], level)
        });
        let thin = over(scale.share(level));
        chart
            .draw_series(lines.map(|line| PathElement::new(line.to_vec(), thin)))
            .map_err(DrawError::draw)?;
    }
    let cross = ShapeStyle { color: WHITE.to_rgba(), filled: false, stroke_width: 2 };
    let arm = 0.02 * (last - first);
    let marks = [vec![(-arm, 0.0), (arm, 0.0)], vec![(0.0, -arm), (0.0, arm)]];
    chart.draw_series(marks.map(|mark| PathElement::new(mark, cross))).map_err(DrawError::draw)?;
    Ok(())
}

/// The pieces of the line at `level` in a cell with these corners (x, y, loss), one after the other around it: marching
/// squares, with straight lines between where its edges cross the level.
pub fn level_in_cell(corners: [(f64, f64, f64); 4], level: f64) -> Vec<[(f64, f64); 2]> {
    let mut crossings = Vec::new();
    for i in 0..4 {
        let (a, b) = (corners[i], corners[(i + 1) % 4]);
        if (a.2 > level) != (b.2 > level) {
            let share = (level - a.2) / (b.2 - a.2);
            crossings.push((a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1)));
        }
    }
    crossings.as_chunks().0.to_vec()
}

fn in_space(area: &Area<'_>, surface: &Surface, scale: Scale) -> Result<(), DrawError> {
    let steps = &surface.steps;
    let (first, last) = (steps[0], steps[steps.len() - 1]);
    let height = |loss: f64| scale.low + scale.share(loss) * (scale.high - scale.low);
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{}: the surface, loss on a logarithmic scale", surface.name), plot::text(15))
        .margin(12)
        .build_cartesian_3d(first..last, scale.low..scale.high, first..last)
        .map_err(DrawError::draw)?;
    chart.with_projection(|mut projection| {
        (projection.pitch, projection.yaw, projection.scale) = (0.5, 0.6, 0.72);
        projection.into_matrix()
    });
    chart
        .configure_axes()
        .light_grid_style(INK.mix(0.08))
        .bold_grid_style(INK.mix(0.15))
        .label_style(plot::text(12))
        .x_formatter(&|x| format!("{x:.1}"))
        .y_formatter(&|y| significant(10_f64.powf(*y)))
        .z_formatter(&|z| format!("{z:.1}"))
        .x_labels(5)
        .y_labels(5)
        .z_labels(5)
        .draw()
        .map_err(DrawError::draw)?;
    let size = steps.len();
    let near = |value: f64| steps.iter().position(|step| *step >= value - 1e-9).unwrap_or(size - 1);
    let loss = |x: f64, z: f64| height(surface.losses[near(z) * size + near(x)]);
    let style = |y: &f64| {
        let share = (y - scale.low) / (scale.high - scale.low).max(1e-9);
        shade(share).mix(0.95).filled()
    };
    let series = SurfaceSeries::xoz(steps.iter().copied(), steps.iter().copied(), loss).style_func(&style);
    chart.draw_series(series).map_err(DrawError::draw)?;
    let names = [
        ("direction 1", (0.0, scale.low, last), (0, 40)),
        ("direction 2", (last, scale.low, 0.0), (44, 26)),
        ("loss", (first, scale.high, last), (0, -14)),
    ];
    let style = plot::text(13).pos(Pos::new(HPos::Center, VPos::Center));
    for (name, place, offset) in names {
        let text = EmptyElement::at(place) + Text::new(name, offset, style.clone());
        chart.draw_series([text]).map_err(DrawError::draw)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_line_lies_where_a_plane_has_its_level() {
        // loss = x + 2 y on the unit cell: the level 1 goes from (1, 0) to (0, 1/2).
        let corners = [(0.0, 0.0, 0.0), (1.0, 0.0, 1.0), (1.0, 1.0, 3.0), (0.0, 1.0, 2.0)];
        let lines = level_in_cell(corners, 1.5);
        assert_eq!(lines.len(), 1);
        for (x, y) in lines[0] {
            assert!((x + 2.0 * y - 1.5).abs() < 1e-12, "{x} {y}");
        }
        assert!(level_in_cell(corners, 5.0).is_empty());
        // A saddle is crossed twice.
        let saddle = [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0)];
        assert_eq!(level_in_cell(saddle, 0.5).len(), 2);
    }
}
