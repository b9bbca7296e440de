//! What is said about results: statistics, tables, figures as data, the page of results.

pub mod classification;
pub mod epochs;
pub mod figure;
pub mod html;
pub mod markdown;
pub mod reduction;
pub mod result_file;
pub mod statistics;
pub mod surface;
pub mod verdict;

/// `1 seed`, `2 seeds`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
