//! Barriers of a block.

use super::warp::{State, Warp};
use super::{Block, Located, Outcome, Stop, stop};
use crate::column::{Column, Lanes, WARP, lanes};
use crate::fault::FaultKind;
use crate::program::{Barrier, Op, Reduction};

impl Block<'_> {
    /// Lanes reach a barrier; what they wait for, or nothing if they only announce it.
    pub(super) fn arrive(
        &mut self,
        warp: &mut Warp,
        barrier: &Barrier,
        active: Lanes,
    ) -> Outcome<Option<State>> {
        let first = active.trailing_zeros() as usize & 31;
        let same = |register| {
            let column = warp.column(register);
            lanes(active).find(|&lane| column[lane] != column[first]).map_or(Ok(column[first] as u32), Err)
        };
        let (id, threads) = match (same(barrier.id), barrier.threads.map(same).transpose()) {
            (Ok(id @ 0..=15), Ok(threads)) => (id, threads),
            (Ok(id), _) => {
                return stop(FaultKind::Undefined, first, format!("barrier {id}: there are 0 to 15"));
            }
            (Err(lane), _) => {
                return stop(FaultKind::Undefined, lane, "lanes of one warp name different barriers");
            }
        };
        if barrier.arrive {
            self.arrivals[id as usize] += active.count_ones();
            return Ok(None);
        }
        Ok(Some(State::BlockBarrier(id, threads)))
    }

    /// Opens the barriers at which all threads have arrived. Called when no warp can go on.
    pub(super) fn release(&mut self, warps: &mut [Warp]) -> Result<(), Located> {
        let mut opened = false;
        for id in 0..16 {
            let waiting: Vec<(u32, u32, Lanes, Option<u32>)> = at_barrier(warps, id).collect();
            let Some(&(_, pc, _, threads)) = waiting.first() else { continue };
            let arrived = waiting.iter().map(|w| w.2.count_ones()).sum::<u32>() + self.arrivals[id as usize];
            let expected = threads.unwrap_or_else(|| super::threads(self.launch.block));
            if arrived < expected {
                continue;
            }
            if let Some(&(warp, other, active, _)) = waiting.iter().find(|w| w.1 != pc) {
                let line = |pc: u32| self.kernel.code[pc as usize].line;
                let detail =
                    format!("waits at line {}, other threads of the block at line {}", line(other), line(pc));
                return Err(divergent(warp, other, active, detail));
            }
            self.arrivals[id as usize] = 0;
            self.open(warps, id, pc);
            opened = true;
        }
        if opened { Ok(()) } else { Err(self.stuck(warps)) }
    }

    fn open(&mut self, warps: &mut [Warp], id: u32, pc: u32) {
        self.clock.tick();
        if let Op::Barrier(Barrier { reduce: Some((reduction, condition)), .. }) =
            self.kernel.code[pc as usize].op
        {
            let states: Vec<(u32, u32, Lanes, Option<u32>)> = at_barrier(warps, id).collect();
            let holds = |w: &(u32, u32, Lanes, Option<u32>)| warps[w.0 as usize].holds(condition) & w.2;
            let count: u32 = states.iter().map(|w| holds(w).count_ones()).sum();
            let all = states.iter().all(|w| holds(w) == w.2);
            for (warp, _, active, _) in states {
                let warp = &mut warps[warp as usize];
                let column: Column = [u64::from(count); WARP];
                match reduction {
                    Reduction::Popc(d) => warp.write(d, &column, active),
                    Reduction::And(p) => warp.set(p, if all { Lanes::MAX } else { 0 }, active),
                    Reduction::Or(p) => warp.set(p, if count > 0 { Lanes::MAX } else { 0 }, active),
                }
            }
        }
        for fragment in warps.iter_mut().flat_map(|warp| &mut warp.fragments) {
            if matches!(fragment.state, State::BlockBarrier(at, _) if at == id) {
                fragment.state = State::Ready;
                fragment.pc += 1;
            }
        }
    }

    /// Nobody can go on: says who waits for whom.
    fn stuck(&self, warps: &[Warp]) -> Located {
        let line = |pc: u32| self.kernel.code[pc as usize].line;
        let exited: u32 = warps.iter().map(|warp| warp.exited.count_ones()).sum();
        let fragments =
            || warps.iter().flat_map(|warp| warp.fragments.iter().map(move |f| (warp.number, *f)));
        let mut lines: Vec<u32> = fragments().map(|(_, f)| line(f.pc)).collect();
        lines.sort_unstable();
        lines.dedup();
        let within_warp =
            fragments().find(|(_, f)| matches!(f.state, State::Together(_) | State::WarpBarrier(_)));
        let Some((warp, fragment)) = within_warp.or_else(|| fragments().next()) else {
            return divergent(0, 0, 1, "no thread is left, and yet the block has not ended".to_owned());
        };
        let detail = match fragment.state {
            State::Together(members) | State::WarpBarrier(members) => format!(
                "lanes {:#010x} wait for lanes {:#010x}, which do not come; threads of the block wait at lines {lines:?}",
                fragment.lanes,
                warps[warp as usize].expected(members) & !fragment.lanes
            ),
            _ => format!(
                "threads wait at lines {lines:?} for others that do not come; {exited} threads have exited"
            ),
        };
        divergent(warp, fragment.pc, fragment.lanes, detail)
    }
}

/// The fragments that wait at barrier `id`: warp, position, lanes and the number of threads that they wait for.
fn at_barrier(warps: &[Warp], id: u32) -> impl Iterator<Item = (u32, u32, Lanes, Option<u32>)> {
    warps.iter().flat_map(move |warp| {
        warp.fragments.iter().filter_map(move |f| match f.state {
            State::BlockBarrier(at, threads) if at == id => Some((warp.number, f.pc, f.lanes, threads)),
            _ => None,
        })
    })
}

fn divergent(warp: u32, pc: u32, active: Lanes, detail: String) -> Located {
    let lane = active.trailing_zeros() as usize & 31;
    Located { stop: Box::new(Stop { kind: FaultKind::Divergence, lane, detail }), warp, pc }
}
