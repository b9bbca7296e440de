//! Steps that are given up between their gradients.

use std::{thread, time::Duration};

use sam_train::{
    interrupt::Interrupt,
    training::{
        settings::{BatchSizes, DataSettings, Method, Settings},
        trainer::Trainer,
    },
};

use super::support::{BASE, data, trainer};

/// Bits of all state.
fn bits(trainer: &mut Trainer<'_>) -> Vec<u32> {
    let state = trainer.state().unwrap();
    state.tensors.iter().flat_map(|tensor| &tensor.values).map(|value| value.to_bits()).collect()
}

/// Gives each step up once or more, later each time, and returns how often.
fn run_with_interruptions(trainer: &mut Trainer<'_>) -> usize {
    let mut interruptions = 0;
    while !trainer.finished() {
        let before = bits(trainer);
        for attempt in 0_u32.. {
            let interrupt = Interrupt::default();
            trainer.watch(&interrupt);
            let delay = 40 * 4_u64.pow(attempt);
            let stepped = thread::scope(|scope| {
                if attempt == 0 {
                    interrupt.request();
                } else {
                    scope.spawn(|| {
                        thread::sleep(Duration::from_micros(delay));
                        interrupt.request();
                    });
                }
                trainer.step()
            });
            match stepped {
                Ok(_) => break,
                Err(error) => {
                    assert!(error.is_interruption(), "{error}");
                    assert!(bits(trainer) == before);
                    interruptions += 1;
                }
            }
        }
        if trainer.at_epoch_end() {
            trainer.end_epoch(false).unwrap();
        }
    }
    interruptions
}

#[test]
fn a_step_that_is_given_up_is_undone_and_made_again_with_the_same_bits() {
    let methods = [
        Method::Sgd,
        Method::SAM,
        Method::MOMENTUM_SAM,
        Method::MULTI_STEP_SAM,
        Method::SECOND_ORDER_SAM,
        Method::M_SHARPNESS,
        Method::LOOK_SAM,
        Method::GSAM,
        Method::FRIENDLY_SAM,
        Method::ESAM,
        Method::MIXUP,
    ];
    for (method, model) in methods.into_iter().zip(["resnet-8", "shake-shake-8-2x4d"].into_iter().cycle()) {
        let settings = Settings {
            epochs: 1,
            batch: BatchSizes::one(20),
            model: model.parse().unwrap(),
            data: DataSettings { limit: Some(90), ..BASE.data },
            method,
            ..BASE
        };
        let data = data(&settings);
        let mut whole = trainer(&settings, &data, 1);
        while !whole.finished() {
            whole.step().unwrap();
            if whole.at_epoch_end() {
                whole.end_epoch(false).unwrap();
            }
        }
        let mut disturbed = trainer(&settings, &data, 2);
        let interruptions = run_with_interruptions(&mut disturbed);
        assert!(interruptions >= 4, "{interruptions}");
        assert!(bits(&mut disturbed) == bits(&mut whole), "{settings:?}");
    }
}
