//! Parts as their files have them, made into one data set.

use std::{collections::HashMap, path::Path};

use sam_model::ImageShape;

use super::{
    arrays::Levels,
    settings::{FileSettings, TEST_SHARE},
    splits::{RawImages, RawSplit, RawSplits, Split},
};
use crate::data::{
    ByteScale, DataError, Dataset, ImageSet, Pixels,
    split::{hold_out, spread},
};

/// Labels are 16 bits.
const MOST_CLASSES: usize = 1 << 16;

/// The data set of `parts`, and whether numbers were scaled by what they are; what was decided is added to `notes`.
pub fn dataset(
    path: &Path,
    mut parts: RawSplits,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Result<(Dataset, bool), DataError> {
    let unusable = |expected: &'static str, found: String, advice: &'static str| DataError::Unusable {
        path: path.to_owned(),
        expected: expected.into(),
        found,
        advice: advice.into(),
    };
    let (test, validation) = (parts.take(Split::Test), parts.take(Split::Validation));
    let train = parts.take(Split::Train);
    let train = train.ok_or_else(|| unusable("a training set", "none".into(), "name the folder above it"))?;
    let test = match (test, validation) {
        (Some(test), Some(part)) => {
            notes.push(format!("the validation set, {} images, is not used", part.labels.len()));
            Some(test)
        }
        (None, Some(part)) => {
            notes.push("there is no test set: the validation set takes its place".to_owned());
            Some(part)
        }
        (test, None) => test,
    };
    let (classes, class_names) = classes(&train.labels);
    if !(2..=MOST_CLASSES).contains(&class_names.len()) {
        let advice = "name data of several classes, or the folder above it";
        return Err(unusable("2 to 65536 classes", format!("{}", class_names.len()), advice));
    }
    let shape = train.images.shape();
    if (shape.height, shape.width) == (1, 1) && matches!(train.images, RawImages::Numbers(_)) {
        notes.push(format!("rows of {} numbers are no images: they have no neighbours", shape.channels));
    }
    let levels = match &train.images {
        RawImages::Numbers(images) => Levels::of(images),
        RawImages::Pictures(_) => Levels::Bytes,
    };
    let scaled = matches!(levels, Levels::Ranges(_));
    if scaled {
        notes.push(
            "numbers are kept in 256 levels between the smallest and the largest in the training set".into(),
        );
    }
    let test = test.map(|part| part_as_set(part, shape, &classes, &levels)).transpose()?;
    let train = part_as_set(train, shape, &classes, &levels)?;
    let (train, test) = match test {
        Some(test) => {
            if settings.test_share.is_some() {
                notes.push(
                    "the files have a test set, so that no share of the training set is held out for one"
                        .into(),
                );
            }
            (train, test)
        }
        None => {
            let share = settings.test_share.unwrap_or(TEST_SHARE);
            notes.push(format!(
                "there is no test set: {} % of each class are held out for one",
                100.0 * share
            ));
            hold_out(&train, share)?
        }
    };
    if train.is_empty() || test.is_empty() {
        let found = format!("{} and {}", train.len(), test.len());
        return Err(unusable(
            "images to train on and to test on",
            found,
            "add images or change `test-share`",
        ));
    }
    let train = train.subset(spread(&train.labels))?;
    let (name, classes) = (settings.title.clone(), class_names.len());
    Ok((Dataset { name, shape, classes, class_names, train, test, scale: ByteScale::Data }, scaled))
}

/// The classes by name: numbers in their order, else words in theirs.
fn classes(labels: &[String]) -> (HashMap<String, u16>, Vec<String>) {
    let mut names: Vec<String> = labels.to_vec();
    names.sort_unstable();
    names.dedup();
    if names.iter().all(|name| name.parse::<f64>().is_ok_and(f64::is_finite)) {
        let number = |name: &String| name.parse::<f64>().unwrap_or(f64::NAN);
        names.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    let numbered = names.iter().zip(0..=u16::MAX).map(|(name, class)| (name.clone(), class));
    (numbered.collect(), names)
}

fn part_as_set(
    part: RawSplit,
    shape: ImageShape,
    classes: &HashMap<String, u16>,
    levels: &Levels,
) -> Result<ImageSet, DataError> {
    let RawSplit { origin, images, labels } = part;
    if images.shape() != shape {
        let size = |shape: ImageShape| format!("{}x{}x{}", shape.height, shape.width, shape.channels);
        return Err(DataError::Shape { path: origin, expected: size(shape), found: size(images.shape()) });
    }
    if images.count() != labels.len() {
        return Err(DataError::Unusable {
            path: origin,
            expected: format!("a label for each of {} images", images.count()).into(),
            found: labels.len().to_string(),
            advice: "name files that belong together".into(),
        });
    }
    let labels = labels.iter().map(|label| {
        classes.get(label).copied().ok_or_else(|| DataError::Unusable {
            path: origin.clone(),
            expected: "classes that the training set has".into(),
            found: format!("the class {label}"),
            advice: "add training images of it, or remove it".into(),
        })
    });
    let labels = labels.collect::<Result<_, _>>()?;
    let pixels = match images {
        RawImages::Numbers(images) => levels.bytes(images.numbers).into(),
        RawImages::Pictures(pictures) => Pixels::Pictures(pictures),
    };
    Ok(ImageSet { pixels, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_are_numbers_are_ordered_as_numbers() {
        let labels = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(classes(&labels(&["10", "9", "10", "1"])).1, ["1", "9", "10"]);
        assert_eq!(classes(&labels(&["b", "10", "a", "9"])).1, ["10", "9", "a", "b"]);
        assert_eq!(classes(&labels(&["26", "1"])).0["26"], 1);
    }
}
