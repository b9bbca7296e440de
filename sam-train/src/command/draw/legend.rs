//! What the lines and marks of a chart are: in rows above it, where they cover nothing.

use plotters::{
    element::{PathElement, Text},
    style::{
        Color, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    look::Look,
    plot::{self, Area, DrawError},
};

/// A line of the legend.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// What it looks like.
    pub swatch: Swatch,
}

/// What something looks like.
#[derive(Debug, Clone, Copy)]
pub enum Swatch {
    /// A line, dashed if its look is or if it is said so, with its mark.
    Line(Look),
    /// A dashed line without a mark.
    Dashed(Look),
    /// A mark.
    Mark(Look),
    /// A line of a colour of a scale.
    Shade(RGBColor),
}

/// Pixels of a row, of a swatch with its gap, between entries, and of a letter on average, widely.
const ROW: u32 = 20;
const SWATCH: u32 = 34;
const GAP: u32 = 18;
const LETTER: f64 = 7.4;

/// Draws `entries` at the top of `area`, and returns what is left of it.
///
/// # Errors
/// [`DrawError::Draw`].
pub fn draw<'a>(area: Area<'a>, entries: &[Entry]) -> Result<Area<'a>, DrawError> {
    if entries.is_empty() {
        return Ok(area);
    }
    let (width, _) = area.dim_in_pixel();
    let (places, rows) = places(entries, width);
    let (above, below) = area.split_vertically(rows * ROW + 2);
    for (entry, &(x, y)) in entries.iter().zip(&places) {
        let (x, y) = (x as i32, y as i32 + ROW as i32 / 2);
        let line = |color: RGBColor, dashed: bool| {
            let dashes: &[(i32, i32)] = if dashed { &[(0, 7), (10, 18), (21, 28)] } else { &[(0, 28)] };
            dashes.iter().try_for_each(|&(from, to)| {
                above.draw(&PathElement::new(vec![(x + from, y), (x + to, y)], color.stroke_width(2)))
            })
        };
        match entry.swatch {
            Swatch::Line(look) => {
                line(look.color(), look.dashed()).map_err(DrawError::draw)?;
                above.draw(&look.mark((x + 14, y))).map_err(DrawError::draw)?;
            }
            Swatch::Dashed(look) => line(look.color(), true).map_err(DrawError::draw)?,
            Swatch::Mark(look) => above.draw(&look.mark((x + 14, y))).map_err(DrawError::draw)?,
            Swatch::Shade(color) => line(color, false).map_err(DrawError::draw)?,
        }
        let style = plot::text(13).pos(Pos::new(HPos::Left, VPos::Center));
        above.draw(&Text::new(entry.name.clone(), (x + SWATCH as i32, y), style)).map_err(DrawError::draw)?;
    }
    Ok(below)
}

/// Where the entries begin, and how many rows they take.
fn places(entries: &[Entry], width: u32) -> (Vec<(u32, u32)>, u32) {
    const LEFT: u32 = 40;
    let (mut x, mut row) = (LEFT, 0);
    let mut places = Vec::new();
    for entry in entries {
        let own = SWATCH + (entry.name.chars().count() as f64 * LETTER) as u32;
        if x > LEFT && x + own > width {
            (x, row) = (LEFT, row + 1);
        }
        places.push((x, row * ROW));
        x += own + GAP;
    }
    (places, row + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_share_rows_and_never_a_place() {
        let entry = |name: &str| Entry { name: name.to_owned(), swatch: Swatch::Mark(Look::new(0)) };
        let entries: Vec<Entry> =
            ["SGD", "SAM with AdamW, 30 epochs", "Momentum SAM", "mixup"].map(entry).into();
        let (places, rows) = places(&entries, 400);
        assert_eq!((places.len(), rows), (4, 2));
        for pair in places.windows(2) {
            assert!(pair[0].1 < pair[1].1 || pair[0].0 + SWATCH < pair[1].0, "{places:?}");
        }
    }
}
