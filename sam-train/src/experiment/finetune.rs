//! Section 3.2 and table 11: a trained network with a new head on a second task, with SGD and with SAM.

use sam_model::Description;

use super::{
    ExperimentError, ablate,
    arms::{self, Arm, ArmResult},
    design::{Design, Experiment},
    findings::{Findings, Picture},
    grid, outcome,
    runner::{Job, LoadedData, Runner, Statistics},
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
    /// Whether it is also tried with statistics of batch normalisation that follow the batches (footnote 8).
    pub free_statistics: bool,
    /// Radii of which a tenth of the second task's training images chooses one, which is fine-tuned with too.
    pub rhos: Vec<f64>,
}

/// A procedure with what it starts from: a trained network, whose statistics are as said, or a fresh one.
type Procedure = (Arm, Option<Statistics>);

/// Procedures of fine-tuning side by side.
struct Tuning<'a> {
    design: &'a Design,
    trained: &'a State,
    /// Epochs of a second chance for procedures of one gradient a step; 0 for none.
    sgd_epochs: usize,
}

impl Tuning<'_> {
    /// Makes the runs of all `procedures` on `data`: the better length of each.
    fn compare(
        &self,
        runner: &mut Runner<'_>,
        procedures: &[Procedure],
        data: &LoadedData,
    ) -> Result<Vec<ArmResult>, ExperimentError> {
        let lengths: Vec<Vec<Arm>> = procedures.iter().map(|(arm, _)| arm.lengths(self.sgd_epochs)).collect();
        let both = lengths.iter().zip(procedures);
        let arms: Vec<(&Arm, Option<Statistics>)> =
            both.flat_map(|(arms, (_, start))| arms.iter().map(|arm| (arm, *start))).collect();
        // Each with the seed's averages and counters, and a head at zero.
        let mut starts = Vec::new();
        for seed in 0..self.design.seeds {
            for (arm, tuned) in &arms {
                let settings = Settings { seed: arm.settings.seed + seed as u64, ..arm.settings.clone() };
                let mut state = tuned.map(|_| runner.fresh_state(&settings, &data.dataset)).transpose()?;
                if let Some(state) = &mut state {
                    state.take_over(self.trained, Head::Zero).map_err(LearnerError::State)?;
                }
                starts.push(state);
            }
        }
        let mut jobs = Vec::new();
        for seed in 0..self.design.seeds {
            for (i, (arm, tuned)) in arms.iter().enumerate() {
                let start = starts[seed * arms.len() + i].as_ref();
                jobs.push(Job { start, statistics: tuned.unwrap_or_default(), ..arm.job(seed, data) });
            }
        }
        let runs = runner.runs("fine-tuning", &jobs)?;
        Ok(arms::better_lengths(&lengths, &runs))
    }
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
        let LoadedData { dataset, evaluated_on, .. } = &design.data;
        let loaded = |part| LoadedData::new(part).map(|data| data.evaluated_on(*evaluated_on));
        let (target, trained) = match &self.start {
            Start::File(file) => (design.data.clone(), file.state(&described(design)?)?.clone()),
            Start::FirstClasses { images } => {
                let half = dataset.classes / 2;
                let first = loaded(with_classes(dataset, 0..half, usize::MAX)?)?;
                let job = Job::new(design.with(Method::Sgd), &first).with_snapshots(vec![design.base.epochs]);
                runner.runs("training on the first classes", std::slice::from_ref(&job))?;
                let state = runner.state(&job, design.base.epochs)?;
                (loaded(with_classes(dataset, half..dataset.classes, *images)?)?, state)
            }
        };
        let tuned = |method| {
            let mut settings = Settings { epochs: self.epochs, ..design.with(method) };
            settings.sgd.lr = self.lr;
            settings
        };
        let scratch = |method| Settings { epochs: self.epochs, ..design.with(method) };
        // Twice the epochs of fine-tuning, where SGD has twice those of training.
        let sgd_epochs = if design.sgd_epochs == 0 { 0 } else { self.sgd_epochs.unwrap_or(2 * self.epochs) };
        let tuning = Tuning { design, trained: &trained, sgd_epochs };
        let with = |name: &str, method, statistics| -> Procedure {
            (Arm::new(design.named(name), tuned(method)), Some(statistics))
        };
        let from_trained = |name: &str, method| with(name, method, Statistics::Frozen);
        let mut validation = None;
        if !self.rhos.is_empty() {
            let held_out = grid::held_out(&target.dataset, design.base.seed)?;
            let radii = grid::radii(&self.rhos);
            let procedures: Vec<_> =
                radii.iter().map(|&rho| from_trained(&rho.to_string(), grid::method(design, rho))).collect();
            let results = tuning.compare(runner, &procedures, &held_out)?;
            let results: grid::ByRadius = radii.into_iter().zip(results).collect();
            validation = Some((grid::best(results.iter().map(|(rho, result)| (*rho, result))), results));
        }
        let sam = design.sam(design.rho());
        let mut procedures = vec![
            from_trained("fine-tuned, SGD", Method::Sgd),
            from_trained("fine-tuned, SAM", sam),
            (Arm::new(design.named("from scratch, SGD"), scratch(Method::Sgd)), None),
            (Arm::new(design.named("from scratch, SAM"), scratch(sam)), None),
        ];
        if let Some((Some(rho), _)) = validation {
            procedures.push(from_trained(&format!("fine-tuned, SAM, chosen rho {rho}"), design.sam(rho)));
        }
        let free = procedures.len();
        if self.free_statistics {
            procedures.push(with("fine-tuned, free statistics, SGD", Method::Sgd, Statistics::Free));
            procedures.push(with("fine-tuned, free statistics, SAM", sam, Statistics::Free));
        }
        let results = tuning.compare(runner, &procedures, &target)?;
        let subject = format!(
            "{}, {} images of {} classes",
            design.subject(),
            target.dataset.train.len(),
            target.dataset.classes
        );
        let title = format!("Fine-tuning: {subject}");
        let minus = format!("minus {}", results[0].name);
        let mut table =
            markdown::Table::new(title.clone(), &["method", &evaluated_on.error_percent(), &minus]);
        for result in &results {
            let minus = markdown::difference(&result.minus(&results[0]));
            table.row(vec![result.name.clone(), result.outcome.cell(), minus]);
        }
        outcome::add_test_set(&mut table, results.iter().map(|result| &result.outcome));
        let picture = Picture::figure("finetune", ablate::error_figure(title, &results));
        let mut findings = Findings { tables: vec![table], pictures: vec![picture], ..Findings::default() };
        let mut pairs =
            vec![(&results[1], &results[0]), (&results[0], &results[2]), (&results[3], &results[2])];
        if let Some((chosen, validation)) = &validation {
            findings.tables.push(grid::table(&design.named("fine-tuned, SGD"), validation, None));
            findings.sentences.push(grid::sentence(*chosen));
            if chosen.is_some() {
                pairs.extend([(&results[4], &results[0]), (&results[4], &results[1])]);
            }
        }
        if let [sgd, sam] = &results[free..] {
            pairs.extend([(sgd, &results[0]), (sam, &results[1]), (sam, sgd)]);
        }
        findings.sentences.extend(arms::sentences(pairs));
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
