//! What a folder or a file of one's own holds, by the names.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::data::DataError;

use super::splits::Split;

/// How files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// A folder of pictures for each class.
    Pictures,
    /// CSV.
    Rows,
    /// Parquet.
    Parquet,
    /// NumPy's arrays.
    Numpy,
    /// Arrays of the MNIST family.
    Idx,
    /// Records of CIFAR.
    Cifar,
}

/// What [`Content::of`] looks for, for errors.
const EXPECTED: &str = "class folders of PNG or JPEG pictures, or files named .csv, .parquet, .npy, .npz, .safetensors, ...-idx3-ubyte or .bin";

impl Format {
    /// The format for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pictures => "class folders of pictures",
            Self::Rows => "rows of numbers (CSV)",
            Self::Parquet => "columns (Parquet)",
            Self::Numpy => "arrays (NumPy, safetensors)",
            Self::Idx => "IDX arrays",
            Self::Cifar => "CIFAR records",
        }
    }

    /// The format of a file of that name.
    fn of(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let idx = ["idx1", "idx2", "idx3", "idx4"].iter().any(|part| name.contains(part));
        match name.rsplit('.').next().filter(|_| name.contains('.')) {
            _ if idx || name.ends_with("-ubyte") || name.ends_with(".idx") => Some(Self::Idx),
            Some("csv" | "tsv") => Some(Self::Rows),
            Some("parquet") => Some(Self::Parquet),
            Some("npy" | "npz" | "safetensors") => Some(Self::Numpy),
            Some("bin") => Some(Self::Cifar),
            _ => None,
        }
    }
}

/// The files of a data set, and what else lies there.
#[derive(Debug)]
pub struct Content {
    /// What was named.
    pub path: PathBuf,
    formats: BTreeMap<Format, Vec<PathBuf>>,
    /// Folders, by name.
    pub folders: Vec<PathBuf>,
    others: Vec<String>,
}

impl Content {
    /// Looks at the folder or file at `path`. Of a file that belongs to others (labels, a test set) those are found beside it.
    pub fn of(path: &Path) -> Result<Self, DataError> {
        let failed = |source| DataError::Read { path: path.to_owned(), source };
        let mut content =
            Self { path: path.to_owned(), formats: BTreeMap::new(), folders: Vec::new(), others: Vec::new() };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            for entry in entries(path)? {
                content.add(entry);
            }
            if !content.folders.is_empty() && content.formats.is_empty() {
                content.formats.insert(Format::Pictures, Vec::new());
            }
            return Ok(content);
        }
        let format = path.file_name().and_then(|name| Format::of(&name.to_string_lossy()));
        let format = format.ok_or_else(|| content.unusable(&format!("a file named {}", name_of(path))))?;
        let mut files = vec![path.to_owned()];
        let alone = matches!(format, Format::Rows | Format::Parquet)
            || path.extension().is_some_and(|extension| extension == "npz" || extension == "safetensors");
        if !alone {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let family = family(path);
            files = entries(folder)?;
            files.retain(|file| Format::of(&name_of(file)) == Some(format) && self::family(file) == family);
        }
        content.formats.insert(format, files);
        Ok(content)
    }

    fn add(&mut self, entry: PathBuf) {
        if entry.is_dir() {
            self.folders.push(entry);
            return;
        }
        match Format::of(&name_of(&entry)) {
            Some(format) => self.formats.entry(format).or_default().push(entry),
            None => self.others.push(name_of(&entry)),
        }
    }

    /// The one format that is there.
    pub fn format(&self) -> Result<Format, DataError> {
        let mut formats = self.formats.keys();
        match (formats.next(), formats.next()) {
            (Some(&format), None) => Ok(format),
            (None, _) => {
                let found = match self.others.as_slice() {
                    [] => "nothing".to_owned(),
                    [name] => name.clone(),
                    [name, ..] => format!("{} files such as {name}", self.others.len()),
                };
                Err(self.unusable(&found))
            }
            (Some(first), Some(second)) => Err(DataError::Unusable {
                path: self.path.clone(),
                expected: "files of one format".into(),
                found: format!("{} and {}", first.name(), second.name()),
                advice: "name one of the files".into(),
            }),
        }
    }

    /// The files of that format, in the order of their names; of several families the one that there is.
    pub fn files(&self, format: Format) -> Result<&[PathBuf], DataError> {
        let files = self.formats.get(&format).map_or(&[][..], Vec::as_slice);
        let mut families: Vec<String> = files.iter().map(|file| family(file)).collect();
        families.sort();
        families.dedup();
        match families.as_slice() {
            [_, _, ..] if format == Format::Idx => Err(DataError::Unusable {
                path: self.path.clone(),
                expected: "the files of one data set".into(),
                found: format!("those of {}", families.join(", ")),
                advice: "name one of the files, and those that belong to it are read".into(),
            }),
            _ => Ok(files),
        }
    }

    /// What lies there and is not read.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(first) = self.others.first() {
            notes.push(format!("{} files are not read, such as {first}", self.others.len()));
        }
        if !self.folders.is_empty() && !self.formats.contains_key(&Format::Pictures) {
            notes.push(format!(
                "{} folders are not read, such as {}",
                self.folders.len(),
                name_of(&self.folders[0])
            ));
        }
        notes
    }

    /// That nothing here can be read.
    pub fn unusable(&self, found: &str) -> DataError {
        let advice = match found.rsplit('.').next() {
            Some("zip" | "tar" | "tgz" | "gz") => "unpack the archive first",
            Some("xlsx" | "arrow" | "feather") => "save the table as CSV or Parquet",
            Some("mat") => "SVHN's files are read by `data` svhn; save the arrays of others by numpy.savez",
            Some("pkl" | "pickle" | "pt" | "pth" | "h5") => "save the arrays by numpy.savez",
            _ => "name a folder or file of such data",
        };
        DataError::Unusable {
            path: self.path.clone(),
            expected: EXPECTED.into(),
            found: found.to_owned(),
            advice: advice.into(),
        }
    }
}

/// What lies in a folder, by name, without hidden files and what file managers leave behind.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = name_of(&path);
        if !name.starts_with('.') && !["Thumbs.db", "desktop.ini", "__MACOSX"].contains(&name.as_str()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The last part of a path.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What the names of the files of one data set have in common: what stands before the word for training or testing.
fn family(path: &Path) -> String {
    let name = name_of(path).to_lowercase();
    let start = Split::place(&name).unwrap_or(0);
    name[..start].trim_end_matches(['-', '_', '.']).to_owned()
}
