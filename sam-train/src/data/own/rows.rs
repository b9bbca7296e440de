//! CSV: a row of numbers with a label for each image.

use std::{io::Read, path::Path};

use csv::{ReaderBuilder, StringRecord};

use super::{
    arrays::{Array, Images, Numbers},
    directory::{Content, Format, name_of},
    settings::FileSettings,
    splits::{RawSplit, RawSplits, Split},
    unreadable::Broken,
};
use crate::data::{DataError, file};

/// Names of the column of labels, in small letters.
const LABELS: [&str; 5] = ["label", "class", "target", "y", "species"];

/// The parts of the data set, and the rows that cannot be read.
pub fn read(
    content: &Content,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Result<(RawSplits, Vec<Broken>), DataError> {
    let files = content.files(Format::Rows)?;
    let mut parts = RawSplits::default();
    let mut broken = Vec::new();
    for file in files {
        let split = Split::of(&name_of(file)).filter(|_| files.len() > 1).unwrap_or(Split::Train);
        if parts.0.iter().any(|(other, _)| *other == split) {
            return Err(DataError::Unusable {
                path: content.path.clone(),
                expected: "one table, or one for training and one for testing".into(),
                found: format!("several, such as {} and {}", name_of(&files[0]), name_of(file)),
                advice: "name one of the files".into(),
            });
        }
        let bytes = file::Content::open_within(file, settings.unpacking())?.rest()?;
        let table = table(file, &bytes, settings.label.as_deref())?;
        broken.extend(table.broken);
        notes.push(format!("{}: the labels are in {}", name_of(file), table.label));
        let dims = vec![table.labels.len(), table.columns];
        let array = Array { dims, numbers: Numbers::Real(table.numbers) };
        let images = Images::of(array, settings.size, file)?;
        parts.0.push((split, RawSplit { origin: file.clone(), images: images.into(), labels: table.labels }));
    }
    Ok((parts, broken))
}

/// The labels of a table in memory and the numbers beside each; `path` says what it is in errors, and `label` the column of the
/// labels, by name or by number from 1.
///
/// # Errors
/// [`DataError`], when there is no such column or another one holds words.
pub fn parse(path: &Path, bytes: &[u8], label: Option<&str>) -> Result<(Vec<String>, Vec<f32>), DataError> {
    table(path, bytes, label).map(|table| (table.labels, table.numbers))
}

/// A table.
#[derive(Debug)]
struct Table {
    labels: Vec<String>,
    /// Row by row.
    numbers: Vec<f32>,
    /// Numbers in a row.
    columns: usize,
    /// The column of the labels for people.
    label: String,
    broken: Vec<Broken>,
}

fn table(path: &Path, bytes: &[u8], label: Option<&str>) -> Result<Table, DataError> {
    let unusable = |expected: &'static str, found: String, advice: &'static str| DataError::Unusable {
        path: path.to_owned(),
        expected: expected.into(),
        found,
        advice: advice.into(),
    };
    let failed = |line: u64, reason: String| Broken { path: path.to_owned(), line: Some(line), reason };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(bytes))
        .from_reader(without_mark(bytes));
    let mut rows: Vec<(u64, StringRecord)> = Vec::new();
    let mut broken = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => rows.push((record.position().map_or(0, csv::Position::line), record)),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                broken.push(failed(line, format!("expected text in UTF-8, found something else ({error})")));
            }
        }
    }
    let named = |record: &StringRecord| {
        record.iter().all(|field| number(field).is_none())
            || record.iter().any(|field| LABELS.contains(&field.trim().to_lowercase().as_str()))
            // A number is the column's, and may be in a row by chance.
            || label
                .filter(|label| number(label).is_none())
                .is_some_and(|label| record.iter().any(|field| field.trim() == label))
    };
    let header = rows.first().is_some_and(|(_, record)| named(record)).then(|| rows.remove(0).1);
    let Some((_, first)) = rows.first() else {
        return Err(unusable("rows of numbers with a label", "none".into(), "name another table"));
    };
    let fields = header.as_ref().unwrap_or(first).len();
    let column = label_column(header.as_ref(), first, label).ok_or_else(|| {
        let found = match &header {
            Some(header) => format!("columns {}", header.iter().take(12).collect::<Vec<_>>().join(", ")),
            None => format!("{fields} columns without names"),
        };
        unusable("to know the column of the labels", found, "name it by `label`, or its number from 1")
    })?;
    if fields < 2 {
        return Err(unusable("numbers beside the labels", "one column".into(), "name another table"));
    }
    let name_of_column = |column: usize| match header.as_ref().and_then(|header| header.get(column)) {
        Some(name) => format!("column {}, {}", column + 1, name.trim()),
        None => format!("column {}", column + 1),
    };
    let (mut labels, mut numbers) = (Vec::new(), Vec::new());
    for (line, record) in rows {
        match row(&record, fields, column) {
            Ok((label, values)) => {
                labels.push(label);
                numbers.extend(values);
            }
            Err((None, reason)) => broken.push(failed(line, reason)),
            Err((Some(at), reason)) => broken.push(failed(line, format!("{}: {reason}", name_of_column(at)))),
        }
    }
    Ok(Table { labels, numbers, columns: fields - 1, label: name_of_column(column), broken })
}

/// The label and the numbers of a row, or what is wrong with it and in which column.
fn row(
    record: &StringRecord,
    fields: usize,
    column: usize,
) -> Result<(String, Vec<f32>), (Option<usize>, String)> {
    if record.len() != fields {
        return Err((None, format!("expected {fields} fields, found {}", record.len())));
    }
    let mut values = Vec::with_capacity(fields - 1);
    for (at, field) in record.iter().enumerate().filter(|(at, _)| *at != column) {
        values.push(
            number(field)
                .ok_or_else(|| (Some(at), format!("expected a number, found {:?}", field.trim())))?,
        );
    }
    let label = record[column].trim();
    match label {
        "" => Err((Some(column), "expected a label, found nothing".to_owned())),
        label => Ok((label.to_owned(), values)),
    }
}

/// Which column holds the labels: the one that was named, one of a usual name, or the only one that holds words.
pub fn label_column(
    header: Option<&StringRecord>,
    first: &StringRecord,
    label: Option<&str>,
) -> Option<usize> {
    let named = |wanted: &dyn Fn(&str) -> bool| header?.iter().position(|name| wanted(name.trim()));
    if let Some(label) = label {
        let by_number = || label.parse::<usize>().ok()?.checked_sub(1).filter(|&column| column < first.len());
        return named(&|name| name == label).or_else(by_number);
    }
    let usual = |usual: &'static str| named(&|name| name.eq_ignore_ascii_case(usual));
    LABELS.into_iter().find_map(usual).or_else(|| {
        let mut words = (0..first.len()).filter(|&column| number(&first[column]).is_none());
        words.next().filter(|_| words.next().is_none())
    })
}

fn number(field: &str) -> Option<f32> {
    field.trim().parse().ok().filter(|value: &f32| value.is_finite())
}

/// What separates the fields of the first line: the most frequent of comma, semicolon and tabulator.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    // The last of equals is taken.
    *b"\t;,".iter().max_by_key(|&&delimiter| count(delimiter)).unwrap_or(&b',')
}

/// Without the mark that some programs put before UTF-8.
fn without_mark(bytes: &[u8]) -> impl Read + '_ {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, label: Option<&str>) -> Result<Table, DataError> {
        table(Path::new("t.csv"), text.as_bytes(), label)
    }

    #[test]
    fn labels_are_found_by_name_by_number_and_as_the_only_words() {
        for (text, label) in [
            ("a,Label,b\n1,x,2\n3,y,4\n", None),
            ("\u{feff}a;label;b\r\n1;x;2\r\n3;y;4", None),
            ("1,x,2\n3,y,4\n", None),
            ("1\tx\t2\n3\ty\t4\n", Some("2")),
            ("a,kind,b\n1,x,2\n3,y,4\n", Some("kind")),
        ] {
            let found = parsed(text, label).unwrap();
            assert_eq!(
                (found.labels, found.numbers),
                (vec!["x".into(), "y".into()], vec![1., 2., 3., 4.]),
                "{text}"
            );
            assert!(found.broken.is_empty());
        }
        for (text, label) in
            [("1,2,3\n", None), ("a,b\n1,2\n", None), ("1,2\n", Some("3")), ("", None), ("x\ny\n", None)]
        {
            assert!(parsed(text, label).is_err(), "{text}");
        }
    }

    #[test]
    fn each_broken_row_is_named_with_its_line_and_column() {
        let found = parsed("label,a\nx,1\ny\nz,\n,2\nu,nan\nv,3\n", None).unwrap();
        assert_eq!(found.labels, ["x", "v"]);
        let lines: Vec<String> = found.broken.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "t.csv, line 3: expected 2 fields, found 1",
                "t.csv, line 4: column 2, a: expected a number, found \"\"",
                "t.csv, line 5: column 1, label: expected a label, found nothing",
                "t.csv, line 6: column 2, a: expected a number, found \"nan\"",
            ]
        );
    }
}
