//! Averages of the weights along a run, against their definitions in double precision.

use sam_train::{
    data::{Augment, DataError},
    training::{
        checkpoint::Checkpoint,
        settings::{AverageSettings, DataSettings, ScheduleSettings, ScheduleShape, Settings},
        state::State,
    },
};

use super::support::{BASE, data, trainer};

fn settings(model: &str) -> Settings {
    Settings {
        model: model.parse().unwrap(),
        init: None,
        checkpoint_activations: false,
        data: DataSettings { augment: Augment::Basic, ..BASE.data },
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        ..BASE
    }
}

/// The values of a group of a state's tensors in double precision.
fn values(state: &State, group: &str) -> Vec<f64> {
    state.group(group).flat_map(|tensor| &tensor.values).copied().map(f64::from).collect()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{i}: {found}, {expected}");
    }
}

#[test]
fn averages_are_what_their_definitions_say_and_change_nothing_else() {
    let decay = 0.8;
    let plain = settings("resnet-8");
    let average = AverageSettings { ema: Some(decay), swa_from: Some(2), ..AverageSettings::NONE };
    let settings = Settings { average, ..plain.clone() };
    let data = data(&settings);
    let mut trainer = trainer(&settings, &data, 1);
    let (mut after_steps, mut after_epochs) = (Vec::new(), Vec::new());
    while !trainer.finished() {
        trainer.step().unwrap();
        let state = trainer.state().unwrap();
        after_steps.push([values(&state, "weights/"), values(&state, "statistics/")]);
        if trainer.at_epoch_end() {
            after_epochs.push(values(&state, "weights/"));
            trainer.end_epoch(true).unwrap();
        }
    }
    let state = trainer.state().unwrap();
    // The definition as a sum: the step n before the last counts decay^n; the first 1 / (1 - decay) = 5 count alike.
    for (i, group) in ["ema.weights/", "ema.statistics/"].into_iter().enumerate() {
        let mut expected = vec![0.0; after_steps[0][i].len()];
        let last = after_steps.len() - 1;
        for (n, step) in after_steps.iter().enumerate() {
            let share =
                if n < 5 { decay.powi(last as i32 - 4) / 5.0 } else { 0.2 * decay.powi((last - n) as i32) };
            expected.iter_mut().zip(&step[i]).for_each(|(sum, value)| *sum += share * value);
        }
        assert_close(&values(&state, group), &expected, 1e-5);
    }
    let expected: Vec<f64> =
        after_epochs[1].iter().zip(&after_epochs[2]).map(|(a, b)| (a + b) / 2.0).collect();
    assert_close(&values(&state, "swa.weights/"), &expected, 1e-6);

    // SWA's evaluation once more, in double precision.
    let mut network = sam_backend_ndarray::Network::<f64>::build(
        &settings.describe(data.shape, data.classes).unwrap(),
        40,
        1,
    )
    .unwrap();
    let mut maker = sam_train::data::BatchMaker::new(&data, 40).unwrap();
    let mut statistics = vec![0.0; network.statistics().len()];
    maker
        .visit(&data.train, |images, labels| {
            network.set_batch(images.mapv(f64::from).view(), labels).unwrap();
            let part = network.batch_statistics(&expected).unwrap();
            statistics.iter_mut().zip(part).for_each(|(sum, x)| *sum += x * labels.len() as f64 / 250.0);
            Ok::<_, DataError>(())
        })
        .unwrap();
    network.set_statistics(&statistics).unwrap();
    let mut loss = 0.0;
    maker
        .visit(&data.test, |images, labels| {
            let part = network.evaluate(&expected, images.mapv(f64::from).view(), labels).unwrap();
            loss += part.loss * part.count as f64 / data.test.len() as f64;
            Ok::<_, DataError>(())
        })
        .unwrap();
    let history = trainer.history();
    let found = history[2].swa_test_loss.unwrap();
    assert!((found - loss).abs() < 1e-5 * loss, "{found}, expected {loss}");
    let last = history[2].test_loss.unwrap();
    assert!(
        (found - last).abs() > 1e-4 * loss,
        "{found}: the average is as good as the last weights, {last}"
    );
    assert_eq!(history.iter().map(|m| m.swa_test_error.is_some()).collect::<Vec<_>>(), [false, true, true]);
    assert!(history.iter().all(|m| m.ema_test_error.is_some()));

    // The run itself does not know of its averages.
    let mut without = self::trainer(&plain, &data, 1);
    while !without.finished() {
        without.step().unwrap();
        if without.at_epoch_end() {
            without.end_epoch(true).unwrap();
        }
    }
    let own: Vec<_> = state.tensors.iter().filter(|t| without_average(&t.name)).cloned().collect();
    assert_eq!(State { tensors: own }, without.state().unwrap());
    for (with, without) in history.iter().zip(without.history()) {
        assert_eq!((with.train_loss, with.test_loss), (without.train_loss, without.test_loss));
    }
}

fn without_average(name: &str) -> bool {
    !["ema.", "swa.", "counts/ema.", "counts/swa."].iter().any(|average| name.starts_with(average))
}

#[test]
fn a_checkpoint_with_other_averages_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    let average = AverageSettings { ema: Some(0.9), ..AverageSettings::NONE };
    let with = Settings { average, ..settings("mlp-8") };
    let data = data(&with);
    let mut trainer = trainer(&with, &data, 1);
    trainer.step().unwrap();
    trainer.save(&path).unwrap();
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.state.tensors.retain(|tensor| without_average(&tensor.name));
    checkpoint.save(&path).unwrap();
    let before = trainer.state().unwrap();
    let refused = trainer.restore(&path).unwrap_err().to_string();
    assert!(refused.contains("tensors") && refused.contains("ema."), "{refused}");
    assert_eq!(trainer.state().unwrap(), before);
}
