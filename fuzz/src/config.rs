//! `config.toml` as any text.

use std::path::Path;

use sam_model::ImageShape;
use sam_train::training::{config::Config, settings::Model};

/// A configuration that is read is one that can be written, read again, and run: every number is in its range.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("config.toml");
    match Config::decode(path, text) {
        Ok(config) => {
            let run = &config.run;
            assert!(
                run.epochs > 0
                    && run.batch.iter().all(|size| size > 0)
                    && run.sgd.lr >= 0.0
                    && run.sgd.momentum < 1.0
            );
            let again = config.encode(path).expect("what was read can be written");
            assert_eq!(Config::decode(path, &again).expect("and read again"), config);
            assert_eq!(run.digest().len(), 64);
            // A network of one's own is described or refused with a line of its file.
            if let Model::Own(_) = run.model
                && let Err(error) = run.describe(ImageShape::new(8, 8, 1), 10)
            {
                assert!(error.to_string().contains("line "), "{error}");
            }
            // The schedule of the longest run is computed without an overflow.
            let rates = run.schedule.rates(
                run.sgd.lr,
                (run.epochs as u64) << 20,
                (run.schedule.warmup_epochs as u64) << 20,
            );
            assert!(rates.rate(0, u64::MAX).is_finite());
        }
        Err(error) => assert!(error.to_string().starts_with("config.toml: ")),
    }
}
