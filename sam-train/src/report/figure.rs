//! Pictures as data: numbers over numbers or over categories, with bands, dots and a legend. Whoever shows results draws them.

use super::statistics::Estimate;

/// Panels side by side under a title.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// Two in a row at most; fewer where they have many categories.
    pub panels: Vec<Panel>,
}

/// One pair of axes.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Horizontal,
    /// Quantity and unit of the vertical axis.
    pub y: String,
    /// Whether the vertical axis begins at zero.
    pub from_zero: bool,
    /// Whether it is logarithmic (then `from_zero` means nothing).
    pub logarithmic: bool,
    /// What is shown.
    pub series: Vec<Series>,
}

impl Panel {
    /// The largest value that what it shows can have: no axis and no interval reaches beyond.
    pub fn most(&self) -> f64 {
        match self.y.as_str() {
            "cosine" | "Kendall's tau" => 1.0,
            share if share.ends_with("(%)") => 100.0,
            _ => f64::INFINITY,
        }
    }
}

/// The horizontal axis.
#[derive(Debug, Clone)]
pub enum Horizontal {
    /// A quantity with its unit.
    Quantity(String),
    /// Names at 0, 1, 2, ... and what they are names of.
    Categories(String, Vec<String>),
}

/// A line with its band, or dots.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its colour, by number: the same number is the same colour in every panel.
    pub color: usize,
    /// How it is drawn.
    pub style: Style,
    /// From left to right.
    pub points: Vec<Point>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Style {
    /// A line with its band and dots.
    Line,
    /// A dashed line: a reference.
    Dashed,
    /// A line whose colour is this share, from 0 to 1, of a scale from dark to light: one of many that are in an order.
    Shaded(f64),
    /// Dots with bars.
    Dots,
}

/// A value with what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// How much.
    pub y: Estimate,
}

impl Point {
    /// A value without an interval.
    pub const fn exact(x: f64, y: f64) -> Self {
        Self { x, y: Estimate::exact(y) }
    }
}
