//! The table of a comparison, as text for a terminal and as a [`Table`].

use super::summary::{self, ArmSummary, Summary, Varied};
use crate::{
    experiment::outcome,
    report::markdown::{self, Table},
};

/// The table of a comparison: a block for each network, augmentation and noise rate.
pub fn comparison(summaries: &[Summary]) -> String {
    align(&rows(summaries))
}

/// The same, to be written down.
pub fn of_comparison(summaries: &[Summary]) -> Table {
    let mut rows = rows(summaries).into_iter().map(Vec::from);
    let columns = rows.next().unwrap_or_default();
    Table {
        title: summary::title(summaries),
        columns,
        rows: rows.filter(|row| row.iter().any(|cell| !cell.is_empty())).collect(),
    }
}

/// The head, then the blocks with an empty row between.
fn rows(summaries: &[Summary]) -> Vec<[String; 5]> {
    let varied = Varied::among(summaries);
    let evaluated_on = outcome::evaluated_on(summaries.iter().map(|summary| &summary.sam.outcome));
    let [labels_column, method, time] = ["training labels", "method", "ms per step"].map(str::to_owned);
    let mut rows = vec![[labels_column, method, evaluated_on.error_percent(), evaluated_on.alone(), time]];
    if varied.any() {
        rows[0][0] = varied.names();
    }
    for summary in summaries {
        let mut labels = labels(summary, varied);
        for arm in summary.sgd.iter().chain([&summary.sam]) {
            rows.push([
                labels.next().unwrap_or_default(),
                arm.arm.label(),
                arm.outcome.cell(),
                arm.outcome.test_set_cell(),
                milliseconds(arm),
            ]);
        }
        let difference = format!(
            "SAM \u{2212} {}, {}",
            summary.best_sgd().arm.base.title(),
            summary.best_sgd().arm.epochs
        );
        rows.push([
            labels.next().unwrap_or_default(),
            difference,
            markdown::difference(&summary.difference.difference),
            String::new(),
            summary.time(),
        ]);
        rows.push(Default::default());
    }
    rows.pop();
    rows
}

/// The first column of a block, line by line.
fn labels(summary: &Summary, varied: Varied) -> impl Iterator<Item = String> {
    let noise = summary.label_noise != 0.0;
    let wrong = noise.then(|| format!("({:.1} % wrong)", 100.0 * summary.wrong_labels));
    let subject = varied.any().then(|| varied.of(summary));
    subject.into_iter().chain([summary.labels()]).chain(wrong)
}

fn milliseconds(arm: &ArmSummary) -> String {
    // Three digits tell times apart that are worth telling apart.
    let digits = (2 - arm.ms_per_step.max(1e-3).log10().floor() as i32).clamp(0, 4) as usize;
    format!("{:.digits$}", arm.ms_per_step)
}

/// Columns aligned: the first two left, the others right.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("   ").trim_end());
        text.push('\n');
    }
    text
}
