//! The faults, by their numbers: for the stand-in and for the tests that plant them.

/// A fault by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Fault {
    /// The last entry of a product is off by a thousandth.
    WrongEntry = 1,
    /// Factors are cut off to TF32, whatever was asked for.
    LowPrecision = 2,
    /// Products take a tenth of a second more.
    Slow = 3,
    /// Nothing is supported.
    Unsupported = 4,
    /// Products fail.
    Failing = 5,
    /// Filters are taken to lie row by row with the filters last.
    FiltersLast = 6,
    /// Products want more workspace than there is on any card.
    Workspace = 7,
    /// The first product loads what it needs, which no capture survives.
    LoadsAtFirstUse = 8,
    /// No product can be captured.
    NeverCaptured = 9,
    /// Convolutions are refused as a wrong parameter, which is how the older functions say that they don't have them.
    BadParameter = 10,
    /// Products find no memory.
    OutOfMemory = 11,
    /// Heuristics know no engine for a graph of operations.
    NoEngine = 12,
    /// They find a wrong parameter in it.
    GraphBadParameter = 13,
    /// There is no memory for its plan.
    PlanOutOfMemory = 14,
    /// The sums that a graph leaves are those of half the rows.
    WrongSums = 15,
}
