//! Files of CIFAR's binary version with any number of records.

use sam_model::ImageShape;

use super::{
    arrays::{Images, Numbers},
    directory::{Content, Format, name_of},
    settings::FileSettings,
    splits::{RawSplit, RawSplits, Split},
};
use crate::data::{
    DataError,
    cifar::{CHANNELS, CifarImages, CifarKind, SIDE},
};

/// The parts of the data set.
pub fn read(
    content: &Content,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Result<RawSplits, DataError> {
    let wanted = match settings.label.as_deref() {
        None | Some("fine") => CifarKind::Hundred,
        Some("coarse") => CifarKind::HundredCoarse,
        Some(other) => {
            return Err(DataError::Unusable {
                path: content.path.clone(),
                expected: "`label` coarse or fine for CIFAR-100's files".into(),
                found: other.to_owned(),
                advice: "leave it out for CIFAR-10's".into(),
            });
        }
    };
    let files = content.files(Format::Cifar)?;
    let mut parts = RawSplits::default();
    let mut kinds = Vec::new();
    for split in [Split::Train, Split::Validation, Split::Test] {
        let own = |name: &str| Split::of(name).unwrap_or(Split::Train) == split;
        let mut images = CifarImages::default();
        let mut origin = None;
        for file in files.iter().filter(|file| own(&name_of(file))) {
            kinds.push(images.append_all(file, wanted)?);
            origin.get_or_insert_with(|| file.clone());
        }
        if let Some(origin) = origin {
            let shape = ImageShape { height: SIDE, width: SIDE, channels: CHANNELS };
            let labels = images.labels.iter().map(ToString::to_string).collect();
            let images = Images { shape, numbers: Numbers::Bytes(images.pixels) };
            parts.0.push((split, RawSplit { origin, images: images.into(), labels }));
        }
    }
    if kinds.iter().any(|kind| *kind != kinds[0]) {
        return Err(DataError::Unusable {
            path: content.path.clone(),
            expected: "records of one length".into(),
            found: "those of CIFAR-10 and of CIFAR-100".into(),
            advice: "name one of the files".into(),
        });
    }
    if let Some(kind) = kinds.first() {
        notes.push(format!("the length of the files says that they are {}", kind.name()));
    }
    Ok(parts)
}
