//! The data sets by name, and where their files are looked for.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use sam_model::ImageShape;
use serde::{Deserialize, Serialize};

use super::{
    ByteScale, DataError, Dataset, ImageSet,
    cifar::{self, CifarImages, CifarKind},
    digits, idx,
    mat::{self, MatImages},
    newest::{ambiguity, beside, newest_first},
    own::{self, FileSettings},
};
use crate::files;

/// The environment variable that names a directory of data sets.
const ENVIRONMENT: &str = "SAM_DATA";
/// Images and labels for training, then for testing.
const IDX_FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];
/// The last one is for testing.
const CIFAR_10_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The last one is for testing.
const CIFAR_100_FILES: [&str; 2] = ["train.bin", "test.bin"];
/// The last one is for testing.
const SVHN_FILES: [&str; 2] = ["train_32x32.mat", "test_32x32.mat"];
/// The last one is for testing.
const SVHN_EXTRA_FILES: [&str; 3] = ["train_32x32.mat", "extra_32x32.mat", "test_32x32.mat"];
/// Where Debian's packages put data sets.
const SYSTEM: &str = "/usr/share/datasets";

/// A data set that the command knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSource {
    /// UCI optical digits, embedded.
    Digits,
    /// MNIST's four IDX files.
    Mnist,
    /// Fashion-MNIST's four IDX files.
    FashionMnist,
    /// CIFAR-10, binary version.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// CIFAR-100, binary version, fine labels.
    #[serde(rename = "cifar-100")]
    Cifar100,
    /// SVHN's cropped digits, of MATLAB's files.
    Svhn,
    /// The same with its extra training images behind the others.
    SvhnExtra,
    /// Files of one's own, see [`super::own`].
    Files,
}

impl DataSource {
    /// Those that have a name of their own.
    pub const NAMED: [Self; 7] = [
        Self::Digits,
        Self::Mnist,
        Self::FashionMnist,
        Self::Cifar10,
        Self::Cifar100,
        Self::Svhn,
        Self::SvhnExtra,
    ];
}

/// A text names no data set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected digits, mnist, fashion-mnist, cifar-10, cifar-100, svhn, svhn-extra, or the path of a folder or file that is there"
)]
pub struct UnknownDataSource;

/// The classes of Fashion-MNIST.
const FASHION: [&str; 10] = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];
/// The classes of CIFAR-10.
const CIFAR_10: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

impl DataSource {
    /// The name in commands and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10",
            Self::Cifar100 => "cifar-100",
            Self::Svhn => "svhn",
            Self::SvhnExtra => "svhn-extra",
            Self::Files => "files",
        }
    }

    fn class_names(self, classes: usize) -> Vec<String> {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        match self {
            Self::FashionMnist => names(&FASHION),
            Self::Cifar10 => names(&CIFAR_10),
            _ => super::numbered(classes),
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Digits => "it is part of the program",
            Self::Files => "name its folder or file",
            Self::Mnist => {
                "put MNIST's train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and \
                 t10k-labels-idx1-ubyte.gz into a directory and name it by `data-dir` or $SAM_DATA"
            }
            Self::FashionMnist => {
                "install the Debian package dataset-fashion-mnist, or put its four files \
                 train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and \
                 t10k-labels-idx1-ubyte.gz into a directory and name it by `data-dir` or $SAM_DATA"
            }
            Self::Cifar10 => {
                "unpack cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html and name the directory \
                 with data_batch_1.bin to data_batch_5.bin and test_batch.bin by `data-dir` or $SAM_DATA"
            }
            Self::Cifar100 => {
                "unpack cifar-100-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html and name the directory \
                 with train.bin and test.bin by `data-dir` or $SAM_DATA"
            }
            Self::Svhn => {
                "put train_32x32.mat and test_32x32.mat of http://ufldl.stanford.edu/housenumbers into a directory and \
                 name it by `data-dir` or $SAM_DATA"
            }
            Self::SvhnExtra => {
                "put train_32x32.mat, extra_32x32.mat and test_32x32.mat of http://ufldl.stanford.edu/housenumbers into \
                 a directory and name it by `data-dir` or $SAM_DATA"
            }
        }
    }

    /// The name of the subdirectory that the publisher's archive unpacks to, where there is one.
    fn archive_directory(self) -> Option<&'static str> {
        match self {
            Self::Cifar10 => Some("cifar-10-batches-bin"),
            Self::Cifar100 => Some("cifar-100-binary"),
            _ => None,
        }
    }

    /// The file whose presence shows that a directory holds the data set.
    fn landmark(self) -> &'static str {
        self.files()[0]
    }

    /// Reads the data set and keeps the first `limit` training images. Files of one's own are read as where nothing is said.
    ///
    /// Its files are looked for in `directory` if given, else in `$SAM_DATA` and then in `/usr/share/datasets`; in
    /// each of these, in its subdirectory of the data set's name first.
    ///
    /// # Errors
    /// [`DataError`], when the files are not found, broken, or do not belong together.
    pub fn load(self, directory: Option<&Path>, limit: Option<usize>) -> Result<Dataset, DataError> {
        let mut dataset = match self {
            Self::Digits => digits::load()?,
            Self::Files => {
                let path = directory.ok_or(DataError::NotFound {
                    name: self.name(),
                    searched: Vec::new(),
                    advice: self.advice(),
                })?;
                own::read(path, &FileSettings::of(path))?.dataset
            }
            Self::Mnist | Self::FashionMnist => self.load_idx(&self.locate(directory)?)?,
            Self::Cifar10 => self.load_cifar(&self.locate(directory)?, CifarKind::Ten)?,
            Self::Cifar100 => self.load_cifar(&self.locate(directory)?, CifarKind::Hundred)?,
            Self::Svhn | Self::SvhnExtra => self.load_svhn(&self.locate(directory)?)?,
        };
        if let Some(limit) = limit {
            dataset.train.truncate(limit);
        }
        Ok(dataset)
    }

    fn locate(self, directory: Option<&Path>) -> Result<PathBuf, DataError> {
        let roots = match directory {
            Some(directory) => vec![directory.to_owned()],
            None => env::var_os(ENVIRONMENT).map(PathBuf::from).into_iter().chain([SYSTEM.into()]).collect(),
        };
        let candidates = roots.iter().flat_map(|root| {
            let named = root.join(self.name());
            let archives = self.archive_directory().map(|archive| [root.join(archive), named.join(archive)]);
            [named, root.clone()].into_iter().chain(archives.into_iter().flatten())
        });
        candidates
            .into_iter()
            .find(|candidate| existing(candidate, self.landmark()).is_some())
            .ok_or(DataError::NotFound { name: self.name(), searched: roots, advice: self.advice() })
    }

    /// What is ambiguous about the files that [`DataSource::load`] would read, a sentence each.
    ///
    /// # Errors
    /// As [`DataSource::load`], when the files are not found.
    pub fn ambiguities(self, directory: Option<&Path>) -> Result<Vec<String>, DataError> {
        if matches!(self, Self::Digits | Self::Files) {
            return Ok(Vec::new());
        }
        let directory = self.locate(directory)?;
        let of = |name: &&str| ambiguity(&candidates(&directory, name));
        Ok(self.files().iter().filter_map(of).collect())
    }

    /// The names of its files.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Digits | Self::Mnist | Self::FashionMnist | Self::Files => &IDX_FILES,
            Self::Cifar10 => &CIFAR_10_FILES,
            Self::Cifar100 => &CIFAR_100_FILES,
            Self::Svhn => &SVHN_FILES,
            Self::SvhnExtra => &SVHN_EXTRA_FILES,
        }
    }

    /// What `read` makes of the file `name`, packed or not.
    fn file<T>(
        self,
        directory: &Path,
        name: &str,
        read: impl FnOnce(&Path) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let files = candidates(directory, name);
        let missing = || DataError::MissingFile {
            path: directory.join(name),
            name: self.name(),
            advice: self.advice(),
        };
        let (newest, others) = files.split_first().ok_or_else(missing)?;
        read(newest).map_err(beside(others))
    }

    fn load_idx(self, directory: &Path) -> Result<Dataset, DataError> {
        const CLASSES: usize = 10;
        let set = |of_images: &str, of_labels: &str| {
            let images = |path: &Path| Ok((path.to_owned(), idx::read_images(path)?));
            let labels = |path: &Path| Ok((path.to_owned(), idx::read_labels(path, CLASSES)?));
            let (images_path, images) = self.file(directory, of_images, images)?;
            let (labels_path, labels) = self.file(directory, of_labels, labels)?;
            let shape = ImageShape { height: images.height, width: images.width, channels: 1 };
            Ok((ImageSet::from_idx(&images_path, images, &labels_path, labels)?, shape, images_path))
        };
        let [train_images, train_labels, test_images, test_labels] = IDX_FILES;
        let (train, shape, _) = set(train_images, train_labels)?;
        let (test, test_shape, test_path) = set(test_images, test_labels)?;
        if test_shape != shape {
            let size = |shape: ImageShape| format!("{}x{}", shape.height, shape.width);
            let (expected, found) = (size(shape), size(test_shape));
            return Err(DataError::Shape { path: test_path, expected, found });
        }
        let class_names = self.class_names(CLASSES);
        Ok(Dataset {
            name: self.name().to_owned(),
            shape,
            classes: CLASSES,
            class_names,
            train,
            test,
            scale: ByteScale::Data,
        })
    }

    fn load_svhn(self, directory: &Path) -> Result<Dataset, DataError> {
        let (train_files, test_file) = self.files().split_at(self.files().len() - 1);
        let read = |names: &[&str]| {
            let mut images = MatImages::default();
            for name in names {
                self.file(directory, name, |path| images.append(path))?;
            }
            Ok(ImageSet { pixels: images.pixels.into(), labels: images.labels })
        };
        let shape = ImageShape { height: mat::SIDE, width: mat::SIDE, channels: mat::CHANNELS };
        let (train, test) = (read(train_files)?, read(test_file)?);
        let class_names = self.class_names(mat::CLASSES);
        Ok(Dataset {
            name: self.name().to_owned(),
            shape,
            classes: mat::CLASSES,
            class_names,
            train,
            test,
            scale: ByteScale::Data,
        })
    }

    fn load_cifar(self, directory: &Path, kind: CifarKind) -> Result<Dataset, DataError> {
        let records = match kind {
            CifarKind::Ten => 10_000,
            CifarKind::Hundred | CifarKind::HundredCoarse => 50_000,
        };
        let (train_files, test_file) = self.files().split_at(self.files().len() - 1);
        let read = |names: &[&str], records| {
            let mut images = CifarImages::default();
            for name in names {
                self.file(directory, name, |path| images.append(path, kind, records))?;
            }
            Ok(ImageSet { pixels: images.pixels.into(), labels: images.labels })
        };
        let shape = ImageShape { height: cifar::SIDE, width: cifar::SIDE, channels: cifar::CHANNELS };
        let (train, test) = (read(train_files, records)?, read(test_file, 10_000)?);
        let class_names = self.class_names(kind.classes());
        Ok(Dataset {
            name: self.name().to_owned(),
            shape,
            classes: kind.classes(),
            class_names,
            train,
            test,
            scale: ByteScale::Data,
        })
    }
}

/// The names that a file of the data set has in real life: a program that unpacks may take the last hyphen for a dot.
fn names(name: &str) -> impl Iterator<Item = String> {
    let dotted = ["-idx3", "-idx1"].iter().filter_map(|part| {
        let at = name.find(part)?;
        Some(format!("{}.{}", &name[..at], &name[at + 1..]))
    });
    let plain: Vec<String> = std::iter::once(name.to_owned()).chain(dotted).collect();
    plain.into_iter().flat_map(|name| [name.clone(), format!("{name}.gz")])
}

/// The files in `directory` that may be `name`, the newest first; of equally old ones the unpacked one.
fn candidates(directory: &Path, name: &str) -> Vec<PathBuf> {
    newest_first(names(name).map(|name| directory.join(name)).filter(|path| files::present(path)).collect())
}

/// The file in `directory` that is read for `name`.
fn existing(directory: &Path, name: &str) -> Option<PathBuf> {
    candidates(directory, name).into_iter().next()
}

impl FromStr for DataSource {
    type Err = UnknownDataSource;

    fn from_str(text: &str) -> Result<Self, UnknownDataSource> {
        Self::NAMED.into_iter().find(|source| source.name() == text).ok_or(UnknownDataSource)
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
