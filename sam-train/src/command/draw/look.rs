//! How things look: colours that all can tell apart, marks for those who see none, and what a method has of both in every picture.

use plotters::{
    backend::DrawingBackend,
    element::{ComposedElement, EmptyElement, PathElement, Polygon},
    style::{Color, RGBColor, WHITE},
};

use super::plot::{BLUE, SKY, VERMILION};
use crate::training::base::Base;

/// Colours in the order in which series get them: all can be told apart with any kind of colour vision.
const PALETTE: [RGBColor; 10] = [
    BLUE,
    VERMILION,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    SKY,
    RGBColor(120, 94, 40),
    RGBColor(90, 90, 90),
    RGBColor(150, 190, 60),
    RGBColor(136, 34, 85),
];

/// The methods whose colour is the same in every picture: the palette's of that place. A base optimizer alone has the first.
const METHODS: [&str; 10] = [
    "SGD",
    "SAM",
    "ASAM",
    "mixup",
    "GSAM",
    "LookSAM",
    "WSAM",
    "Friendly SAM",
    "Momentum SAM",
    "ESAM (weights only)",
];

/// What tells a series from the others of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Which of the colours.
    color: usize,
    /// Whether an earlier series has the colour: then marks are hollow and lines dashed.
    again: bool,
}

impl Look {
    /// The colour of that number.
    pub const fn new(color: usize) -> Self {
        Self { color: color % PALETTE.len(), again: false }
    }

    /// The looks of series of these names, which ask for these colours: that of its method in all pictures for what is called like one;
    /// for the others none that such a one among them has.
    pub fn of<'a>(names: impl IntoIterator<Item = (&'a str, usize)>) -> Vec<Self> {
        let series: Vec<(Option<usize>, usize)> =
            names.into_iter().map(|(name, color)| (of_method(name), color)).collect();
        let taken: Vec<usize> = series.iter().filter_map(|one| one.0).collect();
        let free = |color: usize| {
            let mut all = (0..PALETTE.len()).map(|step| (color + step) % PALETTE.len());
            all.find(|color| !taken.contains(color)).unwrap_or(color % PALETTE.len())
        };
        let mut looks: Vec<Self> = Vec::new();
        for (method, color) in series {
            let color = method.unwrap_or_else(|| free(color));
            let again = looks.iter().any(|look| look.color == color);
            looks.push(Self { color, again });
        }
        looks
    }

    /// Its colour.
    pub const fn color(self) -> RGBColor {
        PALETTE[self.color]
    }

    /// Whether its lines are dashed.
    pub const fn dashed(self) -> bool {
        self.again
    }

    /// Its mark at `place`, of a chart or of an area: one of ten shapes, filled or hollow.
    pub fn mark<DB: DrawingBackend, C>(self, place: C) -> Mark<DB, C> {
        const ROUND: [(i32, i32); 12] = [
            (4, 1),
            (3, 3),
            (1, 4),
            (-1, 4),
            (-3, 3),
            (-4, 1),
            (-4, -1),
            (-3, -3),
            (-1, -4),
            (1, -4),
            (3, -3),
            (4, -1),
        ];
        const TRIANGLE: [(i32, i32); 3] = [(0, -5), (5, 4), (-5, 4)];
        const SQUARE: [(i32, i32); 4] = [(-4, -4), (4, -4), (4, 4), (-4, 4)];
        const DIAMOND: [(i32, i32); 4] = [(0, -6), (6, 0), (0, 6), (-6, 0)];
        // From end to end over the middle.
        const CROSS: [(i32, i32); 5] = [(-4, -4), (4, 4), (0, 0), (4, -4), (-4, 4)];
        const PLUS: [(i32, i32); 5] = [(-5, 0), (5, 0), (0, 0), (0, -5), (0, 5)];
        let (corners, hollow): (&[(i32, i32)], bool) = match self.color {
            0 => (&ROUND, false),
            1 => (&TRIANGLE, false),
            2 => (&CROSS, false),
            3 => (&SQUARE, false),
            4 => (&DIAMOND, false),
            5 => (&PLUS, false),
            6 => (&ROUND, true),
            7 => (&TRIANGLE, true),
            8 => (&SQUARE, true),
            _ => (&DIAMOND, true),
        };
        let color = self.color();
        let open = [CROSS, PLUS].iter().any(|lines| lines == corners);
        let (fill, path) = match open {
            true => (Vec::new(), corners.to_vec()),
            false => (corners.to_vec(), corners.iter().chain(corners.first()).copied().collect()),
        };
        let inside = if hollow || self.again { WHITE } else { color };
        EmptyElement::at(place)
            + Polygon::new(fill, inside.filled())
            + PathElement::new(
                path,
                color.stroke_width(if open { 2 } else { 1 + u32::from(hollow || self.again) }),
            )
    }
}

/// A mark: its inside, then its outline, in pixels from its place.
type Mark<DB, C> = ComposedElement<C, DB, Polygon<(i32, i32)>, PathElement<(i32, i32)>>;

/// The place in [`METHODS`] of what is called `name`: for another length, with whatever base optimizer.
fn of_method(name: &str) -> Option<usize> {
    let method = match name.rsplit_once(", ") {
        Some((method, length)) if length.contains(" epoch") => method,
        _ => name,
    };
    let method = method.split_once(" with ").map_or(method, |(method, _)| method);
    let alone = || Base::ALL.iter().any(|base| base.title() == method).then_some(0);
    METHODS.iter().position(|known| *known == method).or_else(alone)
}

/// From dark blue over green to yellow, for areas: lightness rises evenly, for any kind of colour vision.
pub fn shade(share: f64) -> RGBColor {
    between(
        &[
            (59.0, 76.0, 140.0),
            (40.0, 115.0, 142.0),
            (42.0, 157.0, 128.0),
            (122.0, 200.0, 90.0),
            (249.0, 231.0, 90.0),
        ],
        share,
    )
}

/// From near black over blue to green, for lines: as [`shade`], but with nothing that a thin line on white would be lost in.
pub fn line_shade(share: f64) -> RGBColor {
    between(&[(34.0, 22.0, 78.0), (52.0, 84.0, 168.0), (24.0, 128.0, 156.0), (50.0, 154.0, 76.0)], share)
}

fn between(stops: &[(f64, f64, f64)], share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let i = (place as usize).min(stops.len() - 2);
    let mix = |a: f64, b: f64| (a + (b - a) * (place - i as f64)) as u8;
    let (a, b) = (stops[i], stops[i + 1]);
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colors(names: &[&str]) -> Vec<(usize, bool)> {
        let looks = Look::of(names.iter().enumerate().map(|(i, name)| (*name, i)));
        looks.iter().map(|look| (look.color, look.again)).collect()
    }

    #[test]
    fn a_method_has_one_colour_at_every_length_and_with_every_base() {
        assert_eq!(
            colors(&["SGD, 30 epochs", "SGD, 60 epochs", "SAM, 30 epochs"]),
            [(0, false), (0, true), (1, false)]
        );
        assert_eq!(colors(&["AdamW, 3 epochs", "SAM with AdamW, 3 epochs"]), [(0, false), (1, false)]);
        assert_eq!(colors(&["TensorFlow's RMSProp", "mixup with Lion"]), [(0, false), (3, false)]);
    }

    #[test]
    fn what_is_no_method_takes_no_method_s_colour_that_is_there() {
        assert_eq!(colors(&["m = 4", "SAM", "m = 8"]), [(0, false), (1, false), (2, false)]);
    }

    /// WCAG's relative luminance.
    fn luminance(color: RGBColor) -> f64 {
        let linear = |byte: u8| {
            let share = f64::from(byte) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
    }

    #[test]
    fn shades_get_lighter_and_those_of_lines_keep_a_contrast_of_3_to_white() {
        for shades in [shade, line_shade] {
            let lights: Vec<f64> = (0..=20).map(|i| luminance(shades(f64::from(i) / 20.0))).collect();
            assert!(lights.windows(2).all(|two| two[0] < two[1]), "{lights:?}");
        }
        assert!(1.05 / (luminance(line_shade(1.0)) + 0.05) >= 3.0);
    }

    #[test]
    fn colours_and_marks_of_ten_series_are_all_different() {
        let looks = Look::of([""; 10].into_iter().enumerate().map(|(i, name)| (name, i)));
        for (i, a) in looks.iter().enumerate() {
            assert!(!a.again && looks[..i].iter().all(|b| b.color() != a.color()), "{i}");
        }
    }
}
