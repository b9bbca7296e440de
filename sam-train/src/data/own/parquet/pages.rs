//! The values of a column, page by page.

use super::{
    Fault,
    footer::{Chunk, Column, Stored},
    packed::{Budget, unpack},
    thrift::{self, take, unsigned},
};

/// The longest header of a page: it may hold the smallest and the largest value.
const LONGEST_HEADER: usize = 1 << 20;

/// Values of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Whole numbers, or 0 and 1.
    Whole(Vec<i64>),
    /// Others.
    Real(Vec<f32>),
    /// Bytes or text.
    Bytes(Vec<Vec<u8>>),
}

impl Cells {
    fn none(stored: Stored) -> Self {
        match stored {
            Stored::Float | Stored::Double => Self::Real(Vec::new()),
            Stored::Bytes { .. } => Self::Bytes(Vec::new()),
            _ => Self::Whole(Vec::new()),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    /// Adds those of `others` at these places; at `None` what stands for a missing one. `None` if there is no such place.
    fn extend(&mut self, others: &Self, places: &[Option<usize>], budget: &mut Budget) -> Result<(), Fault> {
        let beyond = Fault::Damaged("a value beyond those that there are");
        match (self, others) {
            (Self::Whole(values), Self::Whole(others)) => each(values, others, places),
            (Self::Real(values), Self::Real(others)) => each(values, others, places),
            (Self::Bytes(values), Self::Bytes(others)) => {
                let bytes = places.iter().flatten().filter_map(|&place| others.get(place)).map(Vec::len);
                budget.spend(bytes.sum())?;
                each(values, others, places)
            }
            _ => None,
        }
        .ok_or(beyond)
    }
}

fn each<T: Clone + Default>(values: &mut Vec<T>, others: &[T], places: &[Option<usize>]) -> Option<()> {
    for place in places {
        values.push(match place {
            Some(place) => others.get(*place)?.clone(),
            None => T::default(),
        });
    }
    Some(())
}

/// The values of a column, and which of them are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// A value for each row, 0 or nothing where it is missing.
    pub cells: Cells,
    /// The rows without a value, from 0.
    pub missing: Vec<usize>,
}

impl Values {
    /// None yet, for a column of that kind.
    pub fn none(stored: Stored) -> Self {
        Self { cells: Cells::none(stored), missing: Vec::new() }
    }

    /// Adds the values of a group of rows.
    pub fn append(&mut self, column: &Column, chunk: &Chunk<'_>, budget: &mut Budget) -> Result<(), Fault> {
        let end = self.cells.len().checked_add(chunk.count).ok_or(CUT)?;
        let mut rest = chunk.pages;
        let mut dictionary = None;
        while self.cells.len() < end {
            let (header, taken) = thrift::parse(&rest[..rest.len().min(LONGEST_HEADER)]).ok_or(CUT)?;
            take(&mut rest, taken);
            let (size, packed) = (header.size(2).ok_or(CUT)?, header.size(3).ok_or(CUT)?);
            let packed = take(&mut rest, packed).ok_or(CUT)?;
            match header.whole(1) {
                Some(0) => {
                    let about = header.field(5).ok_or(CUT)?;
                    let page = unpack(chunk.codec, packed, size, budget)?;
                    let mut values = &page[..];
                    let levels = match column.level {
                        0 => &[][..],
                        _ => {
                            let size =
                                take(&mut values, 4).and_then(|size| size.try_into().ok()).ok_or(CUT)?;
                            take(&mut values, u32::from_le_bytes(size) as usize).ok_or(CUT)?
                        }
                    };
                    let page = Page { count: about.size(1), encoding: about.whole(2), levels, values };
                    self.page(column, &page, dictionary.as_ref(), budget)?;
                }
                Some(2) => {
                    let about = header.field(7).ok_or(CUT)?;
                    if !matches!(about.whole(2), Some(0 | 2)) {
                        return Err(encoding_refused(about.whole(2)));
                    }
                    let page = unpack(chunk.codec, packed, size, budget)?;
                    let count = about.size(1).filter(|&count| count <= page.len()).ok_or(CUT)?;
                    dictionary = Some(plain(column.stored, &page, count, budget)?);
                }
                Some(3) => {
                    let about = header.field(8).ok_or(CUT)?;
                    let mut rest = packed;
                    let (before, behind) = (about.size(6).ok_or(CUT)?, about.size(5).ok_or(CUT)?);
                    take(&mut rest, before).ok_or(CUT)?;
                    let levels = take(&mut rest, behind).ok_or(CUT)?;
                    let size = size.checked_sub(before + behind).ok_or(CUT)?;
                    // Nothing but missing values packs to nothing.
                    let codec = if about.whole(7) == Some(0) || size == 0 { 0 } else { chunk.codec };
                    let values = unpack(codec, rest, size, budget)?;
                    let page =
                        Page { count: about.size(1), encoding: about.whole(4), levels, values: &values };
                    self.page(column, &page, dictionary.as_ref(), budget)?;
                }
                // An index of pages, or what is to come.
                _ => {}
            }
        }
        match self.cells.len() == end {
            true => Ok(()),
            false => Err(Fault::Damaged("more values than rows")),
        }
    }

    fn page(
        &mut self,
        column: &Column,
        page: &Page<'_>,
        dictionary: Option<&Cells>,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        const PER_VALUE: usize = 32;
        let Page { levels, values, .. } = *page;
        let count = page.count.ok_or(CUT)?;
        budget.spend(count.saturating_mul(PER_VALUE))?;
        let there: Vec<bool> = match column.level {
            0 => vec![true; count],
            level => {
                let width = u32::BITS - level.leading_zeros();
                hybrid(levels, width, count).ok_or(CUT)?.into_iter().map(|found| found == level).collect()
            }
        };
        let present = there.iter().filter(|&&there| there).count();
        let own;
        let (others, indices): (&Cells, Vec<usize>) = match (page.encoding, dictionary) {
            (Some(0), _) => {
                own = plain(column.stored, values, present, budget)?;
                (&own, (0..present).collect())
            }
            // Bits of the second version, with their number of bytes before them.
            (Some(3), _) if column.stored == Stored::Bool => {
                let bits = values.get(4..).and_then(|values| hybrid(values, 1, present)).ok_or(CUT)?;
                own = Cells::Whole(bits.into_iter().map(i64::from).collect());
                (&own, (0..present).collect())
            }
            (Some(2 | 8), Some(dictionary)) => {
                let indices = match values.split_first() {
                    Some((&width, values)) => hybrid(values, width.into(), present).ok_or(CUT)?,
                    None if present == 0 => Vec::new(),
                    None => return Err(CUT),
                };
                (dictionary, indices.into_iter().map(|index| index as usize).collect())
            }
            (Some(2 | 8), None) => return Err(Fault::Damaged("a page without its dictionary")),
            (other, _) => return Err(encoding_refused(other)),
        };
        let (first, mut indices) = (self.cells.len(), indices.into_iter());
        let places: Vec<Option<usize>> =
            there.iter().map(|&there| if there { indices.next() } else { None }).collect();
        self.missing.extend((first..).zip(&there).filter(|(_, there)| !**there).map(|(row, _)| row));
        self.cells.extend(others, &places, budget)
    }
}

/// What both versions of a page of values have.
struct Page<'a> {
    /// Missing ones too.
    count: Option<usize>,
    encoding: Option<i64>,
    levels: &'a [u8],
    values: &'a [u8],
}

/// What anything that does not fit is called.
const CUT: Fault = Fault::Damaged("a page that does not fit its header");

fn encoding_refused(encoding: Option<i64>) -> Fault {
    let name = match encoding {
        Some(4) => "BIT_PACKED",
        Some(5) => "DELTA_BINARY_PACKED",
        Some(6) => "DELTA_LENGTH_BYTE_ARRAY",
        Some(7) => "DELTA_BYTE_ARRAY",
        Some(9) => "BYTE_STREAM_SPLIT",
        _ => "another",
    };
    Fault::refused("the encodings PLAIN and RLE_DICTIONARY, which are usual", name.into())
}

/// `count` values one behind the other.
fn plain(stored: Stored, bytes: &[u8], count: usize, budget: &mut Budget) -> Result<Cells, Fault> {
    let fixed = |width: usize| bytes.get(..count.checked_mul(width)?);
    let cells = match stored {
        Stored::Bool => bytes.get(..count.div_ceil(8)).map(|bytes| {
            Cells::Whole((0..count).map(|at| i64::from(bytes[at / 8] >> (at % 8) & 1)).collect())
        }),
        Stored::Int32 { unsigned: false } => {
            fixed(4).map(|bytes| Cells::Whole(numbers(bytes, |bytes| i32::from_le_bytes(bytes).into())))
        }
        Stored::Int32 { unsigned: true } => {
            fixed(4).map(|bytes| Cells::Whole(numbers(bytes, |bytes| u32::from_le_bytes(bytes).into())))
        }
        Stored::Int64 => fixed(8).map(|bytes| Cells::Whole(numbers(bytes, i64::from_le_bytes))),
        Stored::Float => fixed(4).map(|bytes| Cells::Real(numbers(bytes, f32::from_le_bytes))),
        Stored::Double => {
            fixed(8).map(|bytes| Cells::Real(numbers(bytes, |bytes| f64::from_le_bytes(bytes) as f32)))
        }
        Stored::Bytes { .. } => {
            budget.spend(bytes.len())?;
            let mut rest = bytes;
            let next = |_| {
                let size = take(&mut rest, 4)?.try_into().ok()?;
                Some(take(&mut rest, u32::from_le_bytes(size) as usize)?.to_vec())
            };
            (0..count).map(next).collect::<Option<_>>().map(Cells::Bytes)
        }
        Stored::Other(_) => None,
    };
    cells.ok_or(CUT)
}

fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
}

/// `count` numbers of `width` bits, in runs of equal ones and in groups of eight.
fn hybrid(mut bytes: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
    if width > 32 {
        return None;
    }
    let mut values: Vec<u32> = Vec::new();
    while values.len() < count {
        let (head, left) = (unsigned(&mut bytes)?, count - values.len());
        let size = usize::try_from(head >> 1).ok().filter(|&size| size > 0)?;
        if head & 1 == 0 {
            let mut value = [0; 4];
            let whole = width.div_ceil(8) as usize;
            value[..whole].copy_from_slice(take(&mut bytes, whole)?);
            let value = u32::from_le_bytes(value);
            if u64::from(value) >> width != 0 {
                return None;
            }
            values.extend(std::iter::repeat_n(value, size.min(left)));
        } else {
            let available = bytes.len();
            let packed = take(&mut bytes, size.checked_mul(width as usize)?.min(available))?;
            let there = if width == 0 { usize::MAX } else { packed.len() * 8 / width as usize };
            let wanted = size.saturating_mul(8).min(left);
            if there < wanted {
                return None;
            }
            values.extend((0..wanted).map(|at| bits(packed, at * width as usize, width)));
        }
    }
    Some(values)
}

/// `width` bits from the bit `at` on, the lowest first.
fn bits(bytes: &[u8], at: usize, width: u32) -> u32 {
    let word = bytes[(at / 8).min(bytes.len())..]
        .iter()
        .take(5)
        .rev()
        .fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
    (word >> (at % 8) & ((1 << width) - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the format's description writes groups: bit by bit.
    fn grouped(values: &[u32], width: u32) -> Vec<u8> {
        let groups = values.len().div_ceil(8);
        let mut bytes = vec![0; groups * width as usize];
        for (at, &value) in values.iter().enumerate() {
            for bit in (0..width as usize).filter(|bit| value >> bit & 1 == 1) {
                let place = at * width as usize + bit;
                bytes[place / 8] |= 1 << (place % 8);
            }
        }
        let mut head = vec![];
        let mut rest = groups << 1 | 1;
        while rest > 127 {
            head.push(rest as u8 | 128);
            rest >>= 7;
        }
        head.push(rest as u8);
        [head, bytes].concat()
    }

    #[test]
    fn the_example_of_the_format_s_description_is_read() {
        // 0 to 7 in three bits each.
        assert_eq!(hybrid(&[3, 0b1000_1000, 0b1100_0110, 0b1111_1010], 3, 8), Some((0..8).collect()));
        // A run of 100 times 4, then none of a width of 0.
        assert_eq!(hybrid(&[200, 1, 4], 3, 100), Some(vec![4; 100]));
        assert_eq!(hybrid(&[200, 1], 0, 100), Some(vec![0; 100]));
    }

    proptest! {
        #[test]
        fn groups_come_back_in_any_width(width in 0_u32..=32, values in proptest::collection::vec(any::<u32>(), 1..300)) {
            let values: Vec<u32> = values.iter().map(|value| (u64::from(*value) & ((1_u64 << width) - 1)) as u32).collect();
            prop_assert_eq!(hybrid(&grouped(&values, width), width, values.len()), Some(values));
        }

        #[test]
        fn any_bytes_are_numbers_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40), width in 0_u32..40, count in 0_usize..2000) {
            let found = hybrid(&bytes, width, count);
            prop_assert!(found.is_none_or(|found| found.len() == count && (width >= 32 || found.iter().all(|value| u64::from(*value) < 1 << width))));
        }
    }
}
