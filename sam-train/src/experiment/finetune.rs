//! Section 3.2: a trained network with a new head on a second task, with SGD and with SAM.

use sam_model::Description;

use super::{
    ExperimentError, ablate,
    arms::{self, Arm, ArmResult},
    design::{Design, Experiment},
    findings::{Findings, Picture},
    outcome,
    runner::{Job, LoadedData, Runner},
};
use crate::{
    data::{DataError, Dataset, ImageSet},
    import::weights,
    report::markdown,
    training::{
        learner::LearnerError,
        settings::{Method, Settings},
        state::{Head, State},
    },
};

/// Where fine-tuning starts.
#[derive(Debug, Clone)]
pub enum Start {
    /// A network trained elsewhere; the design's data set is the second task.
    File(weights::Weights),
    /// A network trained with the design's settings on the first half of the classes; the second half, or the first images
    /// of it, is the second task.
    FirstClasses {
        /// Images of the second task, at most.
        images: usize,
    },
}

/// Fine-tuning with SGD and SAM from the same start, and training from scratch.
#[derive(Debug, Clone)]
pub struct Finetune {
    /// Where it starts.
    pub start: Start,
    /// Epochs of it.
    pub epochs: usize,
    /// Epochs of SGD's second chance; `None` for twice as many, unless the design gives SGD none.
    pub sgd_epochs: Option<usize>,
    /// Its highest learning rate.
    pub lr: f64,
}

/// The part of `dataset` whose classes lie in `classes`, counted from 0; at most `images` of the training images.
fn with_classes(
    dataset: &Dataset,
    classes: std::ops::Range<usize>,
    images: usize,
) -> Result<Dataset, DataError> {
    let part = |set: &ImageSet, most: usize| {
        let chosen = (0..set.len()).filter(|&i| classes.contains(&usize::from(set.labels[i]))).take(most);
        let mut part = set.subset(chosen)?;
        part.labels.iter_mut().for_each(|label| *label -= classes.start as u16);
        Ok(part)
    };
    let (train, test) = (part(&dataset.train, images)?, part(&dataset.test, usize::MAX)?);
    let class_names = dataset.class_names[classes.clone()].to_vec();
    Ok(Dataset { classes: classes.len(), class_names, train, test, ..dataset.clone() })
}

/// The design's network.
fn described(design: &Design) -> Result<Description, LearnerError> {
    let dataset = &design.data.dataset;
    design.base.describe(dataset.shape, dataset.classes).map_err(LearnerError::backend)
}

impl Experiment for Finetune {
    const NAME: &'static str = "finetune";
    const PAPER: &'static str = "Section 3.2, table 3";

    fn check(&self, design: &Design, mut fresh: State) -> Result<(), ExperimentError> {
        match &self.start {
            Start::File(file) => Ok(file.begin(&described(design)?, &mut fresh).map(drop)?),
            Start::FirstClasses { .. } => Ok(()),
        }
    }

    fn run(&self, runner: &mut Runner<'_>, design: &Design) -> Result<Findings, ExperimentError> {
        let dataset = &design.data.dataset;
        let (target, trained) = match &self.start {
            Start::File(file) => (design.data.clone(), file.state(&described(design)?)?.clone()),
            Start::FirstClasses { images } => {
                let half = dataset.classes / 2;
                let first = LoadedData::new(with_classes(dataset, 0..half, usize::MAX)?)?;
                let job = Job::new(design.with(Method::Sgd), &first).with_snapshots(vec![design.base.epochs]);
                runner.runs("training on the first classes", std::slice::from_ref(&job))?;
                let state = runner.state(&job, design.base.epochs)?;
                (LoadedData::new(with_classes(dataset, half..dataset.classes, *images)?)?, state)
            }
        };
        let tuned = |method| {
            let mut settings = Settings { epochs: self.epochs, ..design.with(method) };
            settings.sgd.lr = self.lr;
            settings
        };
        let scratch = |method| Settings { epochs: self.epochs, ..design.with(method) };
        let sam = design.sam(design.rho());
        let procedures = [
            (Arm::new(design.named("fine-tuned, SGD"), tuned(Method::Sgd)), true),
            (Arm::new(design.named("fine-tuned, SAM"), tuned(sam)), true),
            (Arm::new(design.named("from scratch, SGD"), scratch(Method::Sgd)), false),
            (Arm::new(design.named("from scratch, SAM"), scratch(sam)), false),
        ];
        // Twice the epochs of fine-tuning, where SGD has twice those of training.
        let sgd_epochs = if design.sgd_epochs == 0 { 0 } else { self.sgd_epochs.unwrap_or(2 * self.epochs) };
        let lengths = procedures.each_ref().map(|(arm, _)| arm.lengths(sgd_epochs));
        let both = lengths.iter().zip(&procedures);
        let arms: Vec<(Arm, bool)> =
            both.flat_map(|(arms, (_, tuned))| arms.iter().map(|arm| (arm.clone(), *tuned))).collect();
        // Each with the seed's averages and counters, and a head at zero.
        let mut starts = Vec::new();
        for seed in 0..design.seeds {
            for (arm, _) in &arms {
                let settings = Settings { seed: arm.settings.seed + seed as u64, ..arm.settings.clone() };
                let mut state = runner.fresh_state(&settings, &target.dataset)?;
                state.take_over(&trained, Head::Zero).map_err(LearnerError::State)?;
                starts.push(state);
            }
        }
        let mut jobs = Vec::new();
        for seed in 0..design.seeds {
            for (i, (arm, tuned)) in arms.iter().enumerate() {
                let start = tuned.then(|| &starts[seed * arms.len() + i]);
                jobs.push(Job { start, ..arm.job(seed, &target) });
            }
        }
        let runs = runner.runs("fine-tuning", &jobs)?;
        let arms: Vec<Arm> = arms.into_iter().map(|(arm, _)| arm).collect();
        let mut all = arms::results(&arms, &runs).into_iter();
        let results: Vec<ArmResult> =
            lengths.iter().filter_map(|lengths| arms::better(all.by_ref().take(lengths.len()))).collect();
        let subject = format!(
            "{}, {} images of {} classes",
            design.subject(),
            target.dataset.train.len(),
            target.dataset.classes
        );
        let title = format!("Fine-tuning: {subject}");
        let minus = format!("minus {}", results[0].name);
        let mut table = markdown::Table::new(title.clone(), &["method", "test error (%)", &minus]);
        for result in &results {
            let minus = markdown::difference(&result.minus(&results[0]));
            table.row(vec![result.name.clone(), result.outcome.cell(), minus]);
        }
        outcome::add_test_set(&mut table, results.iter().map(|result| &result.outcome));
        let picture = Picture::figure("finetune", ablate::error_figure(title, &results));
        let mut findings = Findings { tables: vec![table], pictures: vec![picture], ..Findings::default() };
        findings.sentences = arms::sentences([
            (&results[1], &results[0]),
            (&results[0], &results[2]),
            (&results[3], &results[2]),
        ]);
        results.iter().for_each(|result| findings.line(result));
        Ok(findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;

    #[test]
    fn classes_are_parted_and_counted_from_zero() {
        let dataset = DataSource::Digits.load(None, None).unwrap();
        let [a, b] = [0..5, 5..10].map(|classes| with_classes(&dataset, classes, usize::MAX).unwrap());
        assert_eq!(a.train.len() + b.train.len(), dataset.train.len());
        assert!(b.train.labels.iter().chain(&b.test.labels).all(|&label| label < 5));
        assert_eq!(with_classes(&dataset, 5..10, 7).unwrap().train.len(), 7);
    }
}
