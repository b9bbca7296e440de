//! What stands at the end of a Parquet file: its columns, and where their values lie.

use super::{
    Fault,
    thrift::{self, Value},
};

/// What a file begins and ends with.
const MARK: &[u8; 4] = b"PAR1";
/// The same of a file whose end is encrypted.
const ENCRYPTED: &[u8; 4] = b"PARE";
/// A file of thousands of columns has some MiB.
const LONGEST: usize = 16 << 20;
/// Columns and groups that are looked at.
const MOST_COLUMNS: usize = 1 << 16;

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// A bit each.
    Bool,
    /// 32 bits; whether they are below 0 never.
    Int32 { unsigned: bool },
    /// 64 bits.
    Int64,
    /// Single precision.
    Float,
    /// Double precision.
    Double,
    /// Bytes with their number, of text or of anything.
    Bytes { text: bool },
    /// Something else, in words.
    Other(&'static str),
}

/// A column of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, behind the names of the structs that it is in.
    pub path: Vec<String>,
    /// How its values are stored.
    pub stored: Stored,
    /// The level at which a value is there; 0: each row has one.
    pub level: u32,
}

/// The values of a column in a group of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// How pages are packed, by the number of the format.
    pub codec: i64,
    /// How many values there are, missing ones too.
    pub count: usize,
    /// Its pages, one behind the other.
    pub pages: &'a [u8],
}

/// The end of a file.
#[derive(Debug)]
pub struct Footer<'a> {
    /// The columns.
    pub columns: Vec<Column>,
    /// For each group of rows, a chunk for each column.
    pub groups: Vec<Vec<Chunk<'a>>>,
    /// Notes of the program that wrote the file, by name.
    pub notes: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Footer<'a> {
    /// The footer of a file in memory.
    pub fn of(file: &'a [u8]) -> Result<Self, Fault> {
        let cut = Fault::Damaged("no Parquet file, or the beginning of one: its end is not marked PAR1");
        let (before, mark) = file.split_last_chunk::<4>().ok_or_else(|| cut.clone())?;
        if mark == ENCRYPTED || file.starts_with(ENCRYPTED) {
            return Err(Fault::refused("a file that is not encrypted", "an encrypted one".into()));
        }
        let (before, size) = before.split_last_chunk::<4>().ok_or_else(|| cut.clone())?;
        if mark != MARK || !file.starts_with(MARK) {
            return Err(cut);
        }
        let size = u32::from_le_bytes(*size) as usize;
        let start = before.len().checked_sub(size).filter(|_| size <= LONGEST);
        let header = start.and_then(|start| thrift::parse(&before[start..]));
        let (header, _) = header.ok_or(Fault::Damaged("an end that cannot be read"))?;
        let columns = columns(header.list(2)).ok_or(Fault::Damaged("columns that cannot be read"))?;
        let group = |group: &Value<'a>| {
            let chunks = group.list(1).iter().map(|chunk| chunk_of(file, chunk));
            chunks.collect::<Option<Vec<_>>>().filter(|chunks| chunks.len() == columns.len())
        };
        let groups = header.list(4).iter().map(group).collect::<Option<_>>();
        let groups = groups.ok_or(Fault::Damaged("groups of rows that do not lie in it"))?;
        let notes = header.list(5).iter().filter_map(|note| Some((note.bytes(1)?, note.bytes(2)?))).collect();
        Ok(Self { columns, groups, notes })
    }
}

/// The columns of a tree of structs, which stands as a list: each element with its children behind it.
fn columns(elements: &[Value<'_>]) -> Option<Vec<Column>> {
    let (root, elements) = elements.split_first()?;
    let mut found = Vec::new();
    // Structs that are open: the children that are still to come, whether one of them is a list, and the level.
    let mut open = vec![(root.size(5)?, false, 0)];
    let mut path: Vec<String> = Vec::new();
    for element in elements {
        while open.last().is_some_and(|(left, ..)| *left == 0) {
            open.pop();
            path.pop();
        }
        let (left, mut repeated, mut level) = *open.last()?;
        open.last_mut()?.0 = left - 1;
        path.push(String::from_utf8_lossy(element.bytes(4)?).into_owned());
        match element.whole(3) {
            Some(1) => level += 1,
            Some(2) => (repeated, level) = (true, level + 1),
            _ => {}
        }
        match element.size(5).unwrap_or(0) {
            0 => {
                let stored = if repeated { Stored::Other("lists") } else { stored(element) };
                found.push(Column { path: path.clone(), stored, level });
                path.pop();
            }
            children => open.push((children, repeated, level)),
        }
        if found.len() > MOST_COLUMNS || open.len() > MOST_COLUMNS {
            return None;
        }
    }
    Some(found)
}

fn stored(element: &Value<'_>) -> Stored {
    // A type's meaning has two generations of names: the first by number, the second as a field of its own.
    let (old, new) = (element.whole(6), element.field(10));
    let means = |field: i16| new.is_some_and(|new| new.field(field).is_some());
    if old == Some(5) || means(5) {
        return Stored::Other("decimals");
    }
    if old.is_some_and(|old| (6..=10).contains(&old)) || means(6) || means(7) || means(8) {
        return Stored::Other("dates or times");
    }
    let unsigned = new.and_then(|new| new.field(10)).and_then(|integer| integer.whole(2)) == Some(0);
    match element.whole(1) {
        Some(0) => Stored::Bool,
        Some(1) => Stored::Int32 { unsigned: unsigned || old == Some(13) },
        Some(2) => Stored::Int64,
        Some(3) => Stored::Other("times in 96 bits"),
        Some(4) => Stored::Float,
        Some(5) => Stored::Double,
        Some(6) => {
            Stored::Bytes { text: matches!(old, Some(0 | 4 | 19)) || means(1) || means(4) || means(12) }
        }
        _ => Stored::Other("bytes of a fixed number"),
    }
}

fn chunk_of<'a>(file: &'a [u8], chunk: &Value<'_>) -> Option<Chunk<'a>> {
    let about = chunk.field(3)?;
    let first = about.size(9)?;
    // The dictionary, if there is one, lies before the first page of values. Some programs write 0 for none.
    let start = about.size(11).filter(|&start| start > 0).map_or(first, |start| start.min(first));
    let pages = file.get(start..start.checked_add(about.size(7)?)?)?;
    Some(Chunk { codec: about.whole(4)?, count: about.size(5)?, pages })
}
