//! Tables as Markdown, which is also how a terminal shows them, and as HTML.

use serde::{Deserialize, Serialize};

use super::statistics::Estimate;

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

/// A mean with its interval, with two digits after the point.
pub fn estimate(estimate: &Estimate) -> String {
    match estimate.ci95 {
        Some(half) => format!("{:.2} \u{b1} {half:.2}", estimate.mean),
        None => format!("{:.2}", estimate.mean),
    }
}

/// A difference with its interval and its sign.
pub fn difference(estimate: &Estimate) -> String {
    let sign = if estimate.mean < 0.0 { "\u{2212}" } else { "+" };
    format!("{sign}{}", self::estimate(&Estimate { mean: estimate.mean.abs(), ..*estimate }))
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
    fn numbers_keep_three_digits() {
        for (value, text) in
            [(0.0, "0"), (1234.6, "1235"), (0.012_345, "0.0123"), (-2.5, "-2.50"), (1e-9, "1.00e-9")]
        {
            assert_eq!(significant(value), text);
        }
    }
}
