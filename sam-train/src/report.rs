//! What is said about results: statistics, tables, pictures.

pub mod compare_plot;
pub mod curves;
pub mod figure;
pub mod html;
pub mod markdown;
pub mod plot;
pub mod progress;
pub mod raster;
pub mod statistics;
pub mod surface_plot;
pub mod table;

/// `1 seed`, `2 seeds`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
