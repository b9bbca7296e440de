//! Training in lent buffers: reproducible, and worth it.

use trainer::digits::{BYTES, PRETRAINED, TEST, TRAIN};
use trainer::experiment::{Memory, NETWORK, Task};

#[test]
fn the_digits_are_whole() {
    assert_eq!((TRAIN.images.len(), TRAIN.labels.len()), (1200, 1200));
    assert_eq!((TEST.images.len(), TEST.labels.len()), (597, 597));
    assert_eq!(BYTES, TRAIN.images.as_flattened().len() + TEST.images.as_flattened().len() + 1797);
    for set in [TRAIN, TEST] {
        assert!(set.images.as_flattened().iter().all(|shade| *shade <= 16));
        assert!(
            (0..10).all(|class| set.labels.iter().filter(|label| **label == class).count() * 20 > set.len())
        );
    }
}

#[test]
fn the_pretrained_weights_are_what_the_host_trains() {
    let mut memory = Memory::ZERO;
    let trained = Task::Pretrain.run(true, &mut memory).unwrap();
    assert!(trained.after * 100 > TEST.len() * 93, "{trained}");
    assert_eq!(PRETRAINED.len(), NETWORK.weights());
    for (i, (now, then)) in memory.weights.iter().zip(PRETRAINED).enumerate() {
        assert_eq!(
            now.to_bits(),
            u32::from_le_bytes(*then),
            "weight {i}: run `cargo run --release --bin pretrain -- trainer/pretrained.bin` if training was changed"
        );
    }
}

#[test]
fn both_tasks_learn_and_repeat_bit_for_bit() {
    for (task, least) in [(Task::FineTune, 65), (Task::Scratch, 90)] {
        for sam in [false, true] {
            let mut memory = Memory::ZERO;
            let first = task.run(sam, &mut memory).unwrap();
            // The buffers may hold anything.
            memory.gradient.fill(f32::NAN);
            memory.perturbed.fill(7.0);
            memory.momentum.fill(-3.0);
            memory.sight.fill(f32::INFINITY);
            assert_eq!(task.run(sam, &mut memory).unwrap(), first);
            assert!(first.after > first.before && first.after * 100 > TEST.len() * least, "{task:?} {first}");
        }
    }
}

#[test]
fn fine_tuning_leaves_the_first_layer_alone() {
    let mut memory = Memory::ZERO;
    Task::FineTune.run(true, &mut memory).unwrap();
    let (first, last) = memory.weights.split_at(NETWORK.first_layer());
    let pretrained: Vec<f32> = PRETRAINED.iter().map(|word| f32::from_le_bytes(*word)).collect();
    assert_eq!(first, &pretrained[..NETWORK.first_layer()]);
    assert!(last.iter().zip(&pretrained[NETWORK.first_layer()..]).any(|(now, then)| now != then));
}
