//! Kernels with the types of their parameters, and how to launch them.

#![allow(unsafe_code, reason = "traits that vouch for the layout of what a kernel is handed")]

use core::{ffi::c_void, fmt, marker::PhantomData, ptr::from_ref};

use cust::sys::{CUdeviceptr, CUfunction};

/// A type that a kernel takes by value as a parameter.
///
/// # Safety
/// Its bytes on the host must be what the kernel expects: `repr(C)` with the fields of the kernel's struct.
pub unsafe trait Argument: Copy {}

// SAFETY: numbers of the same size and representation.
unsafe impl Argument for u32 {}
// SAFETY: as above.
unsafe impl Argument for i32 {}
// SAFETY: as above.
unsafe impl Argument for f32 {}
// SAFETY: as above.
unsafe impl Argument for f64 {}

/// An address that a kernel reads from: `const T*`.
#[repr(transparent)]
pub struct Ptr<T>(CUdeviceptr, PhantomData<*const T>);

/// An address that a kernel reads from and writes to: `T*`.
#[repr(transparent)]
pub struct PtrMut<T>(CUdeviceptr, PhantomData<*mut T>);

impl<T> PtrMut<T> {
    /// The same address, to read from.
    pub(crate) const fn reading(self) -> Ptr<T> {
        Ptr(self.0, PhantomData)
    }
}

macro_rules! pointer {
    ($name:ident) => {
        impl<T> $name<T> {
            /// `nullptr`, for kernels that take one.
            pub const NULL: Self = Self(0, PhantomData);

            pub(crate) const fn new(address: CUdeviceptr) -> Self {
                Self(address, PhantomData)
            }

            pub(crate) const fn address(self) -> CUdeviceptr {
                self.0
            }

            /// The same memory as values of another type.
            pub(crate) const fn cast<U>(self) -> $name<U> {
                $name(self.0, PhantomData)
            }

            /// The address of the value `count` further on.
            #[must_use]
            pub(crate) const fn add(self, count: usize) -> Self {
                const { assert!(size_of::<T>() > 0, "how far apart the values are is not known") };
                Self(self.0 + (count * size_of::<T>()) as CUdeviceptr, PhantomData)
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $name<T> {}

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        // SAFETY: a device address, of 64 bits on both sides.
        unsafe impl<T> Argument for $name<T> {}
    };
}

pointer!(Ptr);
pointer!(PtrMut);

/// All parameters of a kernel: a tuple of [`Argument`]s.
///
/// # Safety
/// `SIZES` and the pointers must be those of the arguments, in order.
pub unsafe trait Arguments {
    /// Bytes of each.
    const SIZES: &'static [usize];

    /// Calls `launch` with the address of each.
    fn with_pointers<R>(&self, launch: impl FnOnce(&mut [*mut c_void]) -> R) -> R;
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        // SAFETY: both lists are made from the tuple's elements in order.
        unsafe impl<$($argument: Argument),*> Arguments for ($($argument,)*) {
            const SIZES: &'static [usize] = &[$(size_of::<$argument>()),*];

            #[allow(non_snake_case, reason = "one variable for each type")]
            fn with_pointers<R>(&self, launch: impl FnOnce(&mut [*mut c_void]) -> R) -> R {
                let ($($argument,)*) = self;
                // The driver reads the arguments, though its signature does not say so.
                launch(&mut [$(from_ref($argument).cast_mut().cast()),*])
            }
        }
    };
}

arguments!(A);
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);
arguments!(A B C D E F G H I);
arguments!(A B C D E F G H I J);
arguments!(A B C D E F G H I J K);
arguments!(A B C D E F G H I J K L);
arguments!(A B C D E F G H I J K L M);

/// A kernel that takes the parameters `A`, as far as their number and sizes can tell.
#[derive(Debug)]
pub struct Kernel<A> {
    pub(crate) function: CUfunction,
    pub(crate) name: String,
    pub(crate) arguments: PhantomData<fn(A)>,
}

// SAFETY: a handle that the driver takes from any thread.
unsafe impl<A> Send for Kernel<A> {}
// SAFETY: as above.
unsafe impl<A> Sync for Kernel<A> {}

/// How many threads run a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks in x, y and z.
    pub blocks: [u32; 3],
    /// Threads of a block, all in x.
    pub threads: u32,
}

impl Grid {
    /// Threads of a block where one thread does one entry.
    const THREADS: u32 = 256;

    /// One thread for each of `n` entries, in blocks of 256.
    #[must_use]
    pub const fn over(n: u32) -> Self {
        Self { blocks: [n.div_ceil(Self::THREADS), 1, 1], threads: Self::THREADS }
    }

    /// One thread for each sixteen bytes of `n` entries of so many bytes, in blocks of 256: the host's side of `kernels/vector.cuh`.
    pub(crate) const fn vectors(n: u32, bytes: usize) -> Self {
        Self::over(n.div_ceil(16 / bytes as u32))
    }

    /// `blocks` blocks of `threads` threads.
    #[must_use]
    pub const fn new(blocks: [u32; 3], threads: u32) -> Self {
        Self { blocks, threads }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.contains(&0)
    }
}
