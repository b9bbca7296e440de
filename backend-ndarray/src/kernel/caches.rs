//! Sizes of the machine's caches, which blocks are cut for. No bit of a result depends on them.

use std::sync::OnceLock;

/// Bytes of a core's data caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caches {
    /// The nearest.
    pub first: usize,
    /// The next.
    pub second: usize,
}

impl Caches {
    /// Where the system does not say.
    const USUAL: Self = Self { first: 32 << 10, second: 512 << 10 };

    /// Those of the first core: asked once.
    pub fn of_machine() -> Self {
        static FOUND: OnceLock<Caches> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let size = |level| (0..8).find_map(|index| listed(index, level));
            Self::plausible(size(1), size(2))
        })
    }

    /// Within what buffers and tables are made for: a cache that several cores share is not one core's.
    fn plausible(first: Option<usize>, second: Option<usize>) -> Self {
        Self {
            first: first.unwrap_or(Self::USUAL.first).clamp(16 << 10, 128 << 10),
            second: second.unwrap_or(Self::USUAL.second).clamp(256 << 10, 2 << 20),
        }
    }
}

/// Bytes of the cache of that number, as Linux lists them, if it is of this level and holds data.
fn listed(index: usize, level: usize) -> Option<usize> {
    let read = |what| {
        std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}")).ok()
    };
    let is_it = read("level")?.trim() == level.to_string() && read("type")?.trim() != "Instruction";
    is_it.then(|| bytes(&read("size")?)).flatten()
}

/// Of a number of KiB or MiB such as `1024K`.
fn bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let shift = match unit {
        "K" => 10,
        "M" => 20,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_system_writes_them() {
        assert_eq!(bytes("32K\n"), Some(32 << 10));
        assert_eq!(bytes("2M"), Some(2 << 20));
        assert_eq!(["", "K", "many", "18446744073709551615K"].map(bytes), [None; 4]);
    }

    #[test]
    fn sizes_stay_within_what_blocks_are_made_for() {
        assert_eq!(Caches::plausible(None, None), Caches::USUAL);
        let large = Caches::plausible(Some(1 << 30), Some(1 << 30));
        assert_eq!((large.first, large.second), (128 << 10, 2 << 20));
        let here = Caches::of_machine();
        assert_eq!(Caches::plausible(Some(here.first), Some(here.second)), here);
    }
}
