//! Which images of a batch are whose.

use std::ops::Range;

/// Ranks that cannot share out the groups of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotShare {
    /// A tree over the groups has no equal parts for them.
    #[error(
        "`groups`: expected ranks that are as many as a power of two, to share the groups out, found {0} ranks"
    )]
    Ranks(usize),
    /// Some of them would have nothing to do.
    #[error("`groups`: expected at least {ranks}, a group for each rank, found {groups}")]
    Groups {
        /// Groups of a batch.
        groups: usize,
        /// Ranks.
        ranks: usize,
    },
}

/// The part of every batch that one rank works on.
///
/// A batch of `n` images is cut into `groups` as equal as can be: group `k` has those from `k n / groups` up to
/// `(k + 1) n / groups`, which may be none. The tree that sums go along has as many leaves as the next power of two; those
/// beyond the groups are empty, and count as zeros. A rank has as many neighbouring leaves as any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    groups: usize,
    rank: usize,
    ranks: usize,
}

impl Share {
    /// Everything.
    pub const WHOLE: Self = Self { groups: 1, rank: 0, ranks: 1 };

    /// What the rank `rank` of so many gets of `groups`.
    ///
    /// # Errors
    /// [`CannotShare`], when they cannot be shared out among so many.
    pub const fn new(groups: usize, rank: usize, ranks: usize) -> Result<Self, CannotShare> {
        if !ranks.is_power_of_two() {
            return Err(CannotShare::Ranks(ranks));
        }
        if ranks > groups {
            return Err(CannotShare::Groups { groups, ranks });
        }
        Ok(Self { groups, rank, ranks })
    }

    /// Leaves of the tree that this rank has.
    pub const fn leaves(&self) -> usize {
        self.groups.next_power_of_two() / self.ranks
    }

    /// The images of one of them, from 0, in a batch of so many.
    fn of_leaf(&self, leaf: usize, images: usize) -> Range<usize> {
        let begin =
            |group: usize| (group.min(self.groups) as u128 * images as u128 / self.groups as u128) as usize;
        let group = self.rank * self.leaves() + leaf;
        begin(group)..begin(group + 1)
    }

    /// This rank's images in a batch of so many.
    pub fn own(&self, images: usize) -> Range<usize> {
        self.of_leaf(0, images).start..self.of_leaf(self.leaves() - 1, images).end
    }

    /// The images of this rank's leaves, in order, counted within [`Share::own`].
    pub fn parts(self, images: usize) -> impl Iterator<Item = Range<usize>> {
        let first = self.own(images).start;
        (0..self.leaves()).map(move |leaf| {
            let Range { start, end } = self.of_leaf(leaf, images);
            start - first..end - first
        })
    }

    /// The same with the number that each of them has among the leaves of all ranks.
    pub fn numbered(self, images: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let first = self.rank * self.leaves();
        (first..).zip(self.parts(images))
    }
}

/// Images of the largest group of a batch of so many.
pub const fn largest(images: usize, groups: usize) -> usize {
    images.div_ceil(groups)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_image_is_in_one_group_of_one_rank_and_groups_differ_by_one(
            groups in 1..40_usize, depth in 0..6_u32, images in 0..300_usize,
        ) {
            let ranks = (1 << depth).min(1 << groups.ilog2());
            let (mut next, mut sizes) = (0, Vec::new());
            for rank in 0..ranks {
                let share = Share::new(groups, rank, ranks).unwrap();
                let own = share.own(images);
                prop_assert_eq!(own.start, next);
                for part in share.parts(images) {
                    prop_assert_eq!(part.start + own.start, next);
                    next = part.end + own.start;
                    sizes.push(part.len());
                }
                prop_assert_eq!(own.end, next);
            }
            prop_assert_eq!(next, images);
            prop_assert!(sizes[groups..].iter().all(|&size| size == 0));
            let (least, most) = (sizes[..groups].iter().min().unwrap(), sizes.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", sizes);
            prop_assert_eq!(*most, largest(images, groups));
        }
    }

    #[test]
    fn ranks_that_cannot_share_the_groups_are_refused() {
        for (groups, ranks) in [(4, 8), (1, 2), (3, 4), (4, 3), (12, 6), (4, 0)] {
            let error = Share::new(groups, 0, ranks).unwrap_err().to_string();
            assert!(error.starts_with("`groups`: expected "), "{error}");
        }
        assert_eq!(Share::new(6, 0, 4).unwrap().leaves(), 2);
    }
}
