//! SAM with one thing changed: the norm, the inner steps, the radius, the groups, the order, the variant.

pub mod inner_steps;
pub mod m;
pub mod norm;
pub mod rho_default;
pub mod second_order;
pub mod variants;

use super::{
    arms::{self, ArmResult},
    outcome,
};
use crate::{
    report::{
        figure::{Figure, Horizontal, Panel},
        markdown::{self, Table, significant},
    },
    training::evaluated::Evaluated,
};

/// Errors of procedures, with the difference to the first one.
fn error_table(title: String, results: &[ArmResult]) -> Table {
    let error = evaluated_on(results).error_percent();
    let columns = ["method", &error, "minus the first", "training loss", "gradients a step", "ms a step"];
    let mut table = Table::new(title, &columns);
    for (i, result) in results.iter().enumerate() {
        let minus = if i == 0 { String::new() } else { markdown::difference(&result.minus(&results[0])) };
        table.row(vec![
            result.name.clone(),
            result.outcome.cell(),
            minus,
            significant(result.train_loss.mean),
            significant(result.gradients_per_step),
            significant(result.ms_per_step),
        ]);
    }
    outcome::add_test_set(&mut table, results.iter().map(|result| &result.outcome));
    table
}

/// Which images their errors are of.
fn evaluated_on(results: &[ArmResult]) -> Evaluated {
    outcome::evaluated_on(results.iter().map(|result| &result.outcome))
}

/// The error along training, and at its end.
pub(super) fn error_figure(title: String, results: &[ArmResult]) -> Figure {
    let names = results.iter().map(|result| result.name.clone()).collect();
    let logarithmic = arms::needs_logarithm(results);
    let panel = |title: &str, x, series| Panel {
        title: title.to_owned(),
        x,
        y: evaluated_on(results).error_percent(),
        from_zero: false,
        logarithmic,
        series,
    };
    let series = results.iter().enumerate().map(|(i, result)| {
        let mut series = result.series(i);
        // Where training has hardly begun all errors are large: the picture is of what follows.
        series.points.drain(..series.points.len() / 8);
        series
    });
    Figure {
        title,
        panels: vec![
            panel("Along training (band: 95 %)", Horizontal::Quantity("epoch".into()), series.collect()),
            panel(
                "At its end (bar: mean and 95 %; dots: seeds)",
                Horizontal::Categories(String::new(), names),
                arms::dots(results),
            ),
        ],
    }
}
