//! A warp: registers, and fragments of lanes that are at the same place.
//!
//! Lanes run together as long as they agree on where to go. A branch that only some take splits their fragment; the
//! fragment that is furthest behind runs first, so that the others are met again where the paths join.

use crate::column::{Column, Lanes, WARP};
use crate::program::Kernel;

/// What a fragment does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Executes.
    Ready,
    /// Waits at an instruction of the warp until the lanes named in it are there.
    Together(Lanes),
    /// Waits at a warp barrier for these lanes.
    WarpBarrier(Lanes),
    /// Waits at a barrier of the block: its number, and the threads that it waits for where that is given.
    BlockBarrier(u32, Option<u32>),
}

/// Lanes at the same place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment {
    pub(super) pc: u32,
    pub(super) lanes: Lanes,
    pub(super) state: State,
}

/// 32 threads or fewer.
#[derive(Debug)]
pub(super) struct Warp {
    pub(super) number: u32,
    pub(super) registers: Vec<Column>,
    pub(super) predicates: Vec<Lanes>,
    /// Local memory of lane after lane.
    pub(super) local: Vec<u8>,
    pub(super) fragments: Vec<Fragment>,
    /// Lanes that exist.
    pub(super) present: Lanes,
    pub(super) exited: Lanes,
    /// Warp barriers passed.
    pub(super) barriers: u64,
    /// Turns that ended with a fragment still busy: then another one comes first, in rotation.
    pub(super) rotation: usize,
    /// Where it is, for reports.
    pub(super) pc: u32,
}

impl Warp {
    pub(super) fn new(kernel: &Kernel, number: u32, threads: u32) -> Self {
        let lanes = (threads - number * 32).min(32);
        let mut registers = vec![[0; WARP]; kernel.columns];
        for &(register, value) in &kernel.constants {
            registers[usize::from(register)] = [value; WARP];
        }
        Self {
            number,
            registers,
            predicates: vec![0; kernel.predicates],
            local: vec![0xff; WARP * kernel.local],
            fragments: Vec::new(),
            present: u32::MAX >> (32 - lanes),
            exited: 0,
            barriers: 0,
            rotation: 0,
            pc: 0,
        }
    }

    /// Puts all lanes at the start of the kernel.
    pub(super) fn restart(&mut self) {
        self.fragments.clear();
        self.fragments.push(Fragment { pc: 0, lanes: self.present, state: State::Ready });
        self.exited = 0;
    }

    pub(super) fn finished(&self) -> bool {
        self.fragments.is_empty()
    }

    /// Lanes of `members` that can still come.
    pub(super) fn expected(&self, members: Lanes) -> Lanes {
        members & self.present & !self.exited
    }

    /// Takes out the ready fragment that is furthest behind, with all that are at the same place.
    pub(super) fn pick(&mut self) -> Option<Fragment> {
        let ready = |f: &&Fragment| f.state == State::Ready;
        let pc = self.fragments.iter().filter(ready).map(|f| f.pc).min()?;
        let mut lanes = 0;
        self.fragments.retain(|f| {
            let taken = f.pc == pc && f.state == State::Ready;
            lanes |= if taken { f.lanes } else { 0 };
            !taken
        });
        Some(Fragment { pc, lanes, state: State::Ready })
    }

    /// Takes out a ready fragment whose turn it is whatever is behind it.
    pub(super) fn rotate(&mut self) -> Option<Fragment> {
        let ready: Vec<usize> =
            (0..self.fragments.len()).filter(|&i| self.fragments[i].state == State::Ready).collect();
        self.rotation += 1;
        let index = *ready.get(self.rotation % ready.len().max(1))?;
        Some(self.fragments.remove(index))
    }

    /// Where the next ready fragment is: who runs there must stop to be joined.
    pub(super) fn next_ready(&self) -> u32 {
        self.fragments.iter().filter(|f| f.state == State::Ready).map(|f| f.pc).min().unwrap_or(u32::MAX)
    }

    /// Makes fragments ready whose waiting is over because the lanes they waited for are there or have exited.
    pub(super) fn wake(&mut self) -> bool {
        let mut woken = false;
        for i in 0..self.fragments.len() {
            let Fragment { pc, state, .. } = self.fragments[i];
            let (members, same): (Lanes, &dyn Fn(&Fragment) -> bool) = match state {
                State::Together(members) => (members, &|f| f.state == state && f.pc == pc),
                State::WarpBarrier(members) => (members, &|f| f.state == state),
                _ => continue,
            };
            let there = self.fragments.iter().filter(|f| same(f)).fold(0, |lanes, f| lanes | f.lanes);
            if self.expected(members) & !there != 0 {
                continue;
            }
            let step = u32::from(matches!(state, State::WarpBarrier(_)));
            self.barriers += u64::from(step);
            let waiting: Vec<usize> =
                (0..self.fragments.len()).filter(|&j| same(&self.fragments[j])).collect();
            for j in waiting {
                self.fragments[j].pc += step;
                self.fragments[j].state = State::Ready;
            }
            woken = true;
        }
        woken
    }
}
