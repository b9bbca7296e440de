//! Section 3.1 and table 9: the radius chosen on a validation set of a tenth of the training images.

use rand::seq::SliceRandom;

use super::{
    ExperimentError,
    arms::{self, Arm, ArmResult},
    design::{Design, Experiment},
    findings::{Findings, Picture},
    outcome,
    runner::{LoadedData, Runner},
};
use crate::{
    data::{DataError, Dataset},
    random::{Purpose, stream},
    report::{
        figure::{Figure, Horizontal, Panel, Point, Series, Style},
        markdown::Table,
    },
    training::{evaluated::Evaluated, settings::Method},
};

/// Images held out: one of so many.
const HELD_OUT: usize = 10;

/// A grid search over the radius.
#[derive(Debug, Clone)]
pub struct Grid {
    /// The radii; 0, SGD, is always tried too.
    pub rhos: Vec<f64>,
}

/// What each radius gave, in their order.
pub type ByRadius = Vec<(f64, ArmResult)>;

/// Splits the training images: nine tenths to train on, one tenth, chosen at random by `seed`, in the place of the test
/// set. Both parts keep the order of the images. Labels are the true ones: noise is put on the training part only.
///
/// # Errors
/// [`DataError`], when the file of the images cannot be read.
pub fn hold_out(dataset: &Dataset, seed: u64) -> Result<Dataset, DataError> {
    let mut order: Vec<usize> = (0..dataset.train.len()).collect();
    order.shuffle(&mut stream(seed, Purpose::Split, 0, 0));
    let (held_out, rest) = order.split_at_mut(dataset.train.len() / HELD_OUT);
    held_out.sort_unstable();
    rest.sort_unstable();
    let part = |chosen: &[usize]| dataset.train.subset(chosen.iter().copied());
    Ok(Dataset { train: part(rest)?, test: part(held_out)?, ..dataset.clone() })
}

/// What [`hold_out`] gives, to be trained on and evaluated on.
///
/// # Errors
/// As [`hold_out`].
pub fn held_out(dataset: &Dataset, seed: u64) -> Result<LoadedData, DataError> {
    Ok(LoadedData::new(hold_out(dataset, seed)?)?.evaluated_on(Evaluated::Validation))
}

/// The radius that [`best`] chooses on the validation set, and what all radii gave there: `(radius, result)`.
///
/// # Errors
/// As [`Runner::runs`].
pub fn choose(
    runner: &mut Runner<'_>,
    design: &Design,
    rhos: &[f64],
) -> Result<(Option<f64>, ByRadius), ExperimentError> {
    let data = held_out(&design.data.dataset, design.base.seed)?;
    let results = sweep(runner, design, rhos, &data)?;
    Ok((best(results.iter().map(|(rho, result)| (*rho, result))), results))
}

/// The radius with the lowest mean error, the smallest of several; none if no run at any radius has learnt. SGD is there to be compared
/// with, not to be chosen.
pub fn best<'a>(results: impl IntoIterator<Item = (f64, &'a ArmResult)>) -> Option<f64> {
    let learnt =
        results.into_iter().filter(|(rho, result)| *rho > 0.0 && result.outcome.error.mean.is_finite());
    learnt.min_by(|(_, a), (_, b)| a.outcome.by_error(&b.outcome)).map(|(rho, _)| rho)
}

/// What a search over radii says of its choice.
pub fn sentence(chosen: Option<f64>) -> String {
    match chosen {
        Some(rho) => format!("Lowest mean validation error of the radii: rho = {rho}."),
        None => "No radius is chosen: no run on the validation images has left its start.".to_owned(),
    }
}

/// What is tried: 0, which is SGD, and the radii above it in their order.
pub fn radii(rhos: &[f64]) -> Vec<f64> {
    let mut all = vec![0.0];
    all.extend(rhos.iter().copied().filter(|&rho| rho > 0.0));
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// What a radius of [`radii`] means.
pub fn method(design: &Design, rho: f64) -> Method {
    if rho == 0.0 { Method::Sgd } else { design.sam(rho) }
}

fn sweep(
    runner: &mut Runner<'_>,
    design: &Design,
    rhos: &[f64],
    data: &LoadedData,
) -> Result<ByRadius, ExperimentError> {
    let all = radii(rhos);
    let arm = |&rho: &f64| Arm::new(rho.to_string(), design.with(method(design, rho)));
    let arms: Vec<Arm> = all.iter().map(arm).collect();
    Ok(all.into_iter().zip(arms::compare(runner, &arms, design, data)?).collect())
}

/// Validation error of each radius, and test error where it was taken; radius 0 is the procedure called `plain`.
pub fn table(plain: &str, validation: &[(f64, ArmResult)], test: Option<&[(f64, ArmResult)]>) -> Table {
    let rho = format!("rho (0: {plain})");
    let of_all = format!("{} error, trained on all (%)", evaluated_on(test.unwrap_or_default()));
    let validation_error = Evaluated::Validation.error_percent();
    let mut columns = vec![rho.as_str(), &validation_error];
    if test.is_some() {
        columns.push(&of_all);
    }
    let mut table = Table::new("Radius by radius", &columns);
    for (i, (rho, result)) in validation.iter().enumerate() {
        let mut row = vec![rho.to_string(), result.outcome.cell()];
        row.extend(test.and_then(|test| test.get(i)).map(|(_, result)| result.outcome.cell()));
        table.row(row);
    }
    table
}

impl Experiment for Grid {
    const NAME: &'static str = "grid";
    const PAPER: &'static str = "Section 3.1, table 9";

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let (chosen, validation) = choose(runner, design, &self.rhos)?;
        let test = sweep(runner, design, &self.rhos, &design.data)?;
        let title = format!("Grid over the radius: {}", design.subject());
        let picture = Picture::figure("grid", picture_of(&title, &design.named("SGD"), &validation, &test));
        let mut findings = Findings {
            tables: vec![table(&design.named("SGD"), &validation, Some(&test))],
            pictures: vec![picture],
            ..Findings::default()
        };
        for ((rho, validation), (_, test)) in validation.iter().zip(&test) {
            findings.line(&serde_json::json!({
                "rho": rho, "chosen": chosen == Some(*rho),
                "validation_error": validation.outcome.error, "test_error": test.outcome.error,
                "validation_errors": validation.outcome.errors, "test_errors": test.outcome.errors,
                "validation_lost": validation.outcome.lost, "test_lost": test.outcome.lost,
                "test_set": test.outcome.test_set,
            }));
        }
        let at = |rho: f64| test.iter().find(|(other, _)| *other == rho).map(|(_, result)| result);
        findings.sentences.push(sentence(chosen));
        if let (Some(rho), Some(sgd)) = (chosen, at(0.0))
            && let Some(sam) = at(rho)
        {
            let (sam, sgd) =
                (sam.named(design.named(&format!("SAM at rho {rho}"))), sgd.named(design.named("SGD")));
            findings.sentences.extend(arms::sentences([(&sam, &sgd)]));
        }
        Ok(findings)
    }
}

/// Which images these errors are of.
fn evaluated_on(results: &[(f64, ArmResult)]) -> Evaluated {
    outcome::evaluated_on(results.iter().map(|(_, result)| &result.outcome))
}

fn picture_of(
    title: &str,
    plain: &str,
    validation: &[(f64, ArmResult)],
    test: &[(f64, ArmResult)],
) -> Figure {
    let names =
        validation.iter().map(|(rho, _)| if *rho == 0.0 { plain.to_owned() } else { rho.to_string() });
    let series = |name: &str, color, results: &[(f64, ArmResult)]| Series {
        name: name.to_owned(),
        color,
        style: Style::Line,
        points: results
            .iter()
            .enumerate()
            .map(|(i, (_, result))| Point { x: i as f64, y: result.outcome.error })
            .collect(),
    };
    Figure {
        title: title.to_owned(),
        panels: vec![Panel {
            title: "Mean and 95 % confidence interval".to_owned(),
            x: Horizontal::Categories("rho".to_owned(), names.collect()),
            y: "error (%)".to_owned(),
            from_zero: true,
            logarithmic: false,
            series: vec![
                series(Evaluated::Validation.name(), 7, validation),
                series(&format!("{}, trained on all images", evaluated_on(test)), 9, test),
            ],
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataSource, ImageSet};

    #[test]
    fn holding_out_parts_the_training_images_and_leaves_none_out() {
        let dataset = DataSource::Digits.load(None, None).unwrap();
        let split = hold_out(&dataset, 3).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (1080, 120));
        let size = dataset.shape.len();
        let images = |set: &ImageSet| -> Vec<(Vec<u8>, u16)> {
            let pixels = set.pixels.all().unwrap();
            pixels.chunks(size).map(<[u8]>::to_vec).zip(set.labels.iter().copied()).collect()
        };
        let mut parts = images(&split.train);
        parts.extend(images(&split.test));
        let mut whole = images(&dataset.train);
        parts.sort();
        whole.sort();
        assert_eq!(parts, whole);
        assert_ne!(hold_out(&dataset, 4).unwrap().test, split.test);
    }
}
