//! Augmentation against independent references: Pillow's operations, and batches that depend on nothing but their place.

use std::collections::BTreeMap;

use sam_model::ImageShape;
use sam_train::data::{
    Augment, AugmentDetails, Augmentation, BatchMaker, BatchShare, CutoutAt, Dataset, ImageSet, Operation,
    Padding, Prefetcher, Scale, epoch_order,
};

/// Every operation on an image of 8x8 pixels as Pillow 13.0.0 does it, bit for bit; `augment/operations.py` wrote the file.
#[test]
fn operations_are_pillows() {
    let lines: BTreeMap<&str, Vec<u8>> = include_str!("augment/operations.txt")
        .lines()
        .map(|line| {
            let (name, hex) = line.split_once(": ").unwrap();
            (
                name,
                (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect(),
            )
        })
        .collect();
    let image = &lines["image"];
    assert_eq!(lines.len(), 37);
    for (name, expected) in lines.iter().filter(|(name, _)| **name != "image") {
        let mut words = name.split(' ');
        let kind = words.next().unwrap();
        let number: f64 = words.next_back().map_or(0.0, |word| word.parse().unwrap());
        let factor = number as f32;
        let operation = match kind {
            "AutoContrast" => Operation::AutoContrast,
            "Equalize" => Operation::Equalize,
            "Invert" => Operation::Invert,
            "Posterize" => Operation::Posterize { bits: number as u32 },
            "Solarize" => Operation::Solarize { threshold: number as u32 },
            "Color" => Operation::Color { factor },
            "Contrast" => Operation::Contrast { factor, around: None },
            "Brightness" => Operation::Brightness { factor },
            "Sharpness" => Operation::Sharpness { factor },
            "Rotate" => Operation::Rotate { degrees: number },
            "ShearX" => Operation::Shear { right: number, down: 0.0 },
            "ShearY" => Operation::Shear { right: 0.0, down: number },
            "TranslateX" => Operation::Translate { right: number, down: 0.0 },
            "TranslateY" => Operation::Translate { right: 0.0, down: number },
            other => panic!("{other}"),
        };
        let mut found = image.clone();
        operation.apply(&mut found, ImageShape::new(8, 8, 3), &[128; 3], &mut Vec::new());
        assert_eq!(found, *expected, "{name}");
    }
}

/// 90 images of noise with colours.
fn dataset(shape: ImageShape) -> Dataset {
    let count = 90;
    let bytes = (0..count * shape.len() as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8);
    let images = ImageSet { pixels: bytes.collect::<Vec<_>>().into(), labels: vec![0; count as usize] };
    let (train, test) = (images.clone(), images);
    Dataset {
        name: "noise".into(),
        shape,
        classes: 2,
        class_names: vec!["0".into(), "1".into()],
        train,
        test,
        scale: Default::default(),
    }
}

fn augmentations() -> impl Iterator<Item = Augmentation> {
    let details = |padding, cutout_at, cutout_size, policy_scale| AugmentDetails {
        padding,
        cutout_at,
        cutout_size,
        policy_scale,
    };
    let all = [
        AugmentDetails::DEFAULT,
        details(Padding::Reflect, CutoutAt::Batch, Some(8), Scale::Sam),
        details(Padding::Zeros, CutoutAt::Batch, Some(20), Scale::AutoAugment),
    ];
    [
        "cutout",
        "autoaugment-cifar",
        "autoaugment-cifar-95",
        "autoaugment-svhn",
        "autoaugment-imagenet",
        "randaugment",
    ]
    .into_iter()
    .flat_map(move |name| {
        let augment: Augment = name.parse().unwrap();
        all.map(|details| Augmentation { augment, details }.meant())
    })
}

fn bits(values: ndarray::ArrayView4<'_, f32>) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Ahead of training or not, and after a stop in mid-epoch (a new maker that begins there), batches have the same bits; parts
/// that several processes make are the whole's.
#[test]
fn batches_depend_on_their_place_alone() {
    let shape = ImageShape::new(32, 32, 3);
    let dataset = dataset(shape);
    let maker = || BatchMaker::new(&dataset, 16).unwrap();
    for augmentation in augmentations() {
        let mut ahead = Prefetcher::new(maker(), 16, augmentation, 7);
        for epoch in [0, 5] {
            let order = epoch_order(7, epoch, 90);
            for start in [0, 16, 32, 48] {
                let (batch, next) = (&order[start..start + 16], &order[start + 16..start + 32]);
                let whole = bits(maker().train(batch, augmentation, 7, epoch).unwrap());
                assert_eq!(
                    bits(ahead.take(epoch, batch, Some(next.into())).unwrap()),
                    whole,
                    "{augmentation:?}"
                );
                let part =
                    |range: std::ops::Range<usize>| BatchShare { chosen: &batch[range], batch: batch[0] };
                let first = bits(maker().train(part(0..4), augmentation, 7, epoch).unwrap());
                let second = bits(maker().train(part(4..16), augmentation, 7, epoch).unwrap());
                assert_eq!([first, second].concat(), whole, "{augmentation:?}");
            }
        }
    }
}

/// Seed, epoch and image each give other images.
#[test]
fn every_policy_draws_anew_for_each_seed_and_epoch() {
    let dataset = dataset(ImageShape::new(32, 32, 3));
    let chosen: Vec<usize> = (0..32).collect();
    for augmentation in augmentations() {
        let made = |seed, epoch| {
            let mut maker = BatchMaker::new(&dataset, 32).unwrap();
            bits(maker.train(&chosen, augmentation, seed, epoch).unwrap())
        };
        assert!(made(0, 0) != made(0, 1) && made(0, 0) != made(1, 0), "{augmentation:?}");
        assert_eq!(made(3, 4), made(3, 4));
    }
}

/// The erased pixels of each image: all of `images` are noise whose values are no means.
fn erased(details: AugmentDetails) -> Vec<Vec<usize>> {
    let shape = ImageShape::new(32, 32, 1);
    let dataset = dataset(shape);
    // SVHN's policy is the one that neither mirrors nor crops; what it moves in from outside is no exact mean.
    let augment = "autoaugment-svhn".parse().unwrap();
    let chosen: Vec<usize> = (0..90).collect();
    let mut maker = BatchMaker::new(&dataset, 90).unwrap();
    let images = maker.train(&chosen, Augmentation { augment, details }, 1, 0).unwrap().to_owned();
    let at = |image: ndarray::ArrayView3<'_, f32>| {
        image.iter().enumerate().filter(|(_, v)| **v == 0.0).map(|(i, _)| i).collect()
    };
    images.outer_iter().map(at).collect()
}

#[test]
fn a_batch_has_one_square_or_each_image_one_and_of_the_size_that_is_said() {
    for (size, most) in [(Some(8), 64), (Some(16), 256), (Some(20), 400), (None, 256)] {
        let details =
            AugmentDetails { cutout_at: CutoutAt::Batch, cutout_size: size, ..AugmentDetails::DEFAULT };
        let squares = erased(details);
        assert!(squares.iter().all(|square| *square == squares[0]) && !squares[0].is_empty());
        let squares = erased(AugmentDetails { cutout_at: CutoutAt::Image, ..details });
        assert!(squares.iter().any(|square| *square != squares[0]));
        assert_eq!(squares.iter().map(Vec::len).max(), Some(most));
    }
    let none = AugmentDetails { cutout_size: Some(0), ..AugmentDetails::DEFAULT };
    assert!(erased(none).iter().all(Vec::is_empty));
}
