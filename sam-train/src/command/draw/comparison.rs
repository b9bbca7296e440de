//! The picture of a comparison: for each noise rate, the test error along training and at its end. Of several networks or
//! augmentations, the error at the end alone.

use std::path::Path;

use plotters::{
    element::{Circle, EmptyElement, PathElement, Polygon, Text},
    style::{
        Color, RGBColor,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    figure,
    plot::{self, Area, Axis, BLUE, DrawError, SKY, VERMILION},
};
use crate::{
    experiment::compare::summary::{self, ArmSummary, Summary, Varied},
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
            let arms = colored(summary);
            let top = top(&arms);
            along_training(&left, summary, &arms, top)?;
            at_the_end(&right, &arms, top)?;
        }
        Ok(())
    })
}

type Colored<'a> = (&'a ArmSummary, RGBColor);

/// SGD in blues, SAM in vermilion.
fn colored(summary: &Summary) -> Vec<Colored<'_>> {
    summary.sgd.iter().zip([SKY, BLUE]).chain([(&summary.sam, VERMILION)]).collect()
}

/// The upper end of the error axis: all final errors fit, and the curves but for their very start.
fn top(arms: &[Colored<'_>]) -> f64 {
    let settled =
        arms.iter().flat_map(|(arm, _)| &arm.curve[arm.curve.len() / 8..]).map(|point| point.error.ends()[1]);
    let last = arms.iter().flat_map(|(arm, _)| arm.outcome.errors.iter().copied());
    let highest = settled.chain(last).filter(|value| value.is_finite()).fold(0.0, f64::max);
    if highest > 0.0 { highest * 1.12 } else { 1.0 }
}

fn along_training(
    area: &Area<'_>,
    summary: &Summary,
    arms: &[Colored<'_>],
    top: f64,
) -> Result<(), DrawError> {
    let longest = arms.iter().filter_map(|(arm, _)| arm.curve.last()).map(|point| point.gradients).max();
    let title = capitalized(&summary.labels());
    let x = Axis {
        label: "gradients computed for each training image (SAM: two a step)",
        range: 0.0..longest.unwrap_or(1) as f64,
        ticks: 9,
    };
    let mut chart =
        plot::chart(area, &title, x, Axis { label: "test error (%)", range: 0.0..top, ticks: 7 })?;
    for &(arm, color) in arms {
        // Where all runs are lost there is no curve.
        let learnt = || arm.curve.iter().filter(|point| point.error.mean.is_finite());
        let at = |value: fn(&Estimate) -> f64| -> Vec<(f64, f64)> {
            learnt().map(|point| (point.gradients as f64, value(&point.error))).collect()
        };
        let band = at(|e| e.ends()[1]).into_iter().chain(at(|e| e.ends()[0]).into_iter().rev());
        let band: Vec<_> = band.map(|(x, y)| (x, y.clamp(0.0, top))).collect();
        chart.draw_series([Polygon::new(band, color.mix(0.18))]).map_err(DrawError::draw)?;
        plot::line(&mut chart, &at(|e| e.mean), top, color)?;
    }
    Ok(())
}

fn at_the_end(area: &Area<'_>, arms: &[Colored<'_>], top: f64) -> Result<(), DrawError> {
    let columns = arms.len() as f64;
    let x = Axis { label: "", range: 0.0..columns, ticks: 0 };
    let mut chart = plot::chart(
        area,
        "After training (dots: seeds)",
        x,
        Axis { label: "test error (%)", range: 0.0..top, ticks: 7 },
    )?;
    for (column, &(arm, color)) in arms.iter().enumerate() {
        let middle = column as f64 + 0.5;
        let count = arm.outcome.errors.len().max(2) as f64 - 1.0;
        let dots = arm.outcome.errors.iter().enumerate().map(|(i, &error)| {
            Circle::new((middle + 0.24 * (i as f64 / count - 0.5), error), 3, color.mix(0.4).filled())
        });
        chart.draw_series(dots).map_err(DrawError::draw)?;
        let label = plot::text(13).color(&color).pos(Pos::new(HPos::Center, VPos::Top));
        let below = EmptyElement::at((middle, 0.0)) + Text::new(arm.arm.label(), (0, 8), label);
        chart.draw_series([below]).map_err(DrawError::draw)?;
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
            // SGD in blues, SAM in vermilion.
            let color = if i + 1 == count { 1 } else { [5, 0][i % 2] };
            Series { name: arm(shown[0]).arm.label(), color, style: Style::Dots, points: points.collect() }
        });
        let names = shown.iter().map(|summary| varied.of(summary)).collect();
        Panel {
            title: format!("{} (bar: mean and 95 %; dots: seeds)", capitalized(rate)),
            x: Horizontal::Categories(varied.names(), names),
            y: "test error after training (%)".to_owned(),
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
