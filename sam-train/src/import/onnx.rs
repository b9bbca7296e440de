//! Weights in an ONNX model: its initializers by name, as `sam export` and PyTorch's exporter write them. What the model computes
//! is not looked at.

use std::ops::ControlFlow;

use crate::training::state::Tensor;

/// Fields of the messages that lead to a tensor, and of a tensor (onnx.proto3).
mod field {
    pub const MODEL_VERSION: u64 = 1;
    pub const MODEL_GRAPH: u64 = 7;
    pub const GRAPH_INITIALIZER: u64 = 5;
    pub const DIMS: u64 = 1;
    pub const DATA_TYPE: u64 = 2;
    pub const FLOAT_DATA: u64 = 4;
    pub const NAME: u64 = 8;
    pub const RAW_DATA: u64 = 9;
    pub const DATA_LOCATION: u64 = 14;
}

/// Types of numbers: those that weights may have, of which one is read.
const FLOAT: u64 = 1;
const OTHER_FLOATS: [(u64, &str); 3] = [(10, "float16"), (11, "float64"), (16, "bfloat16")];

/// Why a model cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// It is damaged.
    #[error("expected a whole model, found {0}")]
    Damaged(&'static str),
    /// A tensor that is not as it should be.
    #[error("tensor {name}: expected {expected}, found {found}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What it should be.
        expected: &'static str,
        /// What is there.
        found: String,
    },
}

/// A field's value.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], OnnxError> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or(OnnxError::Damaged("the end of a field too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(OnnxError::Damaged("a number of more than 64 bits"))
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), OnnxError> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?);
                Value::Bytes(self.take(length.unwrap_or(usize::MAX))?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return Err(OnnxError::Damaged("a field of an unknown kind")),
        };
        match key >> 3 {
            0 => Err(OnnxError::Damaged("a field without a number")),
            number => Ok((number, value)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Whether `content` is a model of this format, by its outermost fields: it has no mark of its own.
#[must_use]
pub fn is_onnx(content: &[u8]) -> bool {
    let (mut version, mut graph) = (false, false);
    let walked = Fields(content).try_for_each(|field| match field {
        Ok((field::MODEL_VERSION, Value::Number(number))) if (1..1000).contains(&number) => {
            version = true;
            ControlFlow::Continue(())
        }
        Ok((field::MODEL_GRAPH, Value::Bytes(_))) => {
            graph = true;
            ControlFlow::Continue(())
        }
        Ok(_) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    walked.is_continue() && version && graph
}

/// The tensors of single precision by name.
///
/// # Errors
/// [`OnnxError`], when the model is damaged, or has a tensor of another precision or in another file.
pub fn read(content: &[u8]) -> Result<Vec<Tensor>, OnnxError> {
    let mut tensors = Vec::new();
    for field in Fields(content) {
        let (field::MODEL_GRAPH, Value::Bytes(graph)) = field? else { continue };
        for field in Fields(graph) {
            if let (field::GRAPH_INITIALIZER, Value::Bytes(initializer)) = field? {
                tensors.extend(tensor(initializer)?);
            }
        }
    }
    Ok(tensors)
}

/// The tensor of a message; nothing of whole numbers, which are no weights.
fn tensor(message: &[u8]) -> Result<Option<Tensor>, OnnxError> {
    let (mut name, mut shape, mut kind, mut elsewhere) = (String::new(), Vec::new(), 0, false);
    let mut values: Vec<f32> = Vec::new();
    let mut odd = false;
    let mut floats = |bytes: &[u8]| {
        let (numbers, rest) = bytes.as_chunks();
        odd |= !rest.is_empty();
        values.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
    };
    for field in Fields(message) {
        match field? {
            (field::DIMS, Value::Number(size)) => shape.push(size),
            (field::DIMS, Value::Bytes(packed)) => {
                let mut sizes = Fields(packed);
                while !sizes.0.is_empty() {
                    shape.push(sizes.varint()?);
                }
            }
            (field::DATA_TYPE, Value::Number(number)) => kind = number,
            (field::NAME, Value::Bytes(bytes)) => name = String::from_utf8_lossy(bytes).into_owned(),
            (field::FLOAT_DATA | field::RAW_DATA, Value::Bytes(bytes)) => floats(bytes),
            (field::DATA_LOCATION, Value::Number(place)) => elsewhere = place != 0,
            _ => {}
        }
    }
    let wrong = |expected, found: &str| {
        Err(OnnxError::Tensor { name: name.clone(), expected, found: found.to_owned() })
    };
    if let Some((_, found)) = OTHER_FLOATS.iter().find(|(number, _)| *number == kind) {
        return wrong("numbers of single precision", found);
    }
    if kind != FLOAT {
        return Ok(None);
    }
    if elsewhere {
        return wrong(
            "its numbers in the model's own file",
            "the name of another; save the model as one file",
        );
    }
    let product = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size));
    if odd || product != Some(values.len() as u64) {
        return wrong("as many numbers as its shape has", &format!("{} for {shape:?}", values.len()));
    }
    let shape = shape.into_iter().map(|size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    Ok(Some(Tensor { name, shape, values }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::protobuf::Message;

    fn model(tensors: &[Message]) -> Vec<u8> {
        let graph = Message::default().bytes(2, "network").messages(5, tensors);
        Message::default().int(1, 8).message(7, &graph).into_bytes()
    }

    fn raw(name: &str, kind: i64, dims: &[i64], bytes: &[u8]) -> Message {
        let message = dims.iter().fold(Message::default(), |message, &dim| message.int(1, dim));
        message.int(2, kind).bytes(8, name).bytes(9, bytes)
    }

    #[test]
    fn numbers_are_read_raw_packed_and_one_by_one() {
        let bytes: Vec<u8> = [1.0_f32, -0.5].iter().flat_map(|value| value.to_le_bytes()).collect();
        let packed = Message::default().bytes(1, [2]).int(2, 1).bytes(8, "b").bytes(4, &bytes);
        let single = Message::default().int(1, 2).int(2, 1).float(4, 1.0).float(4, -0.5).bytes(8, "c");
        let file = model(&[raw("a", 1, &[2, 1], &bytes), packed, single, raw("list", 7, &[1], &[0; 8])]);
        assert!(is_onnx(&file));
        let found = read(&file).unwrap();
        let shapes: Vec<(&str, &[usize])> =
            found.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
        assert_eq!(shapes, [("a", &[2, 1][..]), ("b", &[2]), ("c", &[2])]);
        assert!(found.iter().all(|tensor| tensor.values == [1.0, -0.5]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (message, words) in [
            (raw("w", 10, &[1], &[0; 2]), "tensor w: expected numbers of single precision, found float16"),
            (
                raw("w", 1, &[3], &[0; 8]),
                "tensor w: expected as many numbers as its shape has, found 2 for [3]",
            ),
            (raw("w", 1, &[1], &[0; 5]), "tensor w: expected as many numbers as its shape has"),
            (raw("w", 1, &[-1, -1], &[0; 4]), "tensor w: expected as many numbers as its shape has"),
            (raw("w", 1, &[1], &[]).int(14, 1), "tensor w: expected its numbers in the model's own file"),
        ] {
            let found = read(&model(&[message])).unwrap_err().to_string();
            assert!(found.starts_with(words), "{found}");
        }
        let file = model(&[raw("w", 1, &[1], &[0; 4])]);
        // Behind its first field, the version, which is two bytes.
        for end in 3..file.len() {
            assert!(read(&file[..end]).is_err(), "{end}");
        }
        assert!(!is_onnx(b"") && !is_onnx(b"\x08\0\0\0\0\0\0\0{}      ") && !is_onnx(b"PK\x03\x04"));
    }
}
