//! The inner loop.

use super::warp::{Fragment, State, Warp};
use super::{Block, Outcome, stop};
use crate::alu;
use crate::column::{Column, Lanes, lanes};
use crate::fault::FaultKind;
use crate::program::{Condition, Op, Register};

/// Warp instructions that a fragment executes before others have their turn: who spins on what another thread will
/// write must not keep it from writing.
const TURN: u32 = 1 << 14;

impl Warp {
    #[inline(always)]
    pub(super) fn column(&self, register: Register) -> &Column {
        &self.registers[usize::from(register)]
    }

    /// Writes the active lanes of a column.
    #[inline(always)]
    pub(super) fn write(&mut self, register: Register, value: &Column, active: Lanes) {
        let column = &mut self.registers[usize::from(register)];
        if active == Lanes::MAX {
            *column = *value;
        } else {
            for (lane, (to, from)) in column.iter_mut().zip(value).enumerate() {
                *to = if active >> lane & 1 == 1 { *from } else { *to };
            }
        }
    }

    #[inline(always)]
    pub(super) fn holds(&self, condition: Condition) -> Lanes {
        let value = self.predicates[usize::from(condition.predicate)];
        if condition.negated { !value } else { value }
    }

    #[inline(always)]
    pub(super) fn set(&mut self, predicate: u16, value: Lanes, active: Lanes) {
        let old = &mut self.predicates[usize::from(predicate)];
        *old = *old & !active | value & active;
    }
}

impl Block<'_> {
    /// Runs a warp until all its fragments wait, or its turn is over.
    pub(super) fn turn(&mut self, warp: &mut Warp) -> Outcome {
        let mut budget = TURN;
        loop {
            let Some(fragment) = warp.pick() else {
                if warp.wake() {
                    continue;
                }
                return Ok(());
            };
            let meeting = warp.next_ready();
            self.fragment(warp, fragment, meeting, &mut budget)?;
            if budget == 0 {
                // It may spin on what others, further on, have to write.
                let mut budget = TURN;
                return match warp.rotate() {
                    Some(fragment) => self.fragment(warp, fragment, u32::MAX, &mut budget),
                    None => Ok(()),
                };
            }
        }
    }

    /// Runs a fragment until it waits, exits, reaches `meeting` (where another one is) or has used up the budget.
    fn fragment(
        &mut self,
        warp: &mut Warp,
        fragment: Fragment,
        mut meeting: u32,
        budget: &mut u32,
    ) -> Outcome {
        let Fragment { mut pc, lanes: mut active, .. } = fragment;
        let kernel = self.kernel;
        let mut remaining = *budget;
        let park = |warp: &mut Warp, pc, lanes, state| warp.fragments.push(Fragment { pc, lanes, state });
        loop {
            if pc >= meeting || remaining == 0 {
                *budget = remaining;
                park(warp, pc, active, State::Ready);
                return self.within_limit();
            }
            remaining -= 1;
            self.instructions += u64::from(active.count_ones());
            let instruction = &kernel.code[pc as usize];
            warp.pc = pc;
            let on = match instruction.guard {
                Some(condition) => active & warp.holds(condition),
                None => active,
            };
            match &instruction.op {
                Op::Branch { target } => {
                    if on == active {
                        pc = *target;
                    } else {
                        if on != 0 {
                            park(warp, *target, on, State::Ready);
                            active &= !on;
                            meeting = meeting.min(*target);
                        }
                        pc += 1;
                    }
                    continue;
                }
                Op::Exit => {
                    warp.exited |= on;
                    active &= !on;
                    if active == 0 {
                        *budget = remaining;
                        return self.within_limit();
                    }
                    pc += 1;
                    continue;
                }
                _ if on == 0 => {}
                Op::BranchTable { index, targets } => {
                    for lane in lanes(on) {
                        let index = warp.column(*index)[lane] as u32;
                        let Some(&target) = targets.get(index as usize) else {
                            let what = format!(
                                "brx.idx with index {index}, the table has {} entries",
                                targets.len()
                            );
                            return stop(FaultKind::Undefined, lane, what);
                        };
                        park(warp, target, 1 << lane, State::Ready);
                    }
                    active &= !on;
                    meeting = warp.next_ready();
                    pc += 1;
                    if active == 0 {
                        *budget = remaining;
                        return Ok(());
                    }
                    continue;
                }
                op @ (Op::Barrier(_)
                | Op::WarpBarrier { .. }
                | Op::Shuffle(_)
                | Op::Multiply(_)
                | Op::Vote { .. }
                | Op::Match { .. }
                | Op::Reduce { .. }) => {
                    if on != active {
                        // Lanes that the guard keeps out go on by themselves.
                        park(warp, pc + 1, active & !on, State::Ready);
                        active = on;
                        meeting = meeting.min(pc + 1);
                    }
                    if let Some(state) = self.together(warp, op, active)? {
                        park(warp, pc, active, state);
                        warp.wake();
                        *budget = remaining;
                        return self.within_limit();
                    }
                }
                op => self.execute(warp, op, on)?,
            }
            pc += 1;
        }
    }

    fn within_limit(&self) -> Outcome {
        if self.instructions > self.checks.limit {
            let what = format!("more than {} instructions; does a loop end?", self.checks.limit);
            return stop(FaultKind::Limit, 0, what);
        }
        Ok(())
    }

    /// An instruction that concerns each lane by itself.
    #[inline(always)]
    fn execute(&mut self, warp: &mut Warp, op: &Op, on: Lanes) -> Outcome {
        match op {
            Op::Move { d, a } => {
                let value = *warp.column(*a);
                warp.write(*d, &value, on);
            }
            Op::Unary { f, d, a } => {
                let value = f(warp.column(*a));
                warp.write(*d, &value, on);
            }
            Op::Binary { f, d, a, b } => {
                let value = f(warp.column(*a), warp.column(*b));
                warp.write(*d, &value, on);
            }
            Op::Ternary { f, d, a, b, c } => {
                let value = f(warp.column(*a), warp.column(*b), warp.column(*c));
                warp.write(*d, &value, on);
            }
            Op::Load(transfer) => self.load(warp, transfer, on)?,
            Op::Store(transfer) => self.store(warp, transfer, on)?,
            Op::Compare { f, a, b, with, p, q } => {
                let holds = f(warp.column(*a), warp.column(*b));
                let combine = |holds: Lanes| match with {
                    Some((logic, condition)) => logic.apply(holds, warp.holds(*condition)),
                    None => holds,
                };
                let (yes, no) = (combine(holds), combine(!holds));
                warp.set(*p, yes, on);
                if let Some(q) = q {
                    warp.set(*q, no, on);
                }
            }
            Op::Select { d, a, b, p } => {
                let holds = warp.holds(*p);
                let (a, b) = (warp.column(*a), warp.column(*b));
                let value =
                    std::array::from_fn(|lane| if holds >> lane & 1 == 1 { a[lane] } else { b[lane] });
                warp.write(*d, &value, on);
            }
            Op::Logic { logic, d, a, b } => {
                let value = logic.apply(warp.holds(*a), warp.holds(*b));
                warp.set(*d, value, on);
            }
            _ => self.execute_rare(warp, op, on)?,
        }
        Ok(())
    }

    #[inline(never)]
    fn execute_rare(&mut self, warp: &mut Warp, op: &Op, on: Lanes) -> Outcome {
        let value: Column = match op {
            Op::Set { f, yes, d, a, b } => {
                let holds = f(warp.column(*a), warp.column(*b));
                let value = std::array::from_fn(|lane| if holds >> lane & 1 == 1 { *yes } else { 0 });
                warp.write(*d, &value, on);
                return Ok(());
            }
            Op::Convert { conversion, width, a, b, .. } => {
                let value = conversion.apply(warp.column(*a), warp.column(*b));
                value.map(|v| v & (u64::MAX >> (64 - u32::from(*width))))
            }
            Op::Lop3 { table, a, b, c, .. } => {
                let (a, b, c) = (warp.column(*a), warp.column(*b), warp.column(*c));
                std::array::from_fn(|i| u64::from(alu::lop3(a[i] as u32, b[i] as u32, c[i] as u32, *table)))
            }
            Op::InsertBits { width, a, b, position, length, .. } => {
                let (a, b) = (warp.column(*a), warp.column(*b));
                let (position, length) = (warp.column(*position), warp.column(*length));
                std::array::from_fn(|i| {
                    alu::bfi(a[i], b[i], u32::from(*width), position[i] as u32, length[i] as u32)
                })
            }
            Op::Carry { operation, d, a, b, c } => {
                warp.carry(*operation, [*d, *a, *b, *c], on);
                return Ok(());
            }
            Op::Pack { bits, from, .. } => std::array::from_fn(|lane| {
                let mask = u64::MAX >> (64 - u32::from(*bits));
                let parts = from.iter().enumerate();
                parts.fold(0, |out, (i, part)| {
                    out | (warp.column(*part)[lane] & mask) << (usize::from(*bits) * i)
                })
            }),
            Op::Unpack { bits, to, a } => {
                let value = *warp.column(*a);
                let mask = u64::MAX >> (64 - u32::from(*bits));
                for (i, part) in to.iter().enumerate() {
                    if let Some(part) = part {
                        warp.write(*part, &value.map(|v| v >> (usize::from(*bits) * i) & mask), on);
                    }
                }
                return Ok(());
            }
            Op::Atomic(atomic) => return self.atomic(warp, atomic, on),
            Op::ActiveMask { .. } => [u64::from(on); 32],
            Op::Clock { .. } => [self.instructions; 32],
            Op::Trap => {
                return stop(FaultKind::Trap, on.trailing_zeros() as usize, "the kernel executed trap");
            }
            _ => return Ok(()),
        };
        if let Op::Convert { d, .. }
        | Op::Lop3 { d, .. }
        | Op::InsertBits { d, .. }
        | Op::Pack { d, .. }
        | Op::ActiveMask { d }
        | Op::Clock { d } = op
        {
            warp.write(*d, &value, on);
        }
        Ok(())
    }
}
