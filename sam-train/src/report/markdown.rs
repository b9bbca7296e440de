//! Tables as Markdown, which is also how a terminal shows them, and as HTML.

use serde::{Deserialize, Serialize};

use super::{statistics::Estimate, verdict::Difference};

/// A table: its rows have as many cells as there are columns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Quantities with their units.
    pub columns: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The table in Markdown, its columns aligned: the first one left, the others right.
    pub fn markdown(&self) -> String {
        let width = |column: usize| {
            let cells =
                self.rows.iter().filter_map(|row| row.get(column)).chain(&self.columns[column..=column]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                0 => format!(" {cell:<width$} "),
                _ => format!(" {cell:>width$} "),
            });
            format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
        };
        let rule = widths.iter().enumerate().map(|(column, width)| match column {
            0 => format!(":{}", "-".repeat(width + 1)),
            _ => format!("{}:", "-".repeat(width + 1)),
        });
        let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}\n\n{}{rule}{rows}", self.title, line(&self.columns))
    }

    /// The table in HTML.
    pub fn html(&self) -> String {
        let cells = |tag: &str, cells: &[String]| -> String {
            cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
        };
        let rows: String = self.rows.iter().map(|row| format!("<tr>{}</tr>\n", cells("td", row))).collect();
        format!(
            "<table>\n<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
            escaped(&self.title),
            cells("th", &self.columns)
        )
    }
}

/// Text without what HTML would take for markup.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A mean with its interval, with two digits after the point: half of its width, or its ends where it is cut at one.
pub fn estimate(estimate: &Estimate) -> String {
    let Estimate { mean, ci95, interval } = *estimate;
    match (ci95, interval) {
        (Some(half), Some([low, high])) if high - low < 1.999_999 * half => {
            format!("{mean:.2} ({})", between([low, high]))
        }
        (Some(half), _) => format!("{mean:.2} \u{b1} {half:.2}"),
        (None, _) if mean.is_nan() => String::new(),
        (None, _) => format!("{mean:.2}"),
    }
}

/// The ends of an interval.
pub fn between([low, high]: [f64; 2]) -> String {
    format!("{low:.2} to {high:.2}")
}

/// A difference with its interval and its sign.
pub fn difference(difference: &Difference) -> String {
    let Estimate { mean, ci95, .. } = difference.estimate;
    if mean.is_nan() {
        return String::new();
    }
    let sign = if mean < 0.0 { "\u{2212}" } else { "+" };
    format!("{sign}{}", estimate(&Estimate { ci95, ..Estimate::exact(mean.abs()) }))
}

/// A mean with its interval, in three significant digits.
pub fn significant_estimate(estimate: &Estimate) -> String {
    let half = estimate.ci95.map_or(String::new(), |half| format!(" \u{b1} {}", significant(half)));
    format!("{}{half}", significant(estimate.mean))
}

/// A number with three significant digits.
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-4..6).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let digits = (2 - magnitude).clamp(0, 7) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_aligned_and_html_is_escaped() {
        let mut table = Table::new("Errors", &["method", "error (%)"]);
        table.row(vec!["SGD".into(), "1.50 \u{b1} 0.20".into()]);
        table.row(vec!["a<b".into(), "3".into()]);
        let text = table.markdown();
        let widths: Vec<usize> = text.lines().skip(2).map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 4], "{text}");
        assert!(text.contains("|:-------|------------:|\n"), "{text}");
        assert!(table.html().contains("<td>a&lt;b</td>"));
    }

    #[test]
    fn an_interval_that_would_leave_the_whole_is_shown_by_its_ends() {
        assert_eq!(estimate(&Estimate::of_percentages(&[0.1, 0.5])), "0.30 (0.00 to 2.84)");
        assert_eq!(estimate(&Estimate::of_percentages(&[50.0, 50.2])), "50.10 \u{b1} 1.27");
        assert_eq!(difference(&Difference::of(&[(1.0, 2.0), (1.0, 2.5)])), "\u{2212}1.25 \u{b1} 3.18");
        assert_eq!(estimate(&Estimate::of(&[])), "");
    }

    #[test]
    fn numbers_keep_three_digits() {
        for (value, text) in
            [(0.0, "0"), (1234.6, "1235"), (0.012_345, "0.0123"), (-2.5, "-2.50"), (1e-9, "1.00e-9")]
        {
            assert_eq!(significant(value), text);
        }
    }
}
