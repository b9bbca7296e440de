//! The inner dimension of a product as runs of neighbours in memory.

/// Where one run of `depth` products starts, relative to a row of A and to B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub a: u32,
    pub b: u32,
}

/// The inner dimension of a product, as runs of equal length.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    pub list: &'a [Run],
    /// Products in one run.
    pub depth: usize,
    /// Elements of A between two products of a run.
    pub a_step: usize,
    /// Elements of B between two products of a run.
    pub b_step: usize,
    /// Elements of B between two panels.
    pub b_panel: usize,
    /// Runs to take at a time, so that what they touch of A and B stays in the nearest cache.
    pub block: usize,
}

impl Runs<'_> {
    /// One more than the largest offset from a row of A that is read.
    pub fn a_reach(&self) -> usize {
        self.reach(self.list.iter().map(|s| s.a).max(), self.a_step, 1)
    }

    /// One more than the largest offset into B that is read for so many panels of `width` columns.
    pub fn b_reach(&self, panels: usize, width: usize) -> usize {
        let before = panels.saturating_sub(1) * self.b_panel;
        self.reach(self.list.iter().map(|s| s.b).max(), self.b_step, before + width)
    }

    fn reach(&self, start: Option<u32>, step: usize, width: usize) -> usize {
        match start {
            Some(start) if self.depth > 0 => start as usize + (self.depth - 1) * step + width,
            _ => 0,
        }
    }
}
