//! Runs on several devices: the weights of one, bit for bit, whatever the method.

use std::rc::Rc;

use sam_train::{
    data::{Augment, Dataset},
    ranks::{Alone, Ranks, agreement::PeerFailed, set_up::SetUp},
    training::{
        backend::{Backend, BackendName},
        learner::{Batch, Learner, LearnerError, Word},
        settings::{Method, Settings},
        trainer::Trainer,
    },
};

use super::{
    support::{CLASSES, SAM, SHAPE, cuda, dataset, images, settings},
    threads::on_ranks,
};

const GROUPS: usize = 4;

/// As many as there are: four on the interpreter.
fn devices() -> u32 {
    let is_there = |device: &u32| Backend::open_at(BackendName::Cuda, *device, 1).is_ok();
    (0..).take_while(is_there).count() as u32
}

/// Whether so many ranks can have one each; if not, the test says so.
fn has_devices(ranks: u32) -> bool {
    cuda();
    let has = devices() >= ranks;
    if !has {
        println!("skipped on fewer devices than {ranks}");
    }
    has
}

/// One epoch of three steps in four groups.
fn in_groups(model: &str, method: Method) -> Settings {
    let mut settings = settings(model, method);
    (settings.batch, settings.groups) = (8.into(), Some(GROUPS));
    settings.data.augment = Augment::Basic;
    settings.check().unwrap();
    settings
}

fn learner(settings: &Settings, ranks: &Rc<dyn Ranks>) -> Result<Box<dyn Learner>, LearnerError> {
    // The driver is chosen before any of the threads asks for it.
    let backend = Backend::open_on(BackendName::Cuda, 0, 1, &**ranks)?;
    backend.learner_on(settings, SHAPE, CLASSES, ranks)
}

/// The weights and the losses of a whole run.
fn outcome(settings: &Settings, data: &Dataset, ranks: Rc<dyn Ranks>) -> (String, String) {
    let learner = learner(settings, &ranks).unwrap();
    let mut trainer = Trainer::new(settings, data, &data.fingerprint().unwrap(), learner).unwrap();
    while !trainer.finished() {
        trainer.step().unwrap();
        if trainer.at_epoch_end() {
            trainer.end_epoch(true).unwrap();
        }
    }
    let losses =
        trainer.history().iter().map(|epoch| format!("{:?} {:?}", epoch.train_loss, epoch.test_loss));
    let losses = losses.collect();
    (trainer.weights_sha256().unwrap(), losses)
}

#[test]
fn a_run_does_not_depend_on_the_number_of_gpus() {
    cuda();
    let data = dataset(SHAPE, 24);
    for (model, method) in [
        ("mlp-8", SAM),
        ("resnet-8", Method::MSharpness { rho: 0.05, m: 2 }),
        ("mlp-8", Method::Sgd),
        ("mlp-8", Method::Asam { rho: 0.5, eta: 0.01 }),
        ("mlp-8", Method::LookSam { rho: 0.05, k: 2, alpha: 0.7 }),
        ("mlp-8", Method::Mixup { alpha: 1.0 }),
    ] {
        let settings = in_groups(model, method);
        let expected = outcome(&settings, &data, Alone::shared());
        // A step of a residual network takes the interpreter seconds.
        let numbers: &[u32] = if model == "resnet-8" { &[4] } else { &[2, 4] };
        for ranks in numbers.iter().copied().filter(|&ranks| has_devices(ranks)) {
            let found = on_ranks(ranks as usize, |ranks| outcome(&settings, &data, ranks));
            for (rank, found) in found.into_iter().enumerate() {
                assert!(found == expected, "{model}, {method:?}: rank {rank} of {ranks}: {}", found.1);
            }
        }
    }
}

/// Groups are the processor's too: to rounding the same steps.
#[test]
fn groups_are_those_of_the_processor() {
    cuda();
    let settings = in_groups("resnet-8", SAM);
    let batch = |seed| {
        let [(first, some), (second, more)] = [images(seed), images(seed + 5)];
        let all = ndarray::concatenate![ndarray::Axis(0), first, second.slice(ndarray::s![..2, .., .., ..])];
        (all, [some, more[..2].to_vec()].concat())
    };
    let losses = [BackendName::Cuda, BackendName::Cpu].map(|name| {
        let backend = Backend::open(name, 1).unwrap();
        let mut learner = backend.learner(&settings, SHAPE, CLASSES).unwrap();
        (0..3)
            .map(|seed| {
                let (images, labels) = batch(seed);
                learner.step_on(Batch { images: images.view(), labels: &labels }, 0.02).unwrap().loss
            })
            .collect::<Vec<_>>()
    });
    for (found, expected) in losses[0].iter().zip(&losses[1]) {
        assert!((found - expected).abs() <= 1e-4 * expected, "{found}, expected {expected}");
    }
}

/// What a rank cannot do comes to nothing on all of them, without a wait; who is asked to stop tells all.
#[test]
fn ranks_make_a_step_together_or_not_at_all() {
    if !has_devices(2) {
        return;
    }
    let mut settings = in_groups("mlp-8", SAM);
    settings.batch = 6.into();
    let ended = on_ranks(2, |ranks| {
        let mut learner = learner(&settings, &ranks).unwrap();
        let (images, labels) = images(1);
        let batch = Batch { images: images.view(), labels: &labels };
        assert!(learner.step_on(batch, 0.02).unwrap().outcome.moved());
        assert!(!learner.told_to_stop());
        learner.tell(if ranks.rank() == 1 { Word::Stop } else { Word::Nothing });
        assert!(learner.step_on(batch, 0.02).unwrap().outcome.moved());
        let told = learner.told_to_stop();
        learner.tell(Word::Nothing);
        let before = learner.export().unwrap();
        let failed = match ranks.rank() {
            0 => Some(learner.step_on(batch, 0.02).unwrap_err()),
            _ => {
                learner.miss_step();
                None
            }
        };
        assert_eq!(learner.export().unwrap(), before);
        // Labels that no class has: an error here, and no step there.
        let wrong = vec![99; labels.len()];
        let labels = if ranks.rank() == 0 { &wrong } else { &labels };
        let error = learner.step_on(Batch { images: images.view(), labels }, 0.02).unwrap_err();
        assert_eq!(matches!(error, LearnerError::Peer(PeerFailed(0))), ranks.rank() == 1, "{error}");
        assert_eq!(learner.export().unwrap(), before);
        assert_eq!(learner.export_on_first().unwrap().is_some(), ranks.rank() == 0);
        (told, failed.is_none_or(|error| matches!(error, LearnerError::Peer(PeerFailed(1)))))
    });
    assert_eq!(ended, [(true, true), (true, true)]);
}

#[test]
fn what_several_gpus_do_not_have_is_refused() {
    if !has_devices(2) {
        return;
    }
    let settings = in_groups("mlp-8", SAM);
    let refused = on_ranks(2, |ranks| {
        let in_parts: Rc<dyn Ranks> = Rc::new(SetUp { ranks, background: true, shard_state: true });
        learner(&settings, &in_parts).err().unwrap().to_string()
    });
    assert!(
        refused.iter().all(|line| line.starts_with("`shard-state` on: expected `backend` cpu")),
        "{refused:?}"
    );
    let settings = Settings { groups: None, ..settings };
    let refused = on_ranks(2, |ranks| learner(&settings, &ranks).err().unwrap().to_string());
    assert!(refused.iter().all(|line| line.contains("`groups`: expected at least 2")), "{refused:?}");
}

#[test]
fn every_rank_of_a_machine_has_the_next_device() {
    cuda();
    let last = devices() - 1;
    let opened = on_ranks(2, |ranks| {
        let opened = |device| Backend::open_on(BackendName::Cuda, device, 1, &*ranks).map(drop);
        (opened(last).map_err(|error| error.to_string()), opened(u32::MAX).is_ok())
    });
    assert!(matches!(opened[0], (Ok(()), false)), "{opened:?}");
    let behind = format!("device {}", last + 1);
    assert!(matches!(&opened[1], (Err(line), false) if line.contains(&behind)), "{opened:?}");
}
