//! Softmax cross-entropy, its gradient, and the number of hits.

use crate::{Number, Wide, layout::Layout};
use sam_model::Evaluation;

/// Softmax cross-entropy against labels smoothed by `smoothing` (Szegedy et al. 2016): the target is
/// `1 - smoothing` on the label plus `smoothing / classes` on every class.
///
/// `d_logits`, if given, is overwritten with the gradient of the mean loss. Sums run in [`Number::Wide`] and in the
/// order of the samples.
pub fn cross_entropy<T: Number>(
    (logits, layout): (&[T], Layout),
    labels: &[u16],
    smoothing: f64,
    d_logits: Option<(&mut [T], Layout)>,
) -> Evaluation {
    let classes = layout.shape.channels;
    let mut d_logits = d_logits.map(|(values, layout)| layout.vectors_mut(values, labels.len()));
    let share = 1.0 / labels.len() as f64;
    let mut result = Evaluation { count: labels.len(), ..Evaluation::default() };
    for (logits, &label) in layout.vectors(logits, labels.len()).zip(labels) {
        let label = usize::from(label);
        let largest = logits.iter().fold(f64::NEG_INFINITY, |m, x| x.value().max(m));
        let sum: T::Wide = logits.iter().map(|x| (x.wide() - largest).exp()).sum();
        let log_sum = sum.ln() + largest;
        let mean_logit = logits.iter().map(|x| x.value()).sum::<f64>() / classes as f64;
        result.loss += log_sum.value() - (1.0 - smoothing) * logits[label].value() - smoothing * mean_logit;
        let best = logits.iter().enumerate().fold(0, |best, (c, x)| if *x > logits[best] { c } else { best });
        result.correct += usize::from(best == label);
        if let Some(d_logits) = d_logits.as_mut().and_then(Iterator::next) {
            for (c, (d, x)) in d_logits.iter_mut().zip(logits).enumerate() {
                let target = smoothing / classes as f64 + if c == label { 1.0 - smoothing } else { 0.0 };
                *d = T::narrow(((x.wide() - log_sum).exp() - target) * share);
            }
        }
    }
    result.loss *= share;
    result
}
