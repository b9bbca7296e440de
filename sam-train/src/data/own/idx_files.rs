//! Files of the MNIST family as they are found: names with dots or without, packed or not, EMNIST, QMNIST, other numbers than
//! bytes.

use std::path::{Path, PathBuf};

use super::{
    arrays::{Images, labels_of},
    directory::{Content, Format, name_of},
    settings::FileSettings,
    splits::{RawSplit, RawSplits, Role, Split},
};
use crate::data::{DataError, idx, newest};
use crate::files;

/// The parts of the data set.
pub fn read(
    content: &Content,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Result<RawSplits, DataError> {
    let files = content.files(Format::Idx)?;
    let mut parts = RawSplits::default();
    for split in [Split::Train, Split::Validation, Split::Test] {
        let mut of = |role: Role| {
            let own = |path: &&PathBuf| {
                let name = name_of(path);
                let role_of_name = Role::of(&name).or(dimensions(&name));
                Split::of(&name).unwrap_or(Split::Train) == split && role_of_name == Some(role)
            };
            let found = newest::newest_first(files.iter().filter(own).cloned().collect());
            notes.extend(newest::ambiguity(&found));
            found
        };
        let (images, labels) = (of(Role::Images), of(Role::Labels));
        let ((origin, other_images), (labels, other_labels)) =
            match (images.split_first(), labels.split_first()) {
                (Some(images), Some(labels)) => (images, labels),
                (None, None) => continue,
                (found, other) => {
                    let file = found.or(other).map(|(newest, _)| newest.clone());
                    return Err(DataError::Unusable {
                        path: file.unwrap_or_default(),
                        expected: "images and labels in two files of such names".into(),
                        found: "the other one is missing".into(),
                        advice: "put it beside this one".into(),
                    });
                }
            };
        let read = |path: &Path, others: &[PathBuf]| {
            idx::read_array(path, settings.unpacking()).map_err(newest::beside(others))
        };
        let mut images = Images::of(read(origin, other_images)?, settings.size, origin)?;
        let labels = labels_of(&read(labels, other_labels)?, labels)?;
        if name_of(origin).to_lowercase().starts_with("emnist") {
            images.transpose();
            if split == Split::Train {
                notes
                    .push("EMNIST's images lie on their sides in its files: they are set upright".to_owned());
            }
        }
        parts.0.push((split, RawSplit { origin: origin.clone(), images: images.into(), labels }));
    }
    name_emnist_classes(files, &mut parts, notes);
    Ok(parts)
}

/// What `idx1` or `idx3` in a name says where no word does.
fn dimensions(name: &str) -> Option<Role> {
    match name {
        _ if name.contains("idx1") || name.contains("idx2") => Some(Role::Labels),
        _ if name.contains("idx3") || name.contains("idx4") => Some(Role::Images),
        _ => None,
    }
}

/// EMNIST's `...-mapping.txt` has a label and the code of its letter (and of the small one) in a line.
fn name_emnist_classes(files: &[PathBuf], parts: &mut RawSplits, notes: &mut Vec<String>) {
    let mapping = files.iter().find_map(|file| {
        let name = name_of(file);
        let family = &name[..Split::place(&name.to_lowercase())?];
        files::read_text(&file.with_file_name(format!("{family}mapping.txt"))).ok()
    });
    let Some(mapping) = mapping else { return };
    let letter = |label: &str| {
        let line = mapping.lines().find(|line| line.split_whitespace().next() == Some(label))?;
        let code = line.split_whitespace().nth(1)?.parse().ok()?;
        char::from_u32(code).filter(char::is_ascii_graphic)
    };
    let named = |label: &String| letter(label).map(String::from);
    let all: Option<Vec<Vec<String>>> =
        parts.0.iter().map(|(_, part)| part.labels.iter().map(named).collect()).collect();
    match all {
        Some(all) => parts.0.iter_mut().zip(all).for_each(|((_, part), labels)| part.labels = labels),
        None => notes.push("its mapping.txt does not name every label, and is not read".to_owned()),
    }
}
