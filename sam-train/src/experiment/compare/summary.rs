//! What a comparison says about one network, augmentation and noise rate.

use serde::Serialize;

use crate::experiment::{
    disturbance::QUIET_SPREAD, followed::Followed, outcome::Outcome, run_store::FinishedRun,
};
use crate::{
    report::{
        counted,
        statistics::{Estimate, median},
        verdict::{Difference, Judged, judged},
    },
    training::{
        base::Base,
        settings::{Method, Settings},
    },
};

/// A training procedure that takes part in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Arm {
    /// Which gradient is followed.
    pub method: Method,
    /// How it is followed; files do not name SGD.
    #[serde(skip_serializing_if = "Base::is_sgd")]
    pub base: Base,
    /// For how long.
    pub epochs: usize,
}

/// What one arm gave over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmSummary {
    /// The arm.
    #[serde(flatten)]
    pub arm: Arm,
    /// Test errors after the last epoch.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Time of a step in ms: the median over the steps of a run, in the run that was disturbed least.
    pub ms_per_step: f64,
    /// The same in the median run: on a machine that does nothing else, hardly more.
    pub usual_ms_per_step: f64,
    /// Mean test error along training, over the runs that have learnt.
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
    /// The better of `sgd`, which SAM is compared with: with fewer runs that never left the start, then with the lower mean error.
    pub best_sgd: usize,
    /// SAM.
    pub sam: ArmSummary,
    /// SAM's test error minus that of the best SGD, paired by seed, in percentage points, and what that shows.
    pub difference: Judged,
    /// Time of a SAM step over that of an SGD step.
    pub sam_over_sgd_time: f64,
    /// Between which numbers it lies: were SGD's runs the disturbed ones, and were SAM's.
    pub sam_over_sgd_time_range: [f64; 2],
    /// The recipe that was followed, and how far it was shrunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Followed>,
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
    difference: Judged,
    sam_over_sgd_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe: Option<&'a Followed>,
    sam_over_sgd_time_range: [f64; 2],
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ArmLine {
    error_mean: f64,
    error_ci95: Option<f64>,
    error_interval: Option<[f64; 2]>,
    test_set_interval: Option<[f64; 2]>,
    never_left_start: usize,
    ms_per_step: f64,
}

impl Arm {
    /// The arm for people.
    pub fn label(&self) -> String {
        format!("{}, {}", self.base.procedure(&self.method.title()), counted(self.epochs, "epoch"))
    }
}

impl ArmSummary {
    fn new(arm: Arm, runs: &[FinishedRun]) -> Self {
        let runs: Vec<&FinishedRun> = runs.iter().collect();
        let outcome = Outcome::of(&runs);
        let ms_per_step = runs.iter().map(|run| run.ms_per_step).fold(f64::NAN, f64::min);
        let mut times: Vec<f64> = runs.iter().map(|run| run.ms_per_step).collect();
        let usual_ms_per_step = median(&mut times).unwrap_or(f64::NAN);
        let gradients = runs.first().map_or(1, |run| run.settings.gradients_per_step());
        let point = |(epoch, error)| CurvePoint { gradients: epoch * gradients, error };
        let curve = outcome.curve(&runs).into_iter().map(point).collect();
        Self { arm, outcome, ms_per_step, usual_ms_per_step, curve }
    }

    fn line(&self) -> ArmLine {
        let Estimate { mean, ci95, interval } = self.outcome.error;
        ArmLine {
            error_mean: mean,
            error_ci95: ci95,
            error_interval: interval,
            test_set_interval: self.outcome.test_set,
            never_left_start: self.outcome.lost.len(),
            ms_per_step: self.ms_per_step,
        }
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
    let scaled = first.recipe.as_ref().and_then(Followed::in_short);
    let scaled = scaled.map_or(String::new(), |scaled| format!(", {scaled}"));
    let [plain, sam] = ["SGD", "SAM"].map(|name| first.sam.arm.base.procedure(name));
    format!(
        "{plain} and {sam}: {} on {}, {}{scaled}",
        models.join(", "),
        first.data,
        counted(first.seeds, "seed")
    )
}

impl Summary {
    /// Corrects what is said of the differences of all `summaries` for their number.
    pub fn judge_together(summaries: &mut [Self]) {
        let differences: Vec<Difference> = summaries.iter().map(|one| one.difference.difference).collect();
        summaries.iter_mut().zip(judged(&differences)).for_each(|(one, judged)| one.difference = judged);
    }

    /// Sums up the runs of SGD arms and, last, the SAM arm; the runs of each in the order of their seeds.
    ///
    /// # Panics
    /// If there are not at least two arms.
    pub fn new(base: &Settings, label_noise: f64, arms: Vec<(Arm, Vec<FinishedRun>)>) -> Self {
        let wrong: Vec<f64> = arms.iter().flat_map(|(_, runs)| runs).map(|run| run.wrong_labels).collect();
        let mut sgd: Vec<ArmSummary> = arms.iter().map(|(arm, runs)| ArmSummary::new(*arm, runs)).collect();
        let sam = sgd.pop().expect("the SAM arm");
        let by_error = |&a: &usize, &b: &usize| sgd[a].outcome.by_error(&sgd[b].outcome);
        let best_sgd = (0..sgd.len()).min_by(by_error).expect("an SGD arm");
        let best = &sgd[best_sgd];
        Self {
            data: base.data.title().to_owned(),
            model: base.model.to_string(),
            augment: base.data.augment.to_string(),
            label_noise,
            wrong_labels: Estimate::of(&wrong).mean,
            seeds: sam.outcome.errors.len(),
            best_sgd,
            difference: judged(&[sam.outcome.minus(&best.outcome)])[0],
            sam_over_sgd_time: sam.ms_per_step / best.ms_per_step,
            sam_over_sgd_time_range: [
                sam.ms_per_step / best.usual_ms_per_step,
                sam.usual_ms_per_step / best.ms_per_step,
            ],
            sgd,
            sam,
            recipe: None,
        }
    }

    /// The SGD arm that SAM is compared with.
    pub fn best_sgd(&self) -> &ArmSummary {
        &self.sgd[self.best_sgd]
    }

    /// How much longer a SAM step takes, for people: a range where the machine was disturbed.
    pub fn time(&self) -> String {
        let [low, high] = self.sam_over_sgd_time_range;
        if high - low > QUIET_SPREAD * self.sam_over_sgd_time {
            return format!("\u{d7} {low:.1} to {high:.1}");
        }
        format!("\u{d7} {:.2}", self.sam_over_sgd_time)
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
            recipe: self.recipe.as_ref(),
            sam_over_sgd_time_range: self.sam_over_sgd_time_range,
        }
    }

    /// The noise rate for people.
    pub fn labels(&self) -> String {
        if self.label_noise == 0.0 {
            return "clean labels".to_owned();
        }
        format!("{}\u{a0}% random labels", round_percent(self.label_noise))
    }

    /// What came out, in a sentence, and one more for each arm with runs that never left the start.
    pub fn sentence(&self, varied: Varied) -> String {
        let mean = self.difference.difference.estimate.mean;
        let sgd = counted(self.best_sgd().arm.epochs, "epoch");
        let opening = if varied.any() { format!("{}: with", varied.of(self)) } else { "With".to_owned() };
        let opening = format!("{opening} {}", self.labels());
        let mut text = if mean.is_nan() {
            let base = self.best_sgd().arm.base.title();
            format!("{opening}, no seed has learnt with both SAM and {base}: nothing is compared.")
        } else {
            let direction = if mean <= 0.0 { "below" } else { "above" };
            format!(
                "{opening}, SAM's mean {} error is {:.2} points {direction} {}'s (its better length, {sgd}){}",
                self.sam.outcome.evaluated_on,
                mean.abs(),
                self.best_sgd().arm.base.title(),
                self.difference.words()
            )
        };
        for arm in self.sgd.iter().chain([&self.sam]) {
            if let Some(lost) = arm.outcome.lost_of(&arm.arm.label()) {
                text.push(' ');
                text.push_str(&lost);
            }
        }
        text
    }
}

/// A share in percent, without needless digits.
fn round_percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::DataSource,
        training::settings::{NormExponent, Settings},
    };

    /// Runs whose steps took these times.
    fn summary(sgd: [f64; 3], sam: [f64; 3]) -> Summary {
        let arm = |method: Method, times: [f64; 3]| {
            let settings = Settings::new("mlp-8".parse().unwrap(), DataSource::Digits, method);
            let runs = times.map(|ms_per_step| FinishedRun {
                key: String::new(),
                settings: settings.clone(),
                test_error: 1.0,
                train_loss: 0.1,
                wrong_labels: 0.0,
                ms_per_step,
                weights_sha256: String::new(),
                test_images: 600,
                chance_error: 90.0,
                curve: vec![(1, 1.0)],
            });
            (Arm { method, base: Base::Sgd, epochs: 1 }, runs.to_vec())
        };
        let sam_method = Method::Sam { rho: 0.1, norm: NormExponent(sam_core::Norm::L2) };
        let base = Settings::new("mlp-8".parse().unwrap(), DataSource::Digits, Method::Sgd);
        Summary::new(&base, 0.0, vec![arm(Method::Sgd, sgd), arm(sam_method, sam)])
    }

    #[test]
    fn a_time_is_a_range_where_runs_were_disturbed() {
        assert_eq!(summary([1.0, 1.01, 1.3], [1.9, 1.92, 1.91]).time(), "\u{d7} 1.90");
        let disturbed = summary([1.0, 2.0, 3.0], [1.9, 1.9, 1.9]);
        assert_eq!(disturbed.sam_over_sgd_time, 1.9);
        assert_eq!(disturbed.time(), "\u{d7} 0.9 to 1.9");
    }
}
