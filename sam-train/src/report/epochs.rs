//! The epochs of a run as a table of comma-separated values.

use crate::training::metrics::EpochMetrics;

/// A line for each epoch under the names that `metrics.jsonl` has; what an epoch did not give is empty.
///
/// # Panics
/// Never: writing to memory does not fail, and every line has the same fields.
pub fn csv(epochs: &[EpochMetrics]) -> Vec<u8> {
    const NAMES: [&str; 15] = [
        "epoch",
        "train_loss",
        "train_error",
        "gradient_norm",
        "sharpness",
        "skipped",
        "test_loss",
        "test_error",
        "ema_test_loss",
        "ema_test_error",
        "swa_test_loss",
        "swa_test_error",
        "lr",
        "images_per_s",
        "seconds",
    ];
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(NAMES).expect("memory takes it");
    for metrics in epochs {
        let line = serde_json::to_value(metrics).unwrap_or_default();
        let cell = |name: &&str| match &line[*name] {
            serde_json::Value::Null => String::new(),
            value => value.to_string(),
        };
        writer.write_record(NAMES.iter().map(cell)).expect("as many fields as names");
    }
    writer.into_inner().expect("memory takes it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_an_epoch_has_a_column() {
        let all = EpochMetrics {
            epoch: 1,
            train_error: Some(1.0),
            gradient_norm: Some(1.0),
            sharpness: Some(1.0),
            skipped: 1,
            test_loss: Some(1.0),
            test_error: Some(1.0),
            ema_test_loss: Some(1.0),
            ema_test_error: Some(1.0),
            swa_test_loss: Some(1.0),
            swa_test_error: Some(1.0),
            images_per_s: Some(1.0),
            seconds: Some(1.0),
            ..EpochMetrics::default()
        };
        let text = String::from_utf8(csv(&[all, EpochMetrics::default()])).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let names: std::collections::BTreeSet<&str> = lines[0].split(',').collect();
        let value = serde_json::to_value(all).unwrap();
        assert!(value.as_object().unwrap().keys().all(|key| names.contains(key.as_str())), "{names:?}");
        assert!(!lines[1].contains(",,") && lines[2].contains(",,"), "{text}");
    }
}
