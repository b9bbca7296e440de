//! What the lanes of a warp do together.

use super::warp::{State, Warp};
use super::{Block, Outcome, stop};
use crate::column::{Column, Lanes, WARP, lanes};
use crate::fault::FaultKind;
use crate::program::{Multiply, Op, Shuffle, ShuffleMode, Vote};

impl Block<'_> {
    /// Executes an instruction of many threads, or says what the fragment has to wait for.
    pub(super) fn together(&mut self, warp: &mut Warp, op: &Op, active: Lanes) -> Outcome<Option<State>> {
        let register = match op {
            Op::Barrier(barrier) => return self.arrive(warp, barrier, active),
            Op::WarpBarrier { members } | Op::Vote { members, .. } | Op::Match { members, .. } => *members,
            Op::Reduce { members, .. } => *members,
            Op::Shuffle(shuffle) => shuffle.members,
            Op::Multiply(multiply) => return multiply_together(warp, multiply, active),
            _ => return Ok(None),
        };
        let column = warp.column(register);
        let members = column[active.trailing_zeros() as usize & 31] as Lanes;
        for lane in lanes(active) {
            let named = column[lane] as Lanes;
            if named >> lane & 1 == 0 {
                return stop(
                    FaultKind::Undefined,
                    lane,
                    format!("is not among the lanes {named:#010x} that it names"),
                );
            }
            if named != members {
                let what = format!("names the lanes {named:#010x}, others at its side name {members:#010x}");
                return stop(FaultKind::Undefined, lane, what);
            }
        }
        let barrier = matches!(op, Op::WarpBarrier { .. });
        if warp.expected(members) & !active != 0 {
            return Ok(Some(if barrier { State::WarpBarrier(members) } else { State::Together(members) }));
        }
        match op {
            Op::WarpBarrier { .. } => warp.barriers += 1,
            Op::Shuffle(shuffle) => warp.shuffle(shuffle, active)?,
            Op::Vote { vote, d, p, a, .. } => {
                let (yes, all) = (warp.holds(*a) & active, active);
                match vote {
                    Vote::Ballot => warp.write(*d, &[u64::from(yes); WARP], active),
                    Vote::All => warp.set(*p, everywhere(yes == all), active),
                    Vote::Any => warp.set(*p, everywhere(yes != 0), active),
                    Vote::Uni => warp.set(*p, everywhere(yes == all || yes == 0), active),
                }
            }
            Op::Match { all, wide, d, p, a, .. } => {
                let a = warp.column(*a).map(|v| if *wide { v } else { v & 0xffff_ffff });
                let equal =
                    |value: u64| lanes(active).filter(|&l| a[l] == value).fold(0u32, |m, l| m | 1 << l);
                let mut value: Column = std::array::from_fn(|lane| u64::from(equal(a[lane])));
                if *all {
                    let same = equal(a[active.trailing_zeros() as usize & 31]) == active;
                    value = [if same { u64::from(active) } else { 0 }; WARP];
                    if let Some(p) = p {
                        warp.set(*p, everywhere(same), active);
                    }
                }
                warp.write(*d, &value, active);
            }
            Op::Reduce { f, d, a, .. } => {
                let a = *warp.column(*a);
                let all = lanes(active).map(|lane| a[lane]).reduce(|x, y| f(&[x; WARP], &[y; WARP])[0]);
                warp.write(*d, &[all.unwrap_or(0); WARP], active);
            }
            _ => {}
        }
        Ok(None)
    }
}

/// A product of matrices, which takes all 32 lanes.
fn multiply_together(warp: &mut Warp, multiply: &Multiply, active: Lanes) -> Outcome<Option<State>> {
    if warp.expected(Lanes::MAX) & !active != 0 {
        return Ok(Some(State::Together(Lanes::MAX)));
    }
    if active != Lanes::MAX {
        let lane = (!active).trailing_zeros() as usize;
        let what = format!("has exited or does not exist, but a product of matrices takes all {WARP} lanes");
        return stop(FaultKind::Undefined, lane, what);
    }
    warp.multiply(multiply);
    Ok(None)
}

fn everywhere(holds: bool) -> Lanes {
    if holds { Lanes::MAX } else { 0 }
}

impl Warp {
    /// `shfl.sync`: segments of lanes by the mask in the upper half of `c`, clamped by its lower half.
    fn shuffle(&mut self, shuffle: &Shuffle, active: Lanes) -> Outcome {
        let (a, b, c) = (*self.column(shuffle.a), *self.column(shuffle.b), *self.column(shuffle.c));
        let mut value = a;
        let mut in_range: Lanes = 0;
        for lane in lanes(active) {
            let (distance, segment, clamp) =
                ((b[lane] & 31) as usize, (c[lane] >> 8 & 31) as usize, (c[lane] & 31) as usize);
            let last = lane & segment | clamp & !segment;
            let source = match shuffle.mode {
                ShuffleMode::Up => lane.checked_sub(distance).filter(|&source| source >= last),
                ShuffleMode::Down => Some(lane + distance).filter(|&source| source <= last),
                ShuffleMode::Bfly => Some(lane ^ distance).filter(|&source| source <= last),
                ShuffleMode::Idx => {
                    Some(lane & segment | distance & !segment).filter(|&source| source <= last)
                }
            };
            // Out of range, a lane gets its own value.
            let Some(source) = source else { continue };
            in_range |= 1 << lane;
            if active >> source & 1 == 0 {
                let what = format!(
                    "shuffles from lane {source}, which does not take part (lanes {active:#010x} do)"
                );
                return stop(FaultKind::Undefined, lane, what);
            }
            value[lane] = a[source];
        }
        self.write(shuffle.d, &value, active);
        if let Some(p) = shuffle.p {
            self.set(p, in_range, active);
        }
        Ok(())
    }
}
