//! The picture of a comparison: for each noise rate, the error along training and at its end. Of several networks or
//! augmentations, the error at the end alone.

use std::path::Path;

use plotters::{
    element::{Circle, PathElement, Polygon, Text},
    style::{
        Color,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    figure,
    legend::{Entry, Swatch},
    look::Look,
    plot::{self, Area, Axis, DrawError, Frame},
};
use crate::{
    experiment::{
        compare::summary::{self, ArmSummary, Summary, Varied},
        outcome,
    },
    report::{
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        statistics::Estimate,
    },
};

/// Height of the row of one noise rate, in pixels.
const ROW: u32 = 380;

/// Draws `summaries` to `path`.
///
/// # Errors
/// [`DrawError`], when drawing or writing fails.
pub fn draw(path: &Path, summaries: &[Summary]) -> Result<(), DrawError> {
    let title = format!("{}, mean and 95 % confidence interval", summary::title(summaries));
    if Varied::among(summaries).any() {
        return figure::draw(path, &overview(title, summaries));
    }
    plot::save(path, &title, (1040, 40 + ROW * summaries.len() as u32), |area| {
        let area = area.titled(&title, plot::text(20)).map_err(DrawError::draw)?;
        for (row, summary) in area.split_evenly((summaries.len(), 1)).iter().zip(summaries) {
            let (left, right) = row.split_horizontally(620);
            let arms = looking(summary);
            let top = top(&arms);
            along_training(&left, summary, &arms, top)?;
            at_the_end(&right, &arms, top)?;
        }
        Ok(())
    })
}

type Looking<'a> = (&'a ArmSummary, Look);

/// SGD's lengths, then SAM, with the looks of their methods.
fn looking(summary: &Summary) -> Vec<Looking<'_>> {
    let arms: Vec<&ArmSummary> = summary.sgd.iter().chain([&summary.sam]).collect();
    let names: Vec<String> = arms.iter().map(|arm| arm.arm.label()).collect();
    let looks = Look::of(names.iter().map(|name| (name.as_str(), 0)));
    arms.into_iter().zip(looks).collect()
}

/// The upper end of the error axis: all final errors fit, and the curves but for their very start.
fn top(arms: &[Looking<'_>]) -> f64 {
    let settled =
        arms.iter().flat_map(|(arm, _)| &arm.curve[arm.curve.len() / 8..]).map(|point| point.error.ends()[1]);
    let last = arms.iter().flat_map(|(arm, _)| arm.outcome.errors.iter().copied());
    let highest = settled.chain(last).filter(|value| value.is_finite()).fold(0.0, f64::max);
    if highest > 0.0 { (highest * 1.12).min(100.0) } else { 1.0 }
}

/// What both pictures of a row show.
fn error_label(arms: &[Looking<'_>]) -> String {
    outcome::evaluated_on(arms.iter().map(|(arm, _)| &arm.outcome)).error_percent()
}

fn along_training(
    area: &Area<'_>,
    summary: &Summary,
    arms: &[Looking<'_>],
    top: f64,
) -> Result<(), DrawError> {
    let longest = arms.iter().filter_map(|(arm, _)| arm.curve.last()).map(|point| point.gradients).max();
    let title = capitalized(&summary.labels());
    let x = Axis::new(
        "gradients computed for each training image (SAM: two a step)",
        0.0..longest.unwrap_or(1) as f64,
        9,
    );
    let entry = |(arm, look): &Looking<'_>| Entry { name: arm.arm.label(), swatch: Swatch::Line(*look) };
    let entries: Vec<Entry> = arms.iter().map(entry).collect();
    let frame = Frame { title: &title, entries: &entries, ..Frame::default() };
    let mut chart = plot::chart(area, frame, &x, &Axis::new(&error_label(arms), 0.0..top, 7))?;
    for &(arm, look) in arms {
        // Where all runs are lost there is no curve.
        let learnt = || arm.curve.iter().filter(|point| point.error.mean.is_finite());
        let at = |value: fn(&Estimate) -> f64| -> Vec<(f64, f64)> {
            learnt().map(|point| (point.gradients as f64, value(&point.error))).collect()
        };
        let band = at(|e| e.ends()[1]).into_iter().chain(at(|e| e.ends()[0]).into_iter().rev());
        let band: Vec<_> = band.map(|(x, y)| (x, y.clamp(0.0, top))).collect();
        chart.draw_series([Polygon::new(band, look.color().mix(0.18))]).map_err(DrawError::draw)?;
        plot::line(&mut chart, &at(|e| e.mean), top, look)?;
    }
    Ok(())
}

fn at_the_end(area: &Area<'_>, arms: &[Looking<'_>], top: f64) -> Result<(), DrawError> {
    let names: Vec<String> = arms.iter().map(|(arm, _)| arm.arm.label()).collect();
    let mut chart = plot::chart(
        area,
        Frame { title: "After training (dots: seeds)", names: &names, ..Frame::default() },
        &Axis::new("", -0.5..arms.len() as f64 - 0.5, 0),
        &Axis::new(&error_label(arms), 0.0..top, 7),
    )?;
    for (column, &(arm, look)) in arms.iter().enumerate() {
        let (middle, color) = (column as f64, look.color());
        let count = arm.outcome.errors.len().max(2) as f64 - 1.0;
        let dots = arm.outcome.errors.iter().enumerate().map(|(i, &error)| {
            Circle::new((middle + 0.24 * (i as f64 / count - 0.5), error), 3, color.mix(0.4).filled())
        });
        chart.draw_series(dots).map_err(DrawError::draw)?;
        let (mean, [low, high]) = (arm.outcome.error.mean, arm.outcome.error.ends());
        if mean.is_nan() {
            continue;
        }
        let stroke = color.stroke_width(3);
        let bars = [
            vec![(middle - 0.2, mean), (middle + 0.2, mean)],
            vec![(middle, low), (middle, high)],
            vec![(middle - 0.07, low), (middle + 0.07, low)],
            vec![(middle - 0.07, high), (middle + 0.07, high)],
        ];
        chart.draw_series(bars.map(|bar| PathElement::new(bar, stroke))).map_err(DrawError::draw)?;
        let highest = arm.outcome.errors.iter().copied().fold(high, f64::max);
        let value = plot::text(14).pos(Pos::new(HPos::Center, VPos::Bottom));
        chart
            .draw_series([Text::new(format!("{mean:.2}"), (middle, highest + 0.02 * top), value)])
            .map_err(DrawError::draw)?;
    }
    Ok(())
}

/// A panel for each noise rate; in each, side by side, what the methods gave on every network and augmentation.
fn overview(title: String, summaries: &[Summary]) -> Figure {
    let varied = Varied::among(summaries);
    let mut rates: Vec<String> = Vec::new();
    for summary in summaries {
        if !rates.contains(&summary.labels()) {
            rates.push(summary.labels());
        }
    }
    let panel = |rate: &String| {
        let shown: Vec<&Summary> = summaries.iter().filter(|summary| summary.labels() == *rate).collect();
        let count = shown[0].sgd.len() + 1;
        let series = (0..count).map(|i| {
            let arm = |summary: &Summary| summary.sgd.get(i).unwrap_or(&summary.sam).clone();
            let points = shown.iter().enumerate().flat_map(|(place, summary)| {
                let x = place as f64 + 0.26 * (i as f64 - (count - 1) as f64 / 2.0);
                let arm = arm(summary);
                let seeds = arm.outcome.errors.into_iter().map(move |error| Point::exact(x + 0.08, error));
                seeds.chain([Point { x, y: arm.outcome.error }])
            });
            // Colours are by the methods that these are called like.
            Series { name: arm(shown[0]).arm.label(), color: i, style: Style::Dots, points: points.collect() }
        });
        let names = shown.iter().map(|summary| varied.of(summary)).collect();
        Panel {
            title: format!("{} (bar: mean and 95 %; dots: seeds)", capitalized(rate)),
            x: Horizontal::Categories(varied.names(), names),
            y: format!("{} error after training (%)", shown[0].sam.outcome.evaluated_on),
            from_zero: true,
            logarithmic: false,
            series: series.collect(),
        }
    };
    Figure { title, panels: rates.iter().map(panel).collect() }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
