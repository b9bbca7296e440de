//! The sum over ranks of a gradient that is still being computed.

use std::ops::Range;

use crate::ranks::{overlap::Background, shards::Shards, tree::Tree};

/// Messages that are on their way at a time: each is memory, twice.
const ON_THE_WAY: usize = 4;

/// Where sums go.
pub enum Out<'a> {
    /// All of them to every rank.
    Whole(&'a mut [f32]),
    /// To each rank its shard; this one's has this number.
    Shard(&'a mut [f32], usize),
}

impl Out<'_> {
    /// The same for a while.
    pub const fn lent(&mut self) -> Out<'_> {
        match self {
            Self::Whole(out) => Out::Whole(out),
            Self::Shard(out, rank) => Out::Shard(out, *rank),
        }
    }
}

/// The sum over ranks of gradients of which this rank is computing its last: each message begins as soon as nothing of it will
/// change any more. Every rank sends the same messages in the same order, whatever it computes: from the gradient's end to its front, the
/// order in which backward passes come by it. What is known after the pass only goes with the last of them, or where ranks get
/// shards, which it is in none of, behind it.
pub struct Early<'a> {
    background: &'a dyn Background,
    /// This rank's other gradients.
    tree: &'a Tree,
    /// What the last one counts.
    weight: f32,
    out: Out<'a>,
    /// Entries of the shard whose sums have not ended.
    left: usize,
    cut: Shards,
    /// Entries of each message that may change.
    missing: Vec<usize>,
    begun: usize,
    ended: usize,
    message: Vec<f32>,
}

impl<'a> Early<'a> {
    /// Of gradients that are `cut` so, all of which but the last are in `tree`; that one counts `weight`, and has not begun.
    pub fn new(
        background: &'a dyn Background,
        tree: &'a Tree,
        weight: f32,
        cut: Shards,
        out: Out<'a>,
    ) -> Self {
        let missing = (0..cut.messages()).map(|message| cut.message(message).len()).collect();
        let (Out::Whole(sums) | Out::Shard(sums, _)) = &out;
        let left = sums.len();
        Self { background, tree, weight, out, left, cut, missing, begun: 0, ended: 0, message: Vec::new() }
    }

    /// The entries `part` of `gradient`, of which nothing was said before, are final.
    pub fn take_in(&mut self, gradient: &[f32], part: Range<usize>) {
        for message in self.cut.messages_of(&part) {
            let entries = self.cut.message(message);
            let (start, end) = (part.start.max(entries.start), part.end.min(entries.end));
            self.missing[message] -= end - start;
        }
        while self.begun + 1 < self.cut.messages() && self.missing[self.begun] == 0 {
            self.begin(gradient, &mut []);
        }
        self.background.proceed();
    }

    /// All of `gradient` is final. Sends what has not been sent, with `tail`, which counts as it is, behind the front; then the
    /// sums are in `out` and in `tail`.
    pub fn finish(mut self, gradient: &[f32], tail: &mut [f32]) {
        while self.begun < self.cut.messages() {
            self.begin(gradient, tail);
        }
        let is_apart = matches!(self.out, Out::Shard(..));
        if is_apart {
            self.tree.complete(gradient.len(), tail);
            self.background.begin(tail);
        }
        while self.ended < self.begun {
            self.end(tail);
        }
        if is_apart {
            self.background.end(tail);
        }
    }

    fn is_last(&self, message: usize) -> bool {
        message + 1 == self.cut.messages()
    }

    fn begin(&mut self, gradient: &[f32], tail: &mut [f32]) {
        if self.begun - self.ended == ON_THE_WAY {
            self.end(tail);
        }
        let entries = self.cut.message(self.begun);
        let Self { message, weight, tree, .. } = self;
        message.clear();
        message.extend(gradient[entries.clone()].iter().map(|value| value * *weight));
        tree.complete(entries.start, message);
        match self.out {
            Out::Shard(..) => self.background.begin_part(&self.message, self.cut.part(self.begun)),
            Out::Whole(_) => {
                if self.is_last(self.begun) {
                    self.message.extend_from_slice(tail);
                    self.tree.complete(gradient.len(), &mut self.message[entries.len()..]);
                }
                self.background.begin(&self.message);
            }
        }
        self.begun += 1;
    }

    fn end(&mut self, tail: &mut [f32]) {
        let entries = self.cut.message(self.ended);
        let is_last = self.is_last(self.ended);
        match &mut self.out {
            Out::Shard(out, rank) => {
                let end = self.left;
                self.left -= self.cut.part_of(self.ended, *rank).len();
                self.background.end(&mut out[self.left..end]);
            }
            Out::Whole(out) if is_last => {
                self.message.resize(entries.len() + tail.len(), 0.0);
                self.background.end(&mut self.message);
                let (front, behind) = self.message.split_at(entries.len());
                out[entries].copy_from_slice(front);
                tail.copy_from_slice(behind);
            }
            Out::Whole(out) => self.background.end(&mut out[entries]),
        }
        self.ended += 1;
    }
}
