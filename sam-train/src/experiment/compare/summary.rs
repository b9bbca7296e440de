//! What a comparison says about one network, augmentation and noise rate.

use std::fmt::Write as _;

use serde::Serialize;

use crate::experiment::run_store::FinishedRun;
use crate::{
    report::{counted, statistics::Estimate},
    training::settings::{Method, Settings},
};

/// A training procedure that takes part in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Arm {
    /// Which gradient is followed.
    pub method: Method,
    /// For how long.
    pub epochs: usize,
}

/// What one arm gave over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmSummary {
    /// The arm.
    #[serde(flatten)]
    pub arm: Arm,
    /// Test error after the last epoch in percent, seed by seed.
    pub errors: Vec<f64>,
    /// Their mean.
    pub error: Estimate,
    /// Time of a step in ms: the median over the steps of a run, in the run that was disturbed least.
    pub ms_per_step: f64,
    /// Mean test error along training.
    pub curve: Vec<CurvePoint>,
}

/// The test error at one moment of training, over all seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Gradients computed so far for each training image.
    pub gradients: usize,
    /// Test error in percent.
    pub error: Estimate,
}

/// What a comparison says about one network, augmentation and noise rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The data set.
    pub data: String,
    /// The network.
    pub model: String,
    /// What is done to training images.
    pub augment: String,
    /// Probability with which training labels were replaced.
    pub label_noise: f64,
    /// Mean share of training labels that were wrong.
    pub wrong_labels: f64,
    /// Runs of each arm.
    pub seeds: usize,
    /// SGD at one or two lengths.
    pub sgd: Vec<ArmSummary>,
    /// The one of `sgd` with the lower mean error, which SAM is compared with.
    pub best_sgd: usize,
    /// SAM.
    pub sam: ArmSummary,
    /// SAM's test error minus that of the best SGD, paired by seed, in percentage points.
    pub difference: Estimate,
    /// Time of a SAM step over that of an SGD step.
    pub sam_over_sgd_time: f64,
}

/// What tells the summaries of a comparison apart, apart from the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Varied {
    model: bool,
    augment: bool,
}

/// The line of a summary in `sam compare --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryLine<'a> {
    kind: &'static str,
    data: &'a str,
    model: &'a str,
    /// Where several networks or augmentations are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    augment: Option<&'a str>,
    label_noise: f64,
    seeds: usize,
    sgd: ArmLine,
    sam: ArmLine,
    difference: Estimate,
    sam_over_sgd_time: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ArmLine {
    error_mean: f64,
    error_ci95: Option<f64>,
    ms_per_step: f64,
}

impl Arm {
    /// The arm for people.
    pub fn label(&self) -> String {
        format!("{}, {}", self.method.name().to_uppercase(), counted(self.epochs, "epoch"))
    }
}

impl ArmSummary {
    fn new(arm: Arm, runs: &[FinishedRun]) -> Self {
        let errors: Vec<f64> = runs.iter().map(|run| run.test_error).collect();
        let ms_per_step = runs.iter().map(|run| run.ms_per_step).fold(f64::NAN, f64::min);
        let gradients = runs.first().map_or(1, |run| run.settings.gradients_per_step());
        let epochs = runs.first().map_or(&[][..], |run| &run.curve).iter().map(|&(epoch, _)| epoch);
        let curve = epochs
            .enumerate()
            .map(|(i, epoch)| {
                let errors: Vec<f64> = runs.iter().filter_map(|run| Some(run.curve.get(i)?.1)).collect();
                CurvePoint { gradients: epoch * gradients, error: Estimate::of(&errors) }
            })
            .collect();
        let error = Estimate::of(&errors);
        Self { arm, errors, error, ms_per_step, curve }
    }

    fn line(&self) -> ArmLine {
        let Estimate { mean, ci95 } = self.error;
        ArmLine { error_mean: mean, error_ci95: ci95, ms_per_step: self.ms_per_step }
    }
}

impl Varied {
    /// What differs between any two of `summaries`.
    pub fn among(summaries: &[Summary]) -> Self {
        let differs =
            |of: fn(&Summary) -> &str| summaries.iter().any(|summary| of(summary) != of(&summaries[0]));
        Self { model: differs(|summary| &summary.model), augment: differs(|summary| &summary.augment) }
    }

    /// Whether anything does.
    pub fn any(self) -> bool {
        self.model || self.augment
    }

    /// The names of what does; empty if nothing.
    pub fn names(self) -> String {
        self.joined("network", "augmentation")
    }

    /// What `summary` has there; empty if nothing differs.
    pub fn of(self, summary: &Summary) -> String {
        self.joined(&summary.model, &summary.augment)
    }

    fn joined(self, model: &str, augment: &str) -> String {
        let parts = [(self.model, model), (self.augment, augment)];
        parts.into_iter().filter(|part| part.0).map(|part| part.1).collect::<Vec<_>>().join(", ")
    }
}

/// The title of a comparison: its networks, data set and seeds.
pub fn title(summaries: &[Summary]) -> String {
    let Some(first) = summaries.first() else { return String::new() };
    let mut models: Vec<&str> = Vec::new();
    for summary in summaries {
        if !models.contains(&summary.model.as_str()) {
            models.push(&summary.model);
        }
    }
    format!("SGD and SAM: {} on {}, {}", models.join(", "), first.data, counted(first.seeds, "seed"))
}

impl Summary {
    /// Sums up the runs of SGD arms and, last, the SAM arm; the runs of each in the order of their seeds.
    ///
    /// # Panics
    /// If there are not at least two arms.
    pub fn new(base: &Settings, label_noise: f64, arms: Vec<(Arm, Vec<FinishedRun>)>) -> Self {
        let wrong: Vec<f64> = arms.iter().flat_map(|(_, runs)| runs).map(|run| run.wrong_labels).collect();
        let mut sgd: Vec<ArmSummary> = arms.iter().map(|(arm, runs)| ArmSummary::new(*arm, runs)).collect();
        let sam = sgd.pop().expect("the SAM arm");
        let by_error = |&a: &usize, &b: &usize| sgd[a].error.mean.total_cmp(&sgd[b].error.mean);
        let best_sgd = (0..sgd.len()).min_by(by_error).expect("an SGD arm");
        let best = &sgd[best_sgd];
        Self {
            data: base.data.title().to_owned(),
            model: base.model.to_string(),
            augment: base.data.augment.to_string(),
            label_noise,
            wrong_labels: Estimate::of(&wrong).mean,
            seeds: sam.errors.len(),
            best_sgd,
            difference: Estimate::of_differences(&sam.errors, &best.errors),
            sam_over_sgd_time: sam.ms_per_step / best.ms_per_step,
            sgd,
            sam,
        }
    }

    /// The SGD arm that SAM is compared with.
    pub fn best_sgd(&self) -> &ArmSummary {
        &self.sgd[self.best_sgd]
    }

    /// The line of `--json`.
    pub fn line(&self, varied: Varied) -> SummaryLine<'_> {
        SummaryLine {
            kind: "compare",
            data: &self.data,
            model: &self.model,
            augment: varied.any().then_some(&*self.augment),
            label_noise: self.label_noise,
            seeds: self.seeds,
            sgd: self.best_sgd().line(),
            sam: self.sam.line(),
            difference: self.difference,
            sam_over_sgd_time: self.sam_over_sgd_time,
        }
    }

    /// The noise rate for people.
    pub fn labels(&self) -> String {
        if self.label_noise == 0.0 {
            return "clean labels".to_owned();
        }
        format!("{}\u{a0}% random labels", round_percent(self.label_noise))
    }

    /// What came out, in one sentence.
    pub fn sentence(&self, varied: Varied) -> String {
        let Estimate { mean, ci95 } = self.difference;
        let (seeds, sgd) = (counted(self.seeds, "seed"), counted(self.best_sgd().arm.epochs, "epoch"));
        let opening = if varied.any() { format!("{}: with", varied.of(self)) } else { "With".to_owned() };
        let mut text = format!("{opening} {}, SAM's mean test error is ", self.labels());
        let direction = if mean <= 0.0 { "below" } else { "above" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{:.2} points {direction} SGD's (its better length, {sgd})", mean.abs());
        let _ = match ci95 {
            None => write!(text, "; one seed says nothing about how far that is chance."),
            Some(half) if self.difference.excludes_zero() => {
                write!(
                    text,
                    ", with a 95 % interval of \u{b1} {half:.2} paired over {seeds}: a difference beyond chance."
                )
            }
            Some(half) => write!(
                text,
                "; the 95 % interval of \u{b1} {half:.2} paired over {seeds} contains 0: no difference is shown."
            ),
        };
        text
    }
}

/// A share in percent, without needless digits.
fn round_percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}
