//! PTX as a tree: what the parser hands to [`crate::lower`].

/// A PTX file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Module {
    /// `.version`, as major and minor.
    pub version: (u32, u32),
    /// Number in `.target sm_NN`.
    pub target: u32,
    /// Variables outside functions.
    pub variables: Vec<Variable>,
    /// Kernels and device functions that have a body.
    pub functions: Vec<Function>,
}

/// `.entry` or `.func`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Name as in the text.
    pub name: String,
    /// Whether the host may launch it.
    pub entry: bool,
    /// Return variables of a `.func`.
    pub results: Vec<Variable>,
    /// Formal parameters.
    pub parameters: Vec<Variable>,
    /// Product of `.maxntid` or `.reqntid`: most threads a block may have.
    pub max_threads: Option<u32>,
    /// Statements in order.
    pub body: Vec<Statement>,
    /// Line of its name.
    pub line: u32,
}

/// What a function's body holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `.reg .b32 %r<42>;` is `(B32, "%r", Some(42))`; without a count the name stands for itself.
    Register(Type, String, Option<u32>),
    /// A variable in shared, local, param, const or global memory.
    Variable(Variable),
    /// A place to branch to.
    Label(String, u32),
    /// `label: .branchtargets a, b;`
    Targets(String, Vec<String>, u32),
    /// An instruction.
    Instruction(Instruction),
    /// `{ … }`, with names of its own.
    Block(Vec<Statement>),
}

/// One instruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Instruction {
    /// Line in the text.
    pub line: u32,
    /// `@%p` or `@!%p`: the register and whether it is negated.
    pub guard: Option<(String, bool)>,
    /// Opcode with modifiers, as written: `ld.global.nc.v2.f32`.
    pub opcode: String,
    /// Operands in order.
    pub operands: Vec<Operand>,
}

/// An operand of an instruction.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A register, special register, variable, function or label.
    Name(String),
    /// `!%p1`.
    Not(String),
    /// A variable's address with an offset.
    Offset(String, i64),
    /// An integer literal, as its two's complement.
    Integer(u64),
    /// The bits of an f32 literal.
    Single(u32),
    /// The bits of an f64 literal.
    Double(u64),
    /// `[base+offset]`; no base is an absolute address.
    Address(Option<String>, i64),
    /// `{a, b}`.
    Vector(Vec<Operand>),
    /// `(a, b)`, in calls.
    List(Vec<Operand>),
    /// `a|b`: two results.
    Pair(Box<Operand>, Box<Operand>),
    /// `_`: a result that nobody wants.
    Sink,
}

/// State spaces of PTX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// Device memory.
    Global,
    /// Read-only device memory.
    Const,
    /// A block's memory.
    Shared,
    /// A thread's memory.
    Local,
    /// Arguments of kernels and calls.
    Param,
    /// Any of them, told by the address.
    Generic,
}

/// A declared variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Where it lives.
    pub space: Space,
    /// Whether another declaration gives the memory (dynamic shared memory).
    pub external: bool,
    /// Name.
    pub name: String,
    /// Element type.
    pub element: Type,
    /// Bytes; zero for an array without a length.
    pub size: usize,
    /// Alignment in bytes, a power of two.
    pub align: usize,
    /// Initial contents.
    pub initial: Vec<Initial>,
    /// Line of the declaration.
    pub line: u32,
}

/// One element of an initialiser.
#[derive(Debug, Clone, PartialEq)]
pub enum Initial {
    /// Little-endian bits.
    Bits(u64),
    /// A variable's address plus an offset; `true` for `generic(…)`.
    Address(String, i64),
}

/// Fundamental types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named as in PTX")]
pub enum Type {
    B8,
    B16,
    B32,
    B64,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    Tf32,
    F32,
    F64,
    Pred,
}

impl Type {
    /// The type of this name, without its dot.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "b8" => Self::B8,
            "b16" => Self::B16,
            "b32" => Self::B32,
            "b64" => Self::B64,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "s8" => Self::S8,
            "s16" => Self::S16,
            "s32" => Self::S32,
            "s64" => Self::S64,
            "f16" => Self::F16,
            "f16x2" => Self::F16x2,
            "bf16" => Self::Bf16,
            "bf16x2" => Self::Bf16x2,
            "tf32" => Self::Tf32,
            "f32" => Self::F32,
            "f64" => Self::F64,
            "pred" => Self::Pred,
            _ => return None,
        })
    }

    /// Bytes in memory.
    pub fn size(self) -> usize {
        match self {
            Self::B8 | Self::U8 | Self::S8 | Self::Pred => 1,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::Bf16 => 2,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 8,
            _ => 4,
        }
    }

    /// Whether it is a signed integer.
    pub fn signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// Whether it holds one or two floating-point numbers.
    pub fn float(self) -> bool {
        matches!(
            self,
            Self::F16 | Self::F16x2 | Self::Bf16 | Self::Bf16x2 | Self::Tf32 | Self::F32 | Self::F64
        )
    }
}
