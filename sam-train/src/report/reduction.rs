//! Figure 1, left: the share of its error that SAM takes from each network, data set and augmentation.

use serde_json::Value;

use super::{
    figure::{Figure, Horizontal, Panel, Point, Series, Style},
    result_file::ResultFile,
};
use crate::training::evaluated::Evaluated;

/// One comparison of SGD and SAM.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    /// Whether training labels were replaced.
    pub noisy: bool,
    /// Which images the errors are of.
    pub evaluated_on: Evaluated,
    /// Error without SAM, in percent.
    pub without: f64,
    /// Error with SAM.
    pub with: f64,
}

impl Reduction {
    /// What SAM took away, in percent of the error without it; below 0 where it added to it.
    pub fn percent(&self) -> f64 {
        100.0 * (self.without - self.with) / self.without
    }
}

/// The comparisons in a result of `sam compare` or `sam finetune`; none in others.
pub fn of(result: &ResultFile) -> Vec<Reduction> {
    let mean = |value: &Value| value["error"]["mean"].as_f64();
    let evaluated_on = result.settings.data.evaluated_on();
    let reductions: Vec<Option<Reduction>> = match (result.kind.as_str(), result.results.as_slice()) {
        ("compare", summaries) => summaries
            .iter()
            .map(|summary| {
                let best = summary["best_sgd"].as_u64()? as usize;
                let (without, with) = (mean(&summary["sgd"][best])?, mean(&summary["sam"])?);
                Some(Reduction { noisy: summary["label_noise"] != 0.0, evaluated_on, without, with })
            })
            .collect(),
        ("finetune", [sgd, sam, ..]) => {
            let of = |(without, with)| Reduction { noisy: false, evaluated_on, without, with };
            vec![mean(sgd).zip(mean(sam)).map(of)]
        }
        _ => Vec::new(),
    };
    reductions.into_iter().flatten().filter(|reduction| reduction.without > 0.0).collect()
}

/// All of them in one picture; nothing of fewer than two.
pub fn figure(reductions: &[Reduction]) -> Option<Figure> {
    if reductions.len() < 2 {
        return None;
    }
    let series = |name: &str, color, noisy| {
        let chosen = reductions.iter().filter(|reduction| reduction.noisy == noisy);
        let points = chosen.map(|reduction| Point::exact(reduction.without, reduction.percent())).collect();
        Series { name: name.to_owned(), color, style: Style::Dots, points }
    };
    let series = [series("clean labels", 7, false), series("noisy labels", 9, true)];
    // Of both kinds together it is neither.
    let kind = reductions[0].evaluated_on;
    let alike = reductions.iter().all(|reduction| reduction.evaluated_on == kind);
    let error = if alike { format!("{kind} error") } else { "error".to_owned() };
    let panel = Panel {
        title: "Each dot: a data set, a network, an augmentation".to_owned(),
        x: Horizontal::Quantity(format!("{error} without SAM (%)")),
        y: "error taken away by SAM, of that without it (%)".to_owned(),
        from_zero: true,
        logarithmic: false,
        series: series.into_iter().filter(|series| !series.points.is_empty()).collect(),
    };
    let title = "Error reduction by SAM (figure 1, left)".to_owned();
    Some(Figure { title, panels: vec![panel] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduction_is_a_share_of_the_error_without_sam() {
        // Table 1, the first row: 3.5 % and 2.7 %.
        let first = Reduction { noisy: false, evaluated_on: Evaluated::Test, without: 3.5, with: 2.7 };
        assert!((first.percent() - 22.857_142_857).abs() < 1e-6);
        let worse = Reduction { noisy: true, evaluated_on: Evaluated::Test, without: 1.0, with: 1.25 };
        assert_eq!(worse.percent(), -25.0);
        assert!(figure(std::slice::from_ref(&first)).is_none());
        let axis = |reductions: &[Reduction]| match figure(reductions).unwrap().panels.remove(0).x {
            Horizontal::Quantity(label) => label,
            Horizontal::Categories(..) => panic!("categories"),
        };
        let held_out = Reduction { evaluated_on: Evaluated::Validation, ..worse.clone() };
        assert_eq!(axis(&[first.clone(), worse.clone()]), "test error without SAM (%)");
        assert_eq!(axis(&[held_out.clone(), held_out.clone()]), "validation error without SAM (%)");
        assert_eq!(axis(&[first.clone(), held_out]), "error without SAM (%)");
        let panel = figure(&[first, worse]).unwrap().panels.remove(0);
        let dots: Vec<(f64, f64)> = panel
            .series
            .iter()
            .flat_map(|series| &series.points)
            .map(|point| (point.x, point.y.mean))
            .collect();
        assert_eq!(dots.len(), 2);
        assert_eq!(dots[1], (1.0, -25.0));
    }
}
