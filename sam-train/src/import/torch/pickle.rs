//! What a pickle says of tensors, as a tree of values. Nothing is executed.
//!
//! A pickle is a program for a stack machine. Python's can call any function; this one knows the opcodes with which `torch.save`
//! writes a dictionary of tensors, and the few names that it takes for what they stand for. Everything else is refused. Memory is in
//! proportion to the pickle: an opcode makes at most one value, and a value that is used again is not copied.

/// Values of a pickle at most: a network has a few thousand.
const MOST_VALUES: usize = 1 << 22;

/// The place of a value in its pickle.
pub type Id = usize;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of at most 64 bits.
    Whole(i64),
    /// An integer of more bits, or a floating-point number: of no use here.
    Number,
    /// A string.
    Text(String),
    /// A name of another module.
    Global(Global),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A dictionary, in its order.
    Dict(Vec<(Id, Id)>),
    /// What the tuple is the persistent name of.
    Persistent(Id),
    /// A tensor made of the tuple's parts.
    Tensor(Id),
}

/// A name that a pickle of tensors may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// A class of storages.
    Storage(Element),
}

/// What a storage holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Numbers of single precision.
    Float,
    /// Integers of 64 bits.
    Long,
    /// Others, of so many bytes each.
    Other(&'static str, u64),
}

impl Element {
    const ALL: [(&'static str, Self); 10] = [
        ("FloatStorage", Self::Float),
        ("LongStorage", Self::Long),
        ("DoubleStorage", Self::Other("DoubleStorage", 8)),
        ("HalfStorage", Self::Other("HalfStorage", 2)),
        ("BFloat16Storage", Self::Other("BFloat16Storage", 2)),
        ("IntStorage", Self::Other("IntStorage", 4)),
        ("ShortStorage", Self::Other("ShortStorage", 2)),
        ("CharStorage", Self::Other("CharStorage", 1)),
        ("ByteStorage", Self::Other("ByteStorage", 1)),
        ("BoolStorage", Self::Other("BoolStorage", 1)),
    ];

    /// Bytes of an element.
    pub const fn size(self) -> u64 {
        match self {
            Self::Float => 4,
            Self::Long => 8,
            Self::Other(_, size) => size,
        }
    }
}

/// Why a pickle is not read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of a pickle: expected {expected}, found {found}")]
pub struct PickleError {
    /// The byte, counted from the pickle's start.
    pub at: usize,
    /// What could have been there.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

/// The values of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub struct Pickle {
    values: Vec<Value>,
    root: Id,
    /// Bytes of the pickle.
    pub length: usize,
}

impl Pickle {
    /// Reads the pickle that `bytes` begin with.
    ///
    /// # Errors
    /// [`PickleError`] for the first byte that is not of a pickle of tensors.
    pub fn read(bytes: &[u8]) -> Result<Self, PickleError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            opcode: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        };
        let root = machine.run()?;
        Ok(Self { values: machine.values, root, length: machine.at })
    }

    /// All values, in the order in which they were made.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// The value that it is of.
    pub fn root(&self) -> &Value {
        &self.values[self.root]
    }

    /// A value of it.
    pub fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }

    /// The values of a tuple or a list.
    pub fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(parts) | Value::List(parts) => Some(parts),
            _ => None,
        }
    }

    /// A string.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number from 0 up.
    pub fn natural(&self, id: Id) -> Option<u64> {
        match *self.get(id) {
            Value::Whole(number) => number.try_into().ok(),
            _ => None,
        }
    }
}

/// The machine while it runs.
struct Machine<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// Where the opcode is that is carried out.
    opcode: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: Vec<Id>,
}

impl Machine<'_> {
    fn error<T>(&self, expected: &'static str, found: impl Into<String>) -> Result<T, PickleError> {
        Err(PickleError { at: self.opcode, expected, found: found.into() })
    }

    fn take(&mut self, count: usize) -> Result<&[u8], PickleError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else { return self.error("the rest of it", "the end of the file") };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<usize, PickleError> {
        Ok(self.take(1)?[0].into())
    }

    fn word(&mut self) -> Result<u32, PickleError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let end = self.bytes[self.at..].iter().position(|&byte| byte == b'\n');
        let Some(end) = end else { return self.error("a line", "the end of the file") };
        let line = self.take(end)?.to_vec();
        self.at += 1;
        self.utf8(line)
    }

    fn utf8(&self, bytes: Vec<u8>) -> Result<String, PickleError> {
        String::from_utf8(bytes).or_else(|_| self.error("text in UTF-8", "other bytes"))
    }

    fn push(&mut self, value: Value) -> Result<(), PickleError> {
        if self.values.len() == MOST_VALUES {
            return self.error("at most 4,194,304 values", "more");
        }
        self.values.push(value);
        self.stack.push(self.values.len() - 1);
        Ok(())
    }

    /// The topmost value, which lies above the last mark.
    fn pop(&mut self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(id) if self.stack.len() >= floor => Ok(id),
            _ => self.error("a value on the stack", "none"),
        }
    }

    /// All above the last mark, which goes.
    fn pop_marked(&mut self) -> Result<Vec<Id>, PickleError> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => self.error("a mark on the stack", "none"),
        }
    }

    fn pop_tuple<const N: usize>(&mut self) -> Result<[Id; N], PickleError> {
        let mut parts = [0; N];
        for part in parts.iter_mut().rev() {
            *part = self.pop()?;
        }
        Ok(parts)
    }

    fn tuple<const N: usize>(&mut self) -> Result<(), PickleError> {
        let parts = self.pop_tuple::<N>()?.to_vec();
        self.push(Value::Tuple(parts))
    }

    fn remember(&mut self, place: usize) -> Result<(), PickleError> {
        let id = self.pop()?;
        self.stack.push(id);
        // Places are counted up as values are remembered.
        if place > self.memo.len() {
            return self
                .error("places of the memo in a row", format!("place {place} after {}", self.memo.len()));
        }
        match self.memo.get_mut(place) {
            Some(remembered) => *remembered = id,
            None => self.memo.push(id),
        }
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Result<(), PickleError> {
        match self.memo.get(place) {
            Some(&id) => self.stack.push(id),
            None => return self.error("a place of the memo that was written", format!("place {place}")),
        }
        Ok(())
    }

    fn global(&mut self) -> Result<Global, PickleError> {
        let (module, name) = (self.line()?, self.line()?);
        let storage = Element::ALL.iter().find(|(own, _)| module == "torch" && name == *own);
        match (module.as_str(), name.as_str()) {
            ("collections", "OrderedDict") => Ok(Global::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Global::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Ok(Global::RebuildParameter),
            _ => match storage {
                Some(&(_, element)) => Ok(Global::Storage(element)),
                None => self.error("tensors and dictionaries only", format!("the name {module}.{name}")),
            },
        }
    }

    /// What a function gives for its arguments.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let [function, arguments] = self.pop_tuple()?;
        let Value::Tuple(parts) = &self.values[arguments] else {
            return self.error("a tuple of arguments", "another value");
        };
        match (&self.values[function], parts.as_slice()) {
            (Value::Global(Global::OrderedDict), []) => self.push(Value::Dict(Vec::new()))?,
            (Value::Global(Global::RebuildTensor), _) => self.push(Value::Tensor(arguments))?,
            (Value::Global(Global::RebuildParameter), &[tensor, ..]) => self.stack.push(tensor),
            _ => return self.error("a function that makes a tensor or an empty dictionary", "another call"),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let dict = self.pop()?;
        self.stack.push(dict);
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.values[dict] {
            Value::Dict(entries) if rest.is_empty() => {
                entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            _ => return self.error("a dictionary and pairs for it", "other values"),
        }
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let list = self.pop()?;
        self.stack.push(list);
        match &mut self.values[list] {
            Value::List(entries) => entries.extend(items),
            _ => return self.error("a list to append to", "another value"),
        }
        Ok(())
    }

    /// An integer in as few bytes as it needs.
    fn long(&mut self) -> Result<Value, PickleError> {
        let count = self.byte()?;
        let bytes = self.take(count)?;
        if bytes.len() > 8 {
            return Ok(Value::Number);
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut whole = [if negative { 0xff } else { 0 }; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        Ok(Value::Whole(i64::from_le_bytes(whole)))
    }

    fn run(&mut self) -> Result<Id, PickleError> {
        loop {
            self.opcode = self.at;
            match self.byte()? as u8 {
                // PROTO
                0x80 => match self.byte()? {
                    2 => {}
                    other => return self.error("protocol 2", format!("protocol {other}")),
                },
                b'c' => {
                    let global = self.global()?;
                    self.push(Value::Global(global))?;
                }
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                // BININT, BININT1, BININT2, LONG1, BINFLOAT
                b'J' => {
                    let number = self.word()?.cast_signed();
                    self.push(Value::Whole(number.into()))?;
                }
                b'K' => {
                    let number = self.byte()?;
                    self.push(Value::Whole(number as i64))?;
                }
                b'M' => {
                    let number = self.byte()? | self.byte()? << 8;
                    self.push(Value::Whole(number as i64))?;
                }
                0x8a => {
                    let number = self.long()?;
                    self.push(number)?;
                }
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Number)?;
                }
                // BINUNICODE
                b'X' => {
                    let length = self.word()? as usize;
                    let bytes = self.take(length)?.to_vec();
                    let text = self.utf8(bytes)?;
                    self.push(Value::Text(text))?;
                }
                b'}' => self.push(Value::Dict(Vec::new()))?,
                b']' => self.push(Value::List(Vec::new()))?,
                b')' => self.push(Value::Tuple(Vec::new()))?,
                b'(' => self.marks.push(self.stack.len()),
                // TUPLE, TUPLE1 to TUPLE3
                b't' => {
                    let parts = self.pop_marked()?;
                    self.push(Value::Tuple(parts))?;
                }
                0x85 => self.tuple::<1>()?,
                0x86 => self.tuple::<2>()?,
                0x87 => self.tuple::<3>()?,
                // SETITEM, SETITEMS, APPEND, APPENDS
                b's' => {
                    let pair = self.pop_tuple::<2>()?;
                    self.set_items(&pair)?;
                }
                b'u' => {
                    let items = self.pop_marked()?;
                    self.set_items(&items)?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(&[item])?;
                }
                b'e' => {
                    let items = self.pop_marked()?;
                    self.append(&items)?;
                }
                // BINPERSID
                b'Q' => {
                    let name = self.pop()?;
                    self.push(Value::Persistent(name))?;
                }
                b'R' => self.reduce()?,
                // BUILD: attributes of a dictionary, such as the versions of its layers, which say nothing about its tensors.
                b'b' => {
                    self.pop()?;
                }
                // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
                b'q' => {
                    let place = self.byte()?;
                    self.remember(place)?;
                }
                b'r' => {
                    let place = self.word()? as usize;
                    self.remember(place)?;
                }
                b'h' => {
                    let place = self.byte()?;
                    self.recall(place)?;
                }
                b'j' => {
                    let place = self.word()? as usize;
                    self.recall(place)?;
                }
                b'.' => return self.pop(),
                other => {
                    return self
                        .error("an opcode of tensors and dictionaries", format!("the opcode {other:#04x}"));
                }
            }
        }
    }
}
