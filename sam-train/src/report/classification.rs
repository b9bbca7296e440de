//! What a classifier's answers are worth: errors in all and of each class, confusions, calibration.

use ndarray::ArrayView2;
use serde::Serialize;

use super::markdown::Table;

/// Bins of the confidence for the calibration error, as in Guo et al. 2017.
const BINS: usize = 15;

/// Answers to images whose classes are known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// Images.
    pub images: usize,
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Share of the images whose class is not the first answer, in percent.
    pub error: f64,
    /// Share of the images whose class is not among the first five answers, in percent; none with five classes or fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_5_error: Option<f64>,
    /// Mean over the classes of the share of their images that are taken for another, in percent; classes without images do not count.
    /// Fine-grained sets are judged by 100 minus this, the mean accuracy of a class.
    pub mean_class_error: f64,
    /// Expected calibration error in percent (Guo et al. 2017, equation 3): the mean distance of confidence and accuracy over 15 bins of
    /// equal width, weighted by their images.
    pub calibration_error: f64,
    /// The classes by name.
    pub classes: Vec<String>,
    /// Of each class (a row) how many images were taken for each.
    pub confusion: Vec<Vec<usize>>,
}

impl Classification {
    /// The worth of `logits`, a row for each image, whose classes are `labels`. Of equal logits the first counts as larger.
    pub fn of(logits: ArrayView2<'_, f32>, labels: &[u16], classes: &[String]) -> Self {
        let mut confusion = vec![vec![0; classes.len()]; classes.len()];
        let (mut loss, mut wrong, mut beyond_5) = (0.0, 0, 0);
        // Images, confidence and hits of each bin.
        let mut bins = [(0_usize, 0.0, 0_usize); BINS];
        for (row, &label) in logits.outer_iter().zip(labels) {
            let label = usize::from(label);
            let row: Vec<f64> = row.iter().map(|&logit| logit.into()).collect();
            let shares = softmax(&row);
            let rank = |class: usize| {
                row.iter()
                    .enumerate()
                    .filter(|&(other, &logit)| logit > row[class] || logit == row[class] && other < class)
                    .count()
            };
            let answer = (0..row.len()).find(|&class| rank(class) == 0).unwrap_or(0);
            confusion[label][answer] += 1;
            loss -= log_softmax(&row, label);
            wrong += usize::from(answer != label);
            beyond_5 += usize::from(rank(label) >= 5);
            let bin = ((shares[answer] * BINS as f64) as usize).min(BINS - 1);
            let (count, confidence, hits) = &mut bins[bin];
            (*count, *confidence, *hits) =
                (*count + 1, *confidence + shares[answer], *hits + usize::from(answer == label));
        }
        let images = labels.len();
        let percent = |share: f64| 100.0 * share / images as f64;
        let distance: f64 = bins.iter().map(|&(_, confidence, hits)| (confidence - hits as f64).abs()).sum();
        let counted = confusion.iter().enumerate().filter_map(|(class, row)| {
            let count: usize = row.iter().sum();
            (count > 0).then(|| (count - row[class]) as f64 / count as f64)
        });
        let class_errors: Vec<f64> = counted.collect();
        let mean_class_error = 100.0 * class_errors.iter().sum::<f64>() / class_errors.len() as f64;
        Self {
            images,
            loss: loss / images as f64,
            error: percent(wrong as f64),
            top_5_error: (classes.len() > 5).then(|| percent(beyond_5 as f64)),
            mean_class_error,
            calibration_error: percent(distance),
            classes: classes.to_vec(),
            confusion,
        }
    }

    /// A row for each class: its images, its error, and what it is taken for most often.
    pub fn table(&self, title: String) -> Table {
        let mut table = Table::new(title, &["class", "images", "error (%)", "taken most often for"]);
        for (class, (name, row)) in self.classes.iter().zip(&self.confusion).enumerate() {
            let images: usize = row.iter().sum();
            let error = match images {
                0 => String::new(),
                _ => format!("{:.1}", 100.0 * (images - row[class]) as f64 / images as f64),
            };
            let others = row.iter().enumerate().filter(|&(other, &count)| other != class && count > 0);
            // Of equals the first.
            let worst = others.rev().max_by_key(|&(_, &count)| count);
            let worst =
                worst.map_or(String::new(), |(other, count)| format!("{} ({count})", self.classes[other]));
            table.row(vec![name.clone(), images.to_string(), error, worst]);
        }
        table
    }

    /// The outcome for people.
    pub fn sentence(&self) -> String {
        let Self { images, loss, error, mean_class_error, calibration_error, .. } = self;
        let top = self
            .top_5_error
            .map_or(String::new(), |error| format!(", not among the first five answers {error:.2} %"));
        format!(
            "error {error:.2} % of {images} images{top}; mean of the classes {mean_class_error:.2} %; loss {loss:.4}; calibration error {calibration_error:.2} %"
        )
    }
}

/// Shares of the classes.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    (0..logits.len()).map(|class| log_softmax(logits, class).exp()).collect()
}

fn log_softmax(logits: &[f64], class: usize) -> f64 {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
    logits[class] - most - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn answers_are_counted_by_class_and_by_rank() {
        let names: Vec<String> = (0..6).map(|class| class.to_string()).collect();
        let mut logits = ndarray::Array2::<f32>::zeros((4, 6));
        // Right; taken for 1; the last of six; equal logits, of which the first counts as larger.
        (logits[[0, 0]], logits[[1, 1]]) = (9.0, 9.0);
        logits.row_mut(2).assign(&array![5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
        let found = Classification::of(logits.view(), &[0, 0, 5, 0], &names);
        assert_eq!((found.error, found.top_5_error), (50.0, Some(25.0)));
        // A third of the class 0, all of the class 5; the others have no images.
        assert!((found.mean_class_error - 100.0 * (1.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        assert_eq!(found.confusion[0], [2, 1, 0, 0, 0, 0]);
        assert_eq!(found.confusion[5], [1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_confidence_that_is_the_accuracy_is_calibrated_and_its_loss_is_the_entropy() {
        let names = ["a".to_owned(), "b".to_owned()];
        // Three quarters for the first class, which is right in three of four.
        let logits =
            ndarray::Array2::from_shape_fn((4, 2), |(_, class)| if class == 0 { 3.0_f32.ln() } else { 0.0 });
        let found = Classification::of(logits.view(), &[0, 0, 1, 0], &names);
        let entropy = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        assert!(found.calibration_error < 1e-5 && (found.loss - entropy).abs() < 1e-6, "{found:?}");
        let wrong = Classification::of(logits.view(), &[1, 1, 1, 1], &names);
        assert!((wrong.calibration_error - 75.0).abs() < 1e-5);
    }
}
