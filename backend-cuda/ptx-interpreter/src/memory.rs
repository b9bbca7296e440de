//! Device memory. Every byte knows whether it was written, every word who touched it last.
//!
//! An address is an allocation's number in its upper bits and an offset in its lower ones. Numbers are not used
//! again, so a stale pointer is told from a live one, and a wild one from its neighbour, with no search.

mod race;
mod region;
mod tally;

pub use race::{Access, Clock, Conflict, Toucher};
pub use region::{Region, Violation};
pub use tally::Traffic;

use std::collections::BTreeMap;

/// Bits of an address that are the offset in an allocation.
const OFFSET_BITS: u32 = 36;
/// Allocations begin here; the windows of the other state spaces lie below.
const FIRST: u64 = 16;

/// Where a generic address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Offset in the block's shared memory.
    Shared(u64),
    /// Offset in the thread's local memory.
    Local(u64),
    /// Offset in the kernel's parameters.
    Param(u64),
    /// Global memory, or nowhere.
    Global,
}

/// Generic address of offset zero of shared memory.
pub const SHARED_WINDOW: u64 = 1 << OFFSET_BITS;
/// Generic address of offset zero of local memory.
pub const LOCAL_WINDOW: u64 = 2 << OFFSET_BITS;
/// Generic address of offset zero of the kernel's parameters.
pub const PARAM_WINDOW: u64 = 3 << OFFSET_BITS;

/// Tells the windows apart. A step before a window is a step out of it.
pub fn place(address: u64) -> Place {
    // Half a window each way, so that small negative offsets stay with their variable.
    let half = 1 << (OFFSET_BITS - 1);
    match address.wrapping_add(half) >> OFFSET_BITS {
        1 => Place::Shared(address.wrapping_sub(SHARED_WINDOW)),
        2 => Place::Local(address.wrapping_sub(LOCAL_WINDOW)),
        3 => Place::Param(address.wrapping_sub(PARAM_WINDOW)),
        _ => Place::Global,
    }
}

/// All global memory.
#[derive(Debug)]
pub struct Heap {
    slots: Vec<Slot>,
    used: usize,
    capacity: usize,
    /// Whether there is nothing behind its addresses.
    hollow: bool,
    /// The number of the first allocation.
    first: u64,
}

#[derive(Debug)]
enum Slot {
    Live(Region),
    Freed(usize),
}

impl Heap {
    /// A heap that gives out at most `capacity` bytes at a time.
    pub fn new(capacity: usize) -> Self {
        Self { slots: Vec::new(), used: 0, capacity, hollow: false, first: FIRST }
    }

    /// A heap whose memory has addresses and sizes and holds nothing: for launches that nobody runs.
    pub fn hollow(capacity: usize) -> Self {
        Self { hollow: true, ..Self::new(capacity) }
    }

    /// Has allocations, of which there are none yet, begin with another number: the addresses of two heaps are apart then.
    pub fn begin_at(&mut self, number: u64) {
        self.first = FIRST + number;
    }

    /// What was touched since this was last asked, where launches were told to note it.
    pub fn take_traffic(&mut self) -> Traffic {
        let regions = self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Live(region) => Some(region.take_traffic()),
            Slot::Freed(_) => None,
        });
        regions.fold(Traffic::default(), |all, of_region| all + of_region)
    }

    /// Bytes free and in all.
    pub fn usage(&self) -> (usize, usize) {
        (self.capacity - self.used, self.capacity)
    }

    /// New memory, poisoned, aligned to 256 bytes; `None` if too little is free.
    pub fn allocate(&mut self, size: usize) -> Option<u64> {
        if size > self.capacity - self.used || size as u64 >= 1 << (OFFSET_BITS - 1) {
            return None;
        }
        self.used += size;
        let region = if self.hollow { Region::hollow(size) } else { Region::new(size) };
        self.slots.push(Slot::Live(region));
        Some((self.first + self.slots.len() as u64 - 1) << OFFSET_BITS)
    }

    /// Gives memory back; `false` if `address` is not the start of a live allocation.
    pub fn free(&mut self, address: u64) -> bool {
        let Some(slot) = self.index(address).and_then(|i| self.slots.get_mut(i)) else { return false };
        let Slot::Live(region) = slot else { return false };
        if address & ((1 << OFFSET_BITS) - 1) != 0 {
            return false;
        }
        let size = region.len();
        self.used -= size;
        *slot = Slot::Freed(size);
        true
    }

    fn index(&self, address: u64) -> Option<usize> {
        (address >> OFFSET_BITS).checked_sub(self.first).map(|i| i as usize)
    }

    /// The live allocation that an address is in, and the offset there.
    #[inline]
    pub fn find(&mut self, address: u64) -> Option<(&mut Region, u64)> {
        let index = (address >> OFFSET_BITS).wrapping_sub(self.first) as usize;
        match self.slots.get_mut(index) {
            Some(Slot::Live(region)) => Some((region, address & ((1 << OFFSET_BITS) - 1))),
            _ => None,
        }
    }

    /// A live allocation's start and size.
    pub fn range(&mut self, address: u64) -> Option<(u64, usize)> {
        let start = address >> OFFSET_BITS << OFFSET_BITS;
        self.find(address).map(|(region, _)| (start, region.len()))
    }

    /// Says what lies at an address that cannot be used for `bytes` bytes.
    pub fn describe(&self, address: u64, bytes: usize) -> String {
        // A step before an allocation has the number of the one before it and a huge offset.
        let near = address.wrapping_add(1 << (OFFSET_BITS - 1));
        let number = (near >> OFFSET_BITS).wrapping_sub(self.first);
        let offset = address.wrapping_sub((number.wrapping_add(self.first)) << OFFSET_BITS) as i64;
        match self.slots.get(number as usize) {
            Some(Slot::Live(region)) if offset < 0 => {
                format!("{} bytes before allocation {number} of {} bytes", -offset, region.len())
            }
            Some(Slot::Live(region)) => {
                format!("offset {offset} and {bytes} bytes in allocation {number} of {} bytes", region.len())
            }
            Some(Slot::Freed(size)) => {
                format!("offset {offset} in allocation {number} of {size} bytes, which was freed")
            }
            None if address < 1 << OFFSET_BITS => {
                format!("address {address:#x}, in no allocation (a null pointer?)")
            }
            None => format!("address {address:#x}, in no allocation"),
        }
    }

    /// Live allocations by start address, with their sizes.
    pub fn live(&self) -> BTreeMap<u64, usize> {
        let sizes = self.slots.iter().enumerate().filter_map(|(i, slot)| match slot {
            Slot::Live(region) => Some(((self.first + i as u64) << OFFSET_BITS, region.len())),
            Slot::Freed(_) => None,
        });
        sizes.collect()
    }
}
