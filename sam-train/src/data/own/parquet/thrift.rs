//! Thrift's compact protocol, in which Parquet writes its headers: a struct as numbered fields.

/// Structs within structs: Parquet's own are less than ten deep.
const DEEPEST: usize = 24;

/// What a field holds. Numbers that nothing here needs (doubles) are passed over as 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A whole number, or 0 and 1 for false and true.
    Whole(i64),
    /// Bytes or text.
    Bytes(&'a [u8]),
    /// A list or a set.
    List(Vec<Value<'a>>),
    /// A struct: numbers of fields with what they hold.
    Fields(Vec<(i16, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// The field of that number of a struct.
    pub fn field(&self, number: i16) -> Option<&Self> {
        match self {
            Self::Fields(fields) => fields.iter().find(|(other, _)| *other == number).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The whole number in a field.
    pub fn whole(&self, number: i16) -> Option<i64> {
        match self.field(number)? {
            Self::Whole(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number in a field as a size.
    pub fn size(&self, number: i16) -> Option<usize> {
        usize::try_from(self.whole(number)?).ok()
    }

    /// The bytes in a field.
    pub fn bytes(&self, number: i16) -> Option<&'a [u8]> {
        match self.field(number)? {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The list in a field; without it an empty one.
    pub fn list(&self, number: i16) -> &[Self] {
        match self.field(number) {
            Some(Self::List(values)) => values,
            _ => &[],
        }
    }
}

/// The struct that `bytes` begin with, and how many bytes it takes; `None` if there is none. Every value takes at least a byte, so that
/// memory stays within a multiple of what is there, whatever sizes are claimed.
pub fn parse(bytes: &[u8]) -> Option<(Value<'_>, usize)> {
    let mut rest = bytes;
    let value = fields(&mut rest, DEEPEST)?;
    Some((value, bytes.len() - rest.len()))
}

fn fields<'a>(rest: &mut &'a [u8], depth: usize) -> Option<Value<'a>> {
    let depth = depth.checked_sub(1)?;
    let (mut found, mut number) = (Vec::new(), 0_i16);
    loop {
        let head = byte(rest)?;
        if head == 0 {
            return Some(Value::Fields(found));
        }
        number = match head >> 4 {
            0 => i16::try_from(signed(rest)?).ok()?,
            step => number.checked_add(step.into())?,
        };
        let value = match head & 15 {
            // A field that is true or false has its value in its kind.
            1 => Value::Whole(1),
            2 => Value::Whole(0),
            kind => value(kind, rest, depth)?,
        };
        found.push((number, value));
    }
}

fn value<'a>(kind: u8, rest: &mut &'a [u8], depth: usize) -> Option<Value<'a>> {
    Some(match kind {
        1..=3 => Value::Whole(byte(rest)?.cast_signed().into()),
        4..=6 => Value::Whole(signed(rest)?),
        7 => {
            take(rest, 8)?;
            Value::Whole(0)
        }
        8 => {
            let size = usize::try_from(unsigned(rest)?).ok()?;
            Value::Bytes(take(rest, size)?)
        }
        9 | 10 => {
            let depth = depth.checked_sub(1)?;
            let head = byte(rest)?;
            let size = match head >> 4 {
                15 => usize::try_from(unsigned(rest)?).ok()?,
                size => size.into(),
            };
            if size > rest.len() {
                return None;
            }
            Value::List((0..size).map(|_| value(head & 15, rest, depth)).collect::<Option<_>>()?)
        }
        12 => fields(rest, depth)?,
        // Maps are in no header of Parquet.
        _ => return None,
    })
}

/// The next `size` bytes.
pub fn take<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(size)?;
    *rest = behind;
    Some(taken)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    take(rest, 1).map(|bytes| bytes[0])
}

/// A number in groups of seven bits, the lowest first.
pub fn unsigned(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let next = byte(rest)?;
        value |= u64::from(next & 127) << shift;
        if next < 128 {
            return Some(value);
        }
    }
    None
}

fn signed(rest: &mut &[u8]) -> Option<i64> {
    let value = unsigned(rest)?;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_struct_is_read_field_by_field() {
        // 1: 150 (zigzag 300), 3: true, 4: [1, -1], 20: {1: "ab"}.
        let bytes = [0x15, 0xac, 2, 0x21, 0x19, 0x25, 2, 1, 0x0c, 40, 0x18, 2, b'a', b'b', 0, 0, 99];
        let (found, taken) = parse(&bytes).unwrap();
        assert_eq!(taken, bytes.len() - 1);
        assert_eq!((found.whole(1), found.size(3), found.whole(2)), (Some(150), Some(1), None));
        assert_eq!(found.list(4), [Value::Whole(1), Value::Whole(-1)]);
        assert_eq!(found.field(20).unwrap().bytes(1), Some(&b"ab"[..]));
        (0..taken).for_each(|end| assert_eq!(parse(&bytes[..end]), None, "{end} bytes"));
    }

    #[test]
    fn claims_beyond_what_is_there_are_refused() {
        // A list of 2^31 structs, a text of 2^60 bytes, structs without an end.
        assert_eq!(parse(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0, 0]), None);
        assert_eq!(parse(&[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 15, b'a']), None);
        assert_eq!(parse(&[0x1c; 1000]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_struct_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some((_, taken)) = parse(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
        }
    }
}
