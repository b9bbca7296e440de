//! The picture of one run: loss and test error over the epochs.

use std::path::Path;

use plotters::{
    prelude::{Circle, PathElement, SeriesLabelPosition},
    style::{Color, RGBColor, WHITE},
};

use super::plot::{self, Axis, BLUE, Chart, DrawError, INK, VERMILION};
use crate::training::{metrics::EpochMetrics, settings::Settings};

/// The title of a run's picture.
pub fn title(settings: &Settings) -> String {
    let method = settings.method.title();
    let method = settings.method.rho().map_or(method.clone(), |rho| format!("{method}, \u{3c1} = {rho}"));
    format!("{} on {}, {method}", settings.model, settings.data.title())
}

/// Draws the epochs of the run called `title` to `path`.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn draw(path: &Path, title: &str, epochs: &[EpochMetrics]) -> Result<(), DrawError> {
    let of = |value: fn(&EpochMetrics) -> Option<f64>| -> Vec<(f64, f64)> {
        epochs.iter().filter_map(|metrics| Some((metrics.epoch as f64, value(metrics)?))).collect()
    };
    let train_loss = of(|metrics| Some(metrics.train_loss));
    let train_error = of(|metrics| metrics.train_error);
    let (test_loss, test_error) = (of(|metrics| metrics.test_loss), of(|metrics| metrics.test_error));
    let x = Axis { label: "epoch", range: 0.0..epochs.len().max(1) as f64, ticks: 10 };
    plot::save(path, title, (960, 400), |area| {
        let area = area.titled(title, plot::text(20)).map_err(DrawError::draw)?;
        let (left, right) = area.split_horizontally(480);
        let loss = [("training", &train_loss, BLUE), ("test", &test_loss, VERMILION)];
        panel(&mut plot::chart(&left, "Mean loss", x.clone(), y_axis("loss (nats)", &loss))?, &loss)?;
        let error = [("training", &train_error, BLUE), ("test", &test_error, VERMILION)];
        panel(&mut plot::chart(&right, "Errors", x, y_axis("error (%)", &error))?, &error)
    })
}

type Series<'a> = (&'static str, &'a Vec<(f64, f64)>, RGBColor);

fn y_axis(label: &'static str, series: &[Series<'_>]) -> Axis<'static> {
    let values = series.iter().flat_map(|(_, points, _)| points.iter()).map(|point| point.1);
    let top = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    Axis { label, range: 0.0..if top > 0.0 { top * 1.08 } else { 1.0 }, ticks: 8 }
}

fn panel<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>, series: &[Series<'_>]) -> Result<(), DrawError> {
    let mut shown = 0;
    for &(name, points, color) in series.iter().filter(|(_, points, _)| !points.is_empty()) {
        shown += 1;
        plot::line(chart, points, f64::INFINITY, color)?;
        // A dot for each epoch as long as dots can be told apart; it also shows a run of one epoch.
        let dots =
            points.iter().filter(|_| points.len() <= 60).map(|&point| Circle::new(point, 3, color.filled()));
        chart
            .draw_series(dots)
            .map_err(DrawError::draw)?
            .label(name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(3)));
    }
    if shown < 2 {
        return Ok(());
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(INK.mix(0.3))
        .label_font(plot::text(14))
        .draw()
        .map_err(DrawError::draw)
}
