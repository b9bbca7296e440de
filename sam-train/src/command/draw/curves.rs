//! The picture of one run: loss and error over the epochs.

use std::path::Path;

use super::{
    legend::{Entry, Swatch},
    look::Look,
    plot::{self, Area, Axis, DrawError, Frame},
};
use crate::training::{evaluated::Evaluated, metrics::EpochMetrics, settings::Settings};

/// Colours of training images and of those that it is evaluated on, which are those of no method that is often drawn.
const COLORS: [usize; 2] = [7, 9];

/// The title of a run's picture.
pub fn title(settings: &Settings) -> String {
    let method = settings.procedure();
    let method = settings.method.rho().map_or(method.clone(), |rho| format!("{method}, \u{3c1} = {rho}"));
    format!("{} on {}, {method}", settings.model, settings.data.title())
}

/// Draws the epochs of the run called `title`, evaluated on those images, to `path`.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn draw(
    path: &Path,
    title: &str,
    evaluated_on: Evaluated,
    epochs: &[EpochMetrics],
) -> Result<(), DrawError> {
    let names = ["training", evaluated_on.name()];
    let of = |value: fn(&EpochMetrics) -> Option<f64>| -> Vec<(f64, f64)> {
        let finite = |metrics: &EpochMetrics| value(metrics).filter(|value| value.is_finite());
        epochs.iter().filter_map(|metrics| Some((metrics.epoch as f64, finite(metrics)?))).collect()
    };
    let train_loss = of(|metrics| Some(metrics.train_loss));
    let train_error = of(|metrics| metrics.train_error);
    let (test_loss, test_error) = (of(|metrics| metrics.test_loss), of(|metrics| metrics.test_error));
    plot::save(path, title, (960, 420), |area| {
        let area = area.titled(title, plot::text(20)).map_err(DrawError::draw)?;
        let (left, right) = area.split_horizontally(480);
        panel(&left, "Mean loss", "loss (nats)", names, [&train_loss, &test_loss], epochs.len())?;
        panel(&right, "Errors", "error (%)", names, [&train_error, &test_error], epochs.len())
    })
}

/// What the training and the test images gave, over the epochs. Losses fall by powers of ten, so that a linear axis would show how they
/// begin alone.
fn panel(
    area: &Area<'_>,
    title: &str,
    label: &str,
    names: [&str; 2],
    series: [&Vec<(f64, f64)>; 2],
    epochs: usize,
) -> Result<(), DrawError> {
    let values = || series.into_iter().flatten().map(|point| point.1);
    let (low, high) = values()
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let percent = label.ends_with("(%)");
    let logarithmic = !percent && low < 0.1 * high && values().all(|value| value > 0.0);
    let y = if logarithmic {
        let (low, high) = (low.log10(), high.log10());
        let margin = 0.05 * (high - low);
        Axis { logarithmic, ..Axis::new(label, low - margin..high + margin, 8) }
    } else {
        let top = if high > 0.0 { high * 1.08 } else { 1.0 };
        Axis::new(label, 0.0..if percent { top.min(100.0) } else { top }, 8)
    };
    let x = Axis::new("epoch", 0.0..epochs.max(1) as f64, 10);
    let shown = || names.into_iter().zip(series).enumerate().filter(|(_, (_, points))| !points.is_empty());
    let entry = |(i, (name, _)): (usize, (&str, _))| Entry {
        name: name.to_owned(),
        swatch: Swatch::Line(Look::new(COLORS[i])),
    };
    let entries: Vec<Entry> = shown().map(entry).collect();
    let mut chart = plot::chart(area, Frame { title, entries: &entries, ..Frame::default() }, &x, &y)?;
    for (i, (_, points)) in shown() {
        let at = |&(x, y): &(f64, f64)| (x, if logarithmic { y.log10() } else { y });
        plot::line(
            &mut chart,
            &points.iter().map(at).collect::<Vec<_>>(),
            f64::INFINITY,
            Look::new(COLORS[i]),
        )?;
    }
    Ok(())
}
