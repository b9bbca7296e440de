//! Which part of a data set a name speaks of, and what it holds.

use std::path::PathBuf;

use sam_model::ImageShape;

use super::arrays::Images;
use crate::data::Pictures;

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// What is learned from.
    Train,
    /// What settings are chosen by.
    Validation,
    /// What is judged by.
    Test,
}

impl Split {
    /// The part that a word stands for.
    fn of_word(word: &str) -> Option<Self> {
        match word {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Validation),
            "test" | "testing" | "t10k" => Some(Self::Test),
            _ => None,
        }
    }

    /// The part that a name speaks of, in one of its words.
    pub fn of(name: &str) -> Option<Self> {
        words(&name.to_lowercase()).find_map(|(_, word)| Self::of_word(word))
    }

    /// Where in a name of small letters that word begins.
    pub fn place(name: &str) -> Option<usize> {
        words(name).find_map(|(start, word)| Self::of_word(word).map(|_| start))
    }
}

/// What an array holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Images, or rows of numbers.
    Images,
    /// Classes.
    Labels,
}

impl Role {
    /// What a name speaks of, in one of its words.
    pub fn of(name: &str) -> Option<Self> {
        words(&name.to_lowercase()).find_map(|(_, word)| match word {
            "x" | "image" | "images" | "data" | "features" | "inputs" => Some(Self::Images),
            "y" | "label" | "labels" | "target" | "targets" | "classes" => Some(Self::Labels),
            _ => None,
        })
    }
}

/// The words of a name, with where they begin.
fn words(name: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    name.split(|letter: char| !letter.is_alphanumeric()).map(move |word| {
        let place = start;
        start += word.len();
        // What stands between two words may be longer than a byte.
        start += name[start..].chars().next().map_or(0, char::len_utf8);
        (place, word)
    })
}

/// Images as their files have them.
#[derive(Debug)]
pub enum RawImages {
    /// Numbers that may have to be made bytes.
    Numbers(Images),
    /// Pictures that are decoded when they are needed.
    Pictures(Pictures),
}

impl RawImages {
    /// The size of every image.
    pub const fn shape(&self) -> ImageShape {
        match self {
            Self::Numbers(images) => images.shape,
            Self::Pictures(pictures) => pictures.shape(),
        }
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        match self {
            Self::Numbers(images) => images.count(),
            Self::Pictures(pictures) => pictures.count(),
        }
    }
}

impl From<Images> for RawImages {
    fn from(images: Images) -> Self {
        Self::Numbers(images)
    }
}

/// Images and labels as their files have them.
#[derive(Debug)]
pub struct RawSplit {
    /// The file or folder.
    pub origin: PathBuf,
    /// The images.
    pub images: RawImages,
    /// A class for each.
    pub labels: Vec<String>,
}

/// The parts of a data set.
#[derive(Debug, Default)]
pub struct RawSplits(pub Vec<(Split, RawSplit)>);

impl RawSplits {
    /// Takes a part out.
    pub fn take(&mut self, split: Split) -> Option<RawSplit> {
        let place = self.0.iter().position(|(other, _)| *other == split)?;
        Some(self.0.remove(place).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_real_life_say_what_they_are() {
        for (name, split, role) in [
            ("emnist-letters-train-images-idx3-ubyte.gz", Some(Split::Train), Some(Role::Images)),
            ("qmnist-test-labels-idx2-int", Some(Split::Test), Some(Role::Labels)),
            ("t10k-labels.idx1-ubyte", Some(Split::Test), Some(Role::Labels)),
            ("x_train", Some(Split::Train), Some(Role::Images)),
            ("y_val.npy", Some(Split::Validation), Some(Role::Labels)),
            ("X.npy", None, Some(Role::Images)),
            ("flowers", None, None),
            ("trains", None, None),
            ("é_train", Some(Split::Train), None),
            ("", None, None),
        ] {
            assert_eq!((Split::of(name), Role::of(name)), (split, role), "{name}");
        }
        assert_eq!(Split::place("emnist-letters-train-images"), Some(15));
        assert_eq!(Split::place("é_train"), Some("é_".len()));
    }
}
