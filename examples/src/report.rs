//! What is said about results: statistics, tables, pictures.

pub mod compare_plot;
pub mod curves;
pub mod plot;
pub mod progress;
pub mod statistics;
pub mod table;
