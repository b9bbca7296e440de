//! A register of a warp: one value for each of its 32 threads.

use crate::wide::wide;

/// Threads of a warp.
pub const WARP: usize = 32;

/// A register's values. Narrower ones than 64 bits are zero-extended; floats are their bits.
pub type Column = [u64; WARP];

/// A set of a warp's threads, or a predicate register: bit `i` belongs to lane `i`.
pub type Lanes = u32;

/// The lanes in a set, in ascending order.
pub fn lanes(mut set: Lanes) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lane = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (lane < 32).then_some(lane as usize)
    })
}

/// How a Rust type is kept in a lane.
pub trait Lane: Copy {
    /// Takes the low bits.
    fn get(bits: u64) -> Self;
    /// Zero-extends.
    fn put(self) -> u64;
}

macro_rules! lane {
    ($($t:ty as $unsigned:ty),*) => { $(
        impl Lane for $t {
            #[inline(always)]
            fn get(bits: u64) -> Self {
                bits as Self
            }
            #[inline(always)]
            fn put(self) -> u64 {
                self as $unsigned as u64
            }
        }
    )* };
}

lane!(u8 as u8, u16 as u16, u32 as u32, u64 as u64, i8 as u8, i16 as u16, i32 as u32, i64 as u64);

impl Lane for f32 {
    #[inline(always)]
    fn get(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
    #[inline(always)]
    fn put(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Lane for f64 {
    #[inline(always)]
    fn get(bits: u64) -> Self {
        Self::from_bits(bits)
    }
    #[inline(always)]
    fn put(self) -> u64 {
        self.to_bits()
    }
}

/// The column of what `of_lane` gives for each lane: a part of where this is called, so that the loop is the host's widest.
#[inline(always)]
pub(crate) fn each(of_lane: impl FnMut(usize) -> u64) -> Column {
    wide(
        #[inline(always)]
        || core::array::from_fn(of_lane),
    )
}

/// A function of whole columns from one of single values: `columns!(|a: f32, b: f32| a + b)`.
///
/// The body is compiled once for each use, in a loop over all lanes that the compiler can vectorise; who calls
/// it throws away the lanes that are not active.
macro_rules! columns {
    (|$a:ident: $ta:ty| $body:expr) => {
        |a: &$crate::column::Column| {
            $crate::column::each(
                #[inline(always)]
                |lane| {
                    let $a = <$ta as $crate::column::Lane>::get(a[lane]);
                    $crate::column::Lane::put($body)
                },
            )
        }
    };
    (|$a:ident: $ta:ty, $b:ident: $tb:ty| $body:expr) => {
        |a: &$crate::column::Column, b: &$crate::column::Column| {
            $crate::column::each(
                #[inline(always)]
                |lane| {
                    let $a = <$ta as $crate::column::Lane>::get(a[lane]);
                    let $b = <$tb as $crate::column::Lane>::get(b[lane]);
                    $crate::column::Lane::put($body)
                },
            )
        }
    };
    (|$a:ident: $ta:ty, $b:ident: $tb:ty, $c:ident: $tc:ty| $body:expr) => {
        |a: &$crate::column::Column, b: &$crate::column::Column, c: &$crate::column::Column| {
            $crate::column::each(
                #[inline(always)]
                |lane| {
                    let $a = <$ta as $crate::column::Lane>::get(a[lane]);
                    let $b = <$tb as $crate::column::Lane>::get(b[lane]);
                    let $c = <$tc as $crate::column::Lane>::get(c[lane]);
                    $crate::column::Lane::put($body)
                },
            )
        }
    };
}
pub(crate) use columns;
