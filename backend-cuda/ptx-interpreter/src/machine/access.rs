//! Loads, stores and atomics, with their checks.

use super::warp::Warp;
use super::{Block, Checks, Outcome, Stop, stop};
use crate::ast::Space;
use crate::column::{Lanes, WARP, lanes};
use crate::fault::FaultKind;
use crate::memory::{Access, Place, Region, Toucher, Violation, place};
use crate::program::{Atomic, Transfer};

/// Where an address leads once it is known to be in order.
enum Target<'a> {
    /// Shared or global memory, and the offset there.
    Region(&'a mut Region, usize),
    /// Offset in the warp's local memory.
    Local(usize),
    /// Offset in the parameters.
    Param(usize),
}

impl Block<'_> {
    #[inline]
    pub(super) fn load(&mut self, warp: &mut Warp, transfer: &Transfer, on: Lanes) -> Outcome {
        // Compiled for the usual sizes, of which everything that is checked depends.
        match (transfer.space, transfer.bytes, transfer.count) {
            (Space::Param, _, _) => self.load_parameter(warp, transfer, on),
            (_, 4, 1) => self.load_sized(warp, transfer, on, 4, 1),
            (_, 2, 1) => self.load_sized(warp, transfer, on, 2, 1),
            (_, 4, 4) => self.load_sized(warp, transfer, on, 4, 4),
            (_, bytes, count) => self.load_sized(warp, transfer, on, bytes.into(), count.into()),
        }
    }

    #[inline(always)]
    fn load_sized(
        &mut self,
        warp: &mut Warp,
        transfer: &Transfer,
        on: Lanes,
        bytes: usize,
        count: usize,
    ) -> Outcome {
        let kind = if transfer.strong { Access::Atomic } else { Access::Read };
        for lane in lanes(on) {
            let address = warp.column(transfer.base)[lane].wrapping_add_signed(transfer.offset);
            let mut values = [0; 4];
            let values = &mut values[..count];
            match self.target(warp, transfer.space, address, bytes * count, lane, kind)? {
                Target::Region(region, at) => {
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = region.load(at + i * bytes, bytes);
                    }
                }
                Target::Local(at) => {
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = little_endian(&warp.local[at + i * bytes..][..bytes]);
                    }
                }
                Target::Param(at) => {
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = little_endian(&self.launch.parameters[at + i * bytes..][..bytes]);
                    }
                }
            }
            for (register, value) in transfer.values.iter().zip(values) {
                let value = if transfer.signed { sign_extend(*value, transfer) } else { *value };
                warp.registers[usize::from(*register)][lane] = value;
            }
        }
        Ok(())
    }

    /// A parameter is the same for all lanes, so that it is read once, wherever they agree on its address.
    fn load_parameter(&mut self, warp: &mut Warp, transfer: &Transfer, on: Lanes) -> Outcome {
        let (bytes, count) = (usize::from(transfer.bytes), usize::from(transfer.count));
        let bases = warp.column(transfer.base);
        let first = on.trailing_zeros() as usize;
        if lanes(on).any(|lane| bases[lane] != bases[first]) {
            return self.load_sized(warp, transfer, on, bytes, count);
        }
        let offset = bases[first].wrapping_add_signed(transfer.offset);
        if let Target::Param(at) = self.parameter(offset, bytes * count, first)? {
            for (i, register) in transfer.values[..count].iter().enumerate() {
                let value = little_endian(&self.launch.parameters[at + i * bytes..][..bytes]);
                let value = if transfer.signed { sign_extend(value, transfer) } else { value };
                warp.write(*register, &[value; WARP], on);
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn store(&mut self, warp: &mut Warp, transfer: &Transfer, on: Lanes) -> Outcome {
        match (transfer.bytes, transfer.count) {
            (4, 1) => self.store_sized(warp, transfer, on, 4, 1),
            (bytes, count) => self.store_sized(warp, transfer, on, bytes.into(), count.into()),
        }
    }

    #[inline(always)]
    fn store_sized(
        &mut self,
        warp: &mut Warp,
        transfer: &Transfer,
        on: Lanes,
        bytes: usize,
        count: usize,
    ) -> Outcome {
        let kind = if transfer.strong { Access::Atomic } else { Access::Write };
        for lane in lanes(on) {
            let address = warp.column(transfer.base)[lane].wrapping_add_signed(transfer.offset);
            let values = transfer.values.map(|register| warp.column(register)[lane]);
            match self.target(warp, transfer.space, address, bytes * count, lane, kind)? {
                Target::Region(region, at) => {
                    for (i, value) in values[..count].iter().enumerate() {
                        region.store(at + i * bytes, bytes, *value);
                    }
                    region.define(at, bytes * count);
                }
                Target::Local(at) => {
                    for (i, value) in values[..count].iter().enumerate() {
                        let value = value.to_le_bytes();
                        warp.local[at + i * bytes..][..bytes].copy_from_slice(&value[..bytes]);
                    }
                }
                Target::Param(_) => {
                    return stop(FaultKind::OutOfBounds, lane, "stores to a kernel's parameter");
                }
            }
        }
        Ok(())
    }

    pub(super) fn atomic(&mut self, warp: &mut Warp, atomic: &Atomic, on: Lanes) -> Outcome {
        let bytes = usize::from(atomic.bytes);
        for lane in lanes(on) {
            let address = warp.column(atomic.base)[lane].wrapping_add_signed(atomic.offset);
            let (b, c) = (*warp.column(atomic.b), *warp.column(atomic.c));
            let Target::Region(region, at) =
                self.target(warp, atomic.space, address, bytes, lane, Access::Atomic)?
            else {
                return stop(FaultKind::Undefined, lane, "atomic on memory that no other thread can see");
            };
            if !region.is_defined(at, bytes) {
                let what = format!("atomic reads {bytes} bytes at {address:#x} that nobody wrote");
                return stop(FaultKind::Uninitialised, lane, what);
            }
            let old = region.load(at, bytes);
            region.store(at, bytes, (atomic.f)(&[old; 32], &b, &c)[lane]);
            if let Some(d) = atomic.d {
                warp.registers[usize::from(d)][lane] = old;
            }
        }
        Ok(())
    }

    /// Checks an access of `bytes` bytes and notes it.
    #[inline(always)]
    fn target(
        &mut self,
        warp: &Warp,
        space: Space,
        address: u64,
        bytes: usize,
        lane: usize,
        access: Access,
    ) -> Outcome<Target<'_>> {
        let (shared, offset) = match space {
            Space::Global | Space::Const => (false, address),
            Space::Shared => (true, address),
            Space::Local => return local(self.kernel.local, address, bytes, lane),
            Space::Param => return self.parameter(address, bytes, lane),
            Space::Generic => match place(address) {
                Place::Global => (false, address),
                Place::Shared(offset) => (true, offset),
                Place::Local(offset) => return local(self.kernel.local, offset, bytes, lane),
                Place::Param(offset) => return self.parameter(offset, bytes, lane),
            },
        };
        let who = self.clock.thread(warp.number * 32 + lane as u32, warp.barriers);
        let checks = self.checks;
        if shared {
            return match check(
                &mut self.shared,
                offset,
                bytes,
                who,
                access,
                Checks { traffic: false, ..checks },
            ) {
                Ok(at) => Ok(Target::Region(&mut self.shared, at)),
                Err(violation) => {
                    let size = self.shared.len();
                    let place = format!("offset {} of {size} bytes of shared memory", offset as i64);
                    Err(refuse(violation, bytes, access, lane, &place))
                }
            };
        }
        // Looked up twice because a borrow that is returned on one path counts on all of them.
        let found = match self.heap.find(offset) {
            Some((region, inside)) => check(region, inside, bytes, who, access, checks).map(drop),
            None => Err(Violation::OutOfBounds),
        };
        if let Err(violation) = found {
            return Err(refuse(violation, bytes, access, lane, &self.heap.describe(address, bytes)));
        }
        match self.heap.find(offset) {
            Some((region, inside)) => Ok(Target::Region(region, inside as usize)),
            None => stop(FaultKind::OutOfBounds, lane, "global memory that is not there"),
        }
    }

    fn parameter<'b>(&self, offset: u64, bytes: usize, lane: usize) -> Outcome<Target<'b>> {
        let given = self.launch.parameters.len() as u64;
        if offset.checked_add(bytes as u64).is_none_or(|end| end > self.kernel.parameter_bytes() as u64) {
            let what =
                format!("{bytes} bytes at offset {offset} of the kernel's parameters, beyond their end");
            return stop(FaultKind::OutOfBounds, lane, what);
        }
        if offset + bytes as u64 > given {
            let what = format!(
                "{bytes} bytes at offset {offset} of the parameters, the launch gave only {given} bytes"
            );
            return stop(FaultKind::MissingParameter, lane, what);
        }
        Ok(Target::Param(offset as usize))
    }
}

/// The offset of an access that is in order, which is noted. A part of where it is called, for the size that is known there.
#[inline(always)]
fn check(
    region: &mut Region,
    offset: u64,
    bytes: usize,
    who: Toucher,
    access: Access,
    checks: Checks,
) -> Result<usize, Violation> {
    let at = region.check(offset, bytes)?;
    if access == Access::Read && checks.uninitialised && !region.is_defined(at, bytes) {
        return Err(Violation::Uninitialised);
    }
    if checks.races {
        region.touch(at, bytes, who, access)?;
    }
    if checks.traffic {
        region.count(at, bytes, access);
    }
    Ok(at)
}

fn local<'a>(size: usize, offset: u64, bytes: usize, lane: usize) -> Outcome<Target<'a>> {
    let what = || format!("{bytes} bytes at offset {} of {size} bytes of local memory", offset as i64);
    if offset.checked_add(bytes as u64).is_none_or(|end| end > size as u64) {
        return stop(FaultKind::OutOfBounds, lane, what());
    }
    if !offset.is_multiple_of(bytes as u64) {
        return stop(FaultKind::Misaligned, lane, what());
    }
    Ok(Target::Local(lane * size + offset as usize))
}

#[cold]
fn refuse(violation: Violation, bytes: usize, access: Access, lane: usize, place: &str) -> Box<Stop> {
    let does = match access {
        Access::Read => "reads",
        Access::Write => "writes",
        Access::Atomic => "accesses",
    };
    let (kind, detail) = match violation {
        Violation::OutOfBounds => (FaultKind::OutOfBounds, format!("{does} {bytes} bytes: {place}")),
        Violation::Misaligned => {
            (FaultKind::Misaligned, format!("{does} {bytes} bytes, not aligned to them: {place}"))
        }
        Violation::Uninitialised => {
            (FaultKind::Uninitialised, format!("{does} {bytes} bytes that nobody wrote: {place}"))
        }
        Violation::Race(conflict) => {
            let other = match conflict.thread {
                Some(thread) => format!("thread {thread} of the block (counted linearly)"),
                None => "several other threads of the block".to_owned(),
            };
            let did = match conflict.earlier {
                Access::Read => "read",
                Access::Write => "wrote",
                Access::Atomic => "used an atomic on",
            };
            (
                FaultKind::Race,
                format!("{does} {bytes} bytes that {other} {did} with no barrier between: {place}"),
            )
        }
    };
    Box::new(Stop { kind, lane, detail })
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |out, &byte| out << 8 | u64::from(byte))
}

/// Extends the sign over the register that receives the value.
fn sign_extend(value: u64, transfer: &Transfer) -> u64 {
    let unused = 64 - 8 * u32::from(transfer.bytes);
    ((value << unused) as i64 >> unused) as u64 & (u64::MAX >> (64 - u32::from(transfer.width)))
}
