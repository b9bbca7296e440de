//! The sum over ranks of a gradient that is still being computed.

use std::ops::Range;

use crate::ranks::{overlap::Background, tree::Tree};

/// Messages that a gradient is cut into at most: the last of them, which nothing is left to hide behind, is so small a part.
const MESSAGES: usize = 32;
/// Entries of one at least (64 KiB): below that a message's latency costs more than what it carries.
const LEAST: usize = 1 << 14;
/// Messages that are on their way at a time: each is memory, twice.
const ON_THE_WAY: usize = 4;

/// A gradient in messages, from its end to its front: the order in which backward passes come by it. The last of them
/// takes with it what is known after the pass only.
#[derive(Debug, Clone, Copy)]
struct Cut {
    entries: usize,
    size: usize,
}

impl Cut {
    fn new(entries: usize) -> Self {
        Self { entries, size: entries.div_ceil(MESSAGES).max(LEAST) }
    }

    fn messages(self) -> usize {
        self.entries.div_ceil(self.size).max(1)
    }

    /// Entries of a message.
    fn entries_of(self, message: usize) -> Range<usize> {
        let begin = |message: usize| self.entries.saturating_sub(message * self.size);
        begin(message + 1)..begin(message)
    }

    /// The messages that have some of these entries.
    fn messages_of(self, entries: &Range<usize>) -> Range<usize> {
        let number = |entry: usize| (self.entries - 1 - entry) / self.size;
        if entries.is_empty() { 0..0 } else { number(entries.end - 1)..number(entries.start) + 1 }
    }
}

/// The sum over ranks of gradients of which this rank is computing its last: each message begins as soon as nothing of it will
/// change any more. Every rank sends the same messages in the same order, whatever it computes.
pub struct Early<'a> {
    background: &'a dyn Background,
    /// This rank's other gradients.
    tree: &'a Tree,
    /// What the last one counts.
    weight: f32,
    /// Where sums go.
    out: &'a mut [f32],
    cut: Cut,
    /// Entries of each message that may change.
    missing: Vec<usize>,
    begun: usize,
    ended: usize,
    message: Vec<f32>,
}

impl<'a> Early<'a> {
    /// Of gradients as long as `out`, all of which but the last are in `tree`; that one counts `weight`, and has not begun.
    pub fn new(background: &'a dyn Background, tree: &'a Tree, weight: f32, out: &'a mut [f32]) -> Self {
        let cut = Cut::new(out.len());
        let missing = (0..cut.messages()).map(|message| cut.entries_of(message).len()).collect();
        Self { background, tree, weight, out, cut, missing, begun: 0, ended: 0, message: Vec::new() }
    }

    /// The entries `part` of `gradient`, of which nothing was said before, are final.
    pub fn take_in(&mut self, gradient: &[f32], part: Range<usize>) {
        for message in self.cut.messages_of(&part) {
            let entries = self.cut.entries_of(message);
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
        while self.ended < self.begun {
            self.end(tail);
        }
    }

    fn is_last(&self, message: usize) -> bool {
        message + 1 == self.cut.messages()
    }

    fn begin(&mut self, gradient: &[f32], tail: &mut [f32]) {
        if self.begun - self.ended == ON_THE_WAY {
            self.end(tail);
        }
        let entries = self.cut.entries_of(self.begun);
        let Self { message, weight, tree, .. } = self;
        message.clear();
        message.extend(gradient[entries.clone()].iter().map(|value| value * *weight));
        tree.complete(entries.start, message);
        if self.is_last(self.begun) {
            self.message.extend_from_slice(tail);
            self.tree.complete(gradient.len(), &mut self.message[entries.len()..]);
        }
        self.background.begin(&self.message);
        self.begun += 1;
    }

    fn end(&mut self, tail: &mut [f32]) {
        let entries = self.cut.entries_of(self.ended);
        if self.is_last(self.ended) {
            self.message.resize(entries.len() + tail.len(), 0.0);
            self.background.end(&mut self.message);
            let (front, behind) = self.message.split_at(entries.len());
            self.out[entries].copy_from_slice(front);
            tail.copy_from_slice(behind);
        } else {
            self.background.end(&mut self.out[entries]);
        }
        self.ended += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_each_entry_once_and_are_few() {
        for entries in [0, 1, 9, LEAST, LEAST + 1, 77_850, 1 << 19, (1 << 19) + 1, 36_479_194] {
            let cut = Cut::new(entries);
            assert!((1..=MESSAGES).contains(&cut.messages()), "{entries}");
            let mut end = entries;
            for message in 0..cut.messages() {
                let range = cut.entries_of(message);
                assert_eq!(range.end, end);
                if entries > 0 {
                    assert_eq!(cut.messages_of(&range), message..message + 1);
                }
                end = range.start;
            }
            assert_eq!(end, 0);
            if entries > 0 {
                assert_eq!(cut.messages_of(&(0..entries)), 0..cut.messages());
            }
        }
    }
}
