//! Parquet: a column of pictures or columns of numbers, and one of labels.
//!
//! Read here and not by the crate `parquet`: that one, without Arrow, brings 26 packages and more than a minute of a processor to every build, and
//! panics on some damaged files. Of the format (<https://github.com/apache/parquet-format>) is here what such files are made of: flat columns and
//! structs, the encodings PLAIN and `RLE_DICTIONARY`, pages of both versions, packed by Snappy, gzip or Zstandard. No size that a file claims is
//! believed before it is held to what is there or to the limit of unpacking.

mod footer;
mod packed;
mod pages;
mod thrift;

use std::{
    io::{BufRead, Cursor, Seek},
    path::{Path, PathBuf},
};

use csv::StringRecord;

use super::{
    arrays::{Array, Images, Numbers},
    directory::{Content, Format, name_of},
    pictures::{self, Picture},
    rows::label_column,
    settings::{FileSettings, Fit},
    splits::{RawSplit, RawSplits, Split},
    unreadable::Broken,
};
use crate::{
    data::{DataError, unpacking::Expanded},
    files,
};
use footer::{Column, Footer, Stored};
use packed::Budget;
use pages::{Cells, Values};

/// Under which name Hugging Face's library notes what columns mean.
const HUGGING_FACE: &[u8] = b"huggingface";
/// What pandas calls a column that was the index of a table.
const INDEX: &str = "__index_level_";

/// What is wrong with a file.
#[derive(Debug, Clone)]
enum Fault {
    Damaged(&'static str),
    Unusable { expected: &'static str, found: String },
    Expands(Expanded),
}

impl Fault {
    fn refused(expected: &'static str, found: String) -> Self {
        Self::Unusable { expected, found }
    }

    fn at(self, path: &Path) -> DataError {
        let path = path.to_owned();
        let (expected, found, advice) = match self {
            Self::Damaged(found) => ("a whole Parquet file", found.to_owned(), "get it again"),
            Self::Unusable { expected, found } => {
                (expected, found, "write it again, such as by pandas' to_parquet or by pandas' to_csv as CSV")
            }
            Self::Expands(expanded) => return DataError::Expands { path, expanded },
        };
        DataError::Unusable { path, expected: expected.into(), found, advice: advice.into() }
    }
}

impl From<Expanded> for Fault {
    fn from(expanded: Expanded) -> Self {
        Self::Expands(expanded)
    }
}

/// The parts of the data set, and the rows that cannot be read. Several files for one part are read one behind the other, by their names.
pub fn read(
    content: &Content,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Result<(RawSplits, Vec<Broken>), DataError> {
    let files = content.files(Format::Parquet)?;
    let mut tables: Vec<Table> = Vec::new();
    let mut broken = Vec::new();
    let mut first: Option<Choice> = None;
    for path in files {
        let split = Split::of(&name_of(path)).filter(|_| files.len() > 1).unwrap_or(Split::Train);
        let bytes = files::read(path).map_err(|source| DataError::Read { path: path.clone(), source })?;
        let failed = |fault: Fault| fault.at(path);
        let footer = Footer::of(&bytes).map_err(failed)?;
        let choice = Choice::of(&footer, settings.label.as_deref()).map_err(failed)?;
        match &first {
            None => {
                notes.extend(choice.notes());
                first = Some(choice.clone());
            }
            Some(first) if *first != choice => {
                let found = format!("{} beside {}", choice.names(), first.names());
                return Err(Fault::refused("the columns of the file before it", found).at(path));
            }
            Some(_) => {}
        }
        let mut budget = Budget::new(bytes.len() as u64, settings.unpacking());
        let rows = choice.rows(&footer, path, &mut budget, &mut broken).map_err(failed)?;
        match tables.iter_mut().find(|table| table.split == split) {
            Some(table) => table.rows.append(rows),
            None => tables.push(Table { split, origin: path.clone(), rows }),
        }
    }
    let mut parts = RawSplits::default();
    let mut found = Vec::new();
    for Table { split, origin, rows } in tables {
        match rows {
            Rows::Pictures(pictures) => found.push((split, origin, pictures)),
            Rows::Numbers { labels, numbers } if !labels.is_empty() => {
                let dims = vec![labels.len(), numbers.len() / labels.len()];
                let array = Array { dims, numbers: Numbers::Real(numbers) };
                let images = Images::of(array, settings.size, &origin)?.into();
                parts.0.push((split, RawSplit { origin, images, labels }));
            }
            Rows::Numbers { .. } => {}
        }
    }
    if found.is_empty() {
        return Ok((parts, broken));
    }
    if settings.fit == Fit::Centre {
        return Err(DataError::Unusable {
            path: content.path.clone(),
            expected: "pictures in files of their own with `fit` centre".into(),
            found: "a column of them".into(),
            advice: "choose `fit` cover, or save the pictures in class folders".into(),
        });
    }
    let probed = pictures::probed(found, &mut broken);
    match pictures::shape_of(&probed, settings, notes) {
        Some(shape) => Ok((pictures::decoded(probed, shape, &mut broken), broken)),
        None => match broken.first() {
            Some(first) => Err(DataError::Broken { first: first.to_string(), count: broken.len() }),
            None => Err(content.unusable("a file without rows")),
        },
    }
}

/// Rows of one part.
struct Table {
    split: Split,
    origin: PathBuf,
    rows: Rows,
}

enum Rows {
    Pictures(Vec<Row>),
    Numbers { labels: Vec<String>, numbers: Vec<f32> },
}

impl Rows {
    /// Those of another file of the same columns.
    fn append(&mut self, others: Self) {
        match (self, others) {
            (Self::Pictures(rows), Self::Pictures(others)) => rows.extend(others),
            (Self::Numbers { labels, numbers }, Self::Numbers { labels: more_labels, numbers: more }) => {
                labels.extend(more_labels);
                numbers.extend(more);
            }
            _ => unreachable!("files of the same columns"),
        }
    }
}

/// A picture in a row.
struct Row {
    path: PathBuf,
    row: usize,
    class: String,
    bytes: Vec<u8>,
}

impl Picture for Row {
    fn open(&self) -> Result<impl BufRead + Seek, String> {
        Ok(Cursor::new(&self.bytes))
    }

    fn class(self) -> String {
        self.class
    }

    fn broken(self, reason: String) -> Broken {
        unreadable(&self.path, self.row, reason)
    }
}

fn unreadable(path: &Path, row: usize, reason: String) -> Broken {
    Broken { path: path.to_owned(), line: Some(row as u64 + 1), reason }
}

/// Which columns are read.
#[derive(Debug, Clone, PartialEq)]
struct Choice {
    label: usize,
    values: Vec<usize>,
    pictures: bool,
    /// The names of all columns.
    columns: Vec<String>,
    /// The names of the classes, where the file says what they are.
    classes: Option<Vec<String>>,
    left_out: Vec<String>,
}

impl Choice {
    fn of(footer: &Footer<'_>, label: Option<&str>) -> Result<Self, Fault> {
        let columns: Vec<String> = footer.columns.iter().map(|column| column.path.join(".")).collect();
        let features = features(footer);
        let of_classes: Vec<usize> =
            (0..columns.len()).filter(|&column| class_names(&features, &columns[column]).is_some()).collect();
        let chosen = match (label, of_classes.as_slice()) {
            (None, &[column]) => Some(column),
            (None, [_, _, ..]) => None,
            _ => {
                let kind = |column: &Column| match column.stored {
                    Stored::Bytes { text: true } => "word",
                    _ => "0",
                };
                let kinds: StringRecord = footer.columns.iter().map(kind).collect();
                label_column(Some(&columns.iter().map(String::as_str).collect()), &kinds, label)
            }
        };
        let label = chosen.ok_or_else(|| {
            let found = format!("columns {}; choose one by `label`", listed(&columns));
            Fault::refused("to know the column of the labels", found)
        })?;
        let classes = class_names(&features, &columns[label]);
        let others = || (0..columns.len()).filter(|&column| column != label);
        let stored = |column: usize| footer.columns[column].stored;
        let pictures: Vec<usize> =
            others().filter(|&column| stored(column) == Stored::Bytes { text: false }).collect();
        let values = match pictures.as_slice() {
            [_] => pictures.clone(),
            [_, ..] => {
                let names: Vec<String> = pictures.iter().map(|&column| columns[column].clone()).collect();
                return Err(Fault::refused("one column of pictures", listed(&names)));
            }
            [] => others().filter(|&column| !columns[column].starts_with(INDEX)).collect(),
        };
        for &column in values.iter().chain([&label]) {
            let word = match stored(column) {
                Stored::Other(word) => word,
                Stored::Bytes { text: true } if column != label => "words",
                Stored::Bytes { text: false } if column == label => "bytes",
                _ => continue,
            };
            let found = format!("{word} in column {}; leave it out", columns[column]);
            return Err(Fault::refused("pictures or numbers beside the labels", found));
        }
        if values.is_empty() {
            return Err(Fault::refused("pictures or numbers beside the labels", "no other column".into()));
        }
        let left_out =
            others().filter(|column| !values.contains(column)).map(|column| columns[column].clone());
        let (left_out, pictures) = (left_out.collect(), !pictures.is_empty());
        Ok(Self { label, values, pictures, classes, left_out, columns })
    }

    fn names(&self) -> String {
        listed(&self.columns)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("the labels are in column {}", self.columns[self.label])];
        if self.pictures {
            notes.push(format!("the pictures are in column {}", self.columns[self.values[0]]));
        }
        if !self.left_out.is_empty() {
            notes.push(format!("columns that are not read: {}", listed(&self.left_out)));
        }
        notes
    }

    /// The rows of a file; those that cannot be read are added to `broken`.
    fn rows(
        &self,
        footer: &Footer<'_>,
        path: &Path,
        budget: &mut Budget,
        broken: &mut Vec<Broken>,
    ) -> Result<Rows, Fault> {
        let labels = column(footer, self.label, budget)?;
        let count = labels.cells.len();
        let mut values = Vec::new();
        for &chosen in &self.values {
            let found = column(footer, chosen, budget)?;
            if found.cells.len() != count {
                return Err(Fault::Damaged("columns of different lengths"));
            }
            values.push(found);
        }
        let mut faults: Vec<Option<String>> = vec![None; count];
        for (found, &column) in values.iter().chain([&labels]).zip(self.values.iter().chain([&self.label])) {
            for &row in &found.missing {
                faults[row].get_or_insert_with(|| {
                    format!("expected a value in column {}, found none", self.columns[column])
                });
            }
        }
        let mut classes = Vec::with_capacity(count);
        for (row, fault) in faults.iter_mut().enumerate() {
            match self.class(&labels.cells, row) {
                Ok(class) => classes.push(class),
                Err(reason) => {
                    fault.get_or_insert(reason);
                    classes.push(String::new());
                }
            }
        }
        if self.pictures {
            let Some(Values { cells: Cells::Bytes(pictures), .. }) = values.pop() else {
                unreachable!("a column of bytes holds bytes")
            };
            let mut rows = Vec::with_capacity(count);
            for (row, ((bytes, class), fault)) in pictures.into_iter().zip(classes).zip(faults).enumerate() {
                match fault {
                    Some(reason) => broken.push(unreadable(path, row, reason)),
                    None => rows.push(Row { path: path.to_owned(), row, class, bytes }),
                }
            }
            return Ok(Rows::Pictures(rows));
        }
        budget.spend(count.saturating_mul(4 * values.len()))?;
        let (mut good, mut numbers) = (Vec::with_capacity(count), Vec::new());
        for (row, (class, mut fault)) in classes.into_iter().zip(faults).enumerate() {
            let start = numbers.len();
            for (found, &column) in values.iter().zip(&self.values) {
                let number = match &found.cells {
                    Cells::Whole(values) => values[row] as f32,
                    Cells::Real(values) => values[row],
                    Cells::Bytes(_) => unreachable!("words are refused"),
                };
                if !number.is_finite() {
                    fault.get_or_insert_with(|| {
                        format!("column {}: expected a finite number, found {number}", self.columns[column])
                    });
                }
                numbers.push(number);
            }
            match fault {
                Some(reason) => {
                    numbers.truncate(start);
                    broken.push(unreadable(path, row, reason));
                }
                None => good.push(class),
            }
        }
        Ok(Rows::Numbers { labels: good, numbers })
    }

    /// The class of a row.
    fn class(&self, labels: &Cells, row: usize) -> Result<String, String> {
        let expected = |what: &str, found: &dyn std::fmt::Display| {
            format!("column {}: expected {what}, found {found}", self.columns[self.label])
        };
        match labels {
            Cells::Whole(values) => match &self.classes {
                None => Ok(values[row].to_string()),
                Some(names) => usize::try_from(values[row])
                    .ok()
                    .and_then(|class| names.get(class).cloned())
                    .ok_or_else(|| expected("a class that the file names", &values[row])),
            },
            Cells::Real(values) if values[row].fract() == 0.0 => Ok(values[row].to_string()),
            Cells::Real(values) => Err(expected("a whole number", &values[row])),
            Cells::Bytes(values) => match str::from_utf8(&values[row]).map(str::trim) {
                Ok("") => Err(expected("a label", &"nothing")),
                Ok(label) => Ok(label.to_owned()),
                Err(error) => Err(expected("text in UTF-8", &error)),
            },
        }
    }
}

/// The values of a column in all groups of rows.
fn column(footer: &Footer<'_>, chosen: usize, budget: &mut Budget) -> Result<Values, Fault> {
    let column = &footer.columns[chosen];
    let mut values = Values::none(column.stored);
    for group in &footer.groups {
        values.append(column, &group[chosen], budget)?;
    }
    Ok(values)
}

/// What the columns mean, as Hugging Face's library notes it.
fn features(footer: &Footer<'_>) -> serde_json::Value {
    let note = footer.notes.iter().find(|(name, _)| *name == HUGGING_FACE);
    let note: Option<serde_json::Value> = note.and_then(|(_, text)| serde_json::from_slice(text).ok());
    note.map_or(serde_json::Value::Null, |note| note["info"]["features"].clone())
}

/// The names of a column's classes.
fn class_names(features: &serde_json::Value, column: &str) -> Option<Vec<String>> {
    let feature = features.get(column).filter(|feature| feature["_type"] == "ClassLabel")?;
    feature["names"].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
}

fn listed(names: &[String]) -> String {
    const MOST: usize = 12;
    let more = if names.len() > MOST { ", .." } else { "" };
    format!("{}{more}", names[..names.len().min(MOST)].join(", "))
}
