//! Data races within a block: two threads, the same bytes, at least one write, no barrier between.
//!
//! For each word there is who wrote it last, who read it last and who last used an atomic on it, each with the time.
//! Time is the number of block barriers passed so far (never the same for two blocks) and, for threads of one warp, the
//! number of warp barriers since. Two accesses at the same time by different threads have no order.

/// When and by whom, in one number: block interval, warp interval, and who (see [`Toucher::new`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stamp(u64);

const WHO_BITS: u32 = 12;
const WARP_BITS: u32 = 16;
/// Threads of a block are numbered below this; then come "several threads of warp w" and "several warps".
const SEVERAL: u64 = 1024;
const EVERYBODY: u64 = SEVERAL + 32;

impl Stamp {
    fn who(self) -> u64 {
        self.0 & ((1 << WHO_BITS) - 1)
    }
    fn interval(self) -> u64 {
        self.0 >> (WHO_BITS + WARP_BITS)
    }
    fn warp_time(self) -> u64 {
        self.0 >> WHO_BITS
    }
    fn warp(self) -> Option<u64> {
        match self.who() {
            who if who < SEVERAL => Some(who / 32),
            EVERYBODY => None,
            who => Some(who - SEVERAL),
        }
    }

    /// Whether an access with this stamp may run at the same time as `who`'s.
    #[inline]
    fn concurrent(self, now: Toucher) -> bool {
        // Most words were last touched before the latest barrier, or by the same thread.
        if self.interval() != now.0.interval() || self.who() == now.0.who() {
            return false;
        }
        self.warp() != now.0.warp() || self.warp_time() == now.0.warp_time()
    }

    /// The stamp of both accesses.
    #[inline]
    fn merged(self, now: Toucher) -> Self {
        if !self.concurrent(now) {
            // It is older and ordered before, or the thread's own.
            return now.0;
        }
        let who = match now.0.warp() {
            Some(warp) if self.warp() == Some(warp) => SEVERAL + warp,
            _ => EVERYBODY,
        };
        Self(now.0.warp_time() << WHO_BITS | who)
    }
}

/// A thread at a time.
#[derive(Debug, Clone, Copy)]
pub struct Toucher(Stamp);

/// The intervals between barriers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock(u64);

impl Clock {
    /// The next interval: after a barrier, or in another block.
    pub fn tick(&mut self) {
        self.0 += 1;
    }

    /// Thread `thread` of the block, whose warp has passed `warp_barriers` warp barriers.
    #[inline]
    pub fn thread(self, thread: u32, warp_barriers: u64) -> Toucher {
        let warp_barriers = warp_barriers & ((1 << WARP_BITS) - 1);
        Toucher(Stamp((self.0 << WARP_BITS | warp_barriers) << WHO_BITS | u64::from(thread)))
    }
}

/// What is done to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A plain load.
    Read,
    /// A plain store.
    Write,
    /// An atomic, volatile or ordered access: two of them do not race.
    Atomic,
}

/// An earlier access that races with the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// What the earlier one did.
    pub earlier: Access,
    /// What the present one does.
    pub present: Access,
    /// Who did the earlier one: a thread of the block, or `None` where several did.
    pub thread: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Word {
    read: Stamp,
    write: Stamp,
    atomic: Stamp,
}

/// The stamps of a region, made at its first access. A stamp is for four bytes until someone touches fewer.
#[derive(Debug, Default)]
pub struct Races {
    words: Vec<Word>,
    byte_wise: bool,
}

impl Races {
    /// Notes an access to bytes `at..at + bytes` of a region of `size` bytes.
    #[inline]
    pub fn touch(
        &mut self,
        size: usize,
        at: usize,
        bytes: usize,
        who: Toucher,
        access: Access,
    ) -> Result<(), Conflict> {
        if self.words.is_empty() || (bytes < 4 && !self.byte_wise) {
            self.refine(size, bytes);
        }
        let words = if self.byte_wise { at..at + bytes } else { at / 4..(at + bytes) / 4 };
        self.words[words].iter_mut().try_for_each(|word| touch(word, who, access))
    }

    #[cold]
    fn refine(&mut self, size: usize, bytes: usize) {
        self.byte_wise = bytes < 4;
        self.words = match (self.words.is_empty(), self.byte_wise) {
            (true, true) => vec![Word::default(); size],
            (true, false) => vec![Word::default(); size.div_ceil(4)],
            _ => self.words.iter().flat_map(|word| [*word; 4]).collect(),
        };
    }
}

#[inline(always)]
fn touch(word: &mut Word, who: Toucher, access: Access) -> Result<(), Conflict> {
    let against = |stamp: Stamp, earlier: Access| {
        if stamp.concurrent(who) {
            let thread = stamp.who();
            return Err(Conflict {
                earlier,
                present: access,
                thread: (thread < SEVERAL).then_some(thread as u32),
            });
        }
        Ok(())
    };
    against(word.write, Access::Write)?;
    if access != Access::Atomic {
        against(word.atomic, Access::Atomic)?;
    }
    if access != Access::Read {
        against(word.read, Access::Read)?;
    }
    match access {
        Access::Read => word.read = word.read.merged(who),
        Access::Write => word.write = who.0,
        Access::Atomic => word.atomic = word.atomic.merged(who),
    }
    Ok(())
}
