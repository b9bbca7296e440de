//! One text of the micro-kernel for every set of vector instructions.

/// Defines `TILES`, the micro-kernels of a set of vector instructions: for a row of products a load of B, for each row of the
/// tile a value of A in all lanes and fused multiply-adds, all sums in registers.
///
/// Every sum is added up in the order of the runs and of the products in them, whatever the width of a vector and the number
/// of rows: so the bits are the same in all sets.
macro_rules! tiles {
    (
        features: $features:literal, vector: $vector:ty, load: $load:path, store: $store:path, everywhere: $everywhere:path,
        multiply_add: $multiply_add:expr, rows: $($rows:literal)+
    ) => {
        /// Vectors in a row of a tile.
        const VECTORS: usize = COLUMNS / LANES;
        const LANES: usize = size_of::<$vector>() / size_of::<f32>();

        /// For 1 to the most rows; they must run on machines with these instructions only.
        pub const TILES: &[MicroKernel<f32>] = &[$(tile::<$rows>),+];

        /// # Safety
        /// As for `MicroKernel`; the machine must have these instructions.
        #[target_feature(enable = $features)]
        unsafe fn tile<const R: usize>(x: Operands<'_, f32>) {
            // SAFETY: `x.rows` and `x.out_rows` have R entries, and the caller vouches for every offset that is formed.
            unsafe {
                let load = |at: *const f32| -> [$vector; VECTORS] {
                    core::array::from_fn(|v| $load(at.add(v * LANES)))
                };
                // Rows are written out: a loop over twelve of them stays a loop where little is optimised, and its sums then
                // lie on the stack, which halves the speed.
                let mut sums = [[$everywhere(0.0); VECTORS]; R];
                let mut a = [x.a; R];
                match x.initial {
                    Initial::Zero => {}
                    Initial::Existing => {
                        $(if $rows <= R {
                            sums[$rows - 1] = load(x.out.add(*x.out_rows.get_unchecked($rows - 1) as usize));
                        })+
                    }
                    Initial::Row(values) => {
                        let row = load(values);
                        $(if $rows <= R {
                            sums[$rows - 1] = row;
                        })+
                    }
                }
                for s in x.runs {
                    $(if $rows <= R {
                        a[$rows - 1] = x.a.add(*x.rows.get_unchecked($rows - 1) as usize + s.a as usize);
                    })+
                    let b = x.b.add(s.b as usize);
                    let (mut at, mut bt) = (0, 0);
                    for _ in 0..x.depth {
                        let b = load(b.add(bt));
                        $(if $rows <= R {
                            let a = $everywhere(*a[$rows - 1].add(at));
                            for v in 0..VECTORS {
                                sums[$rows - 1][v] = $multiply_add(a, b[v], sums[$rows - 1][v]);
                            }
                        })+
                        at += x.a_step;
                        bt += x.b_step;
                    }
                }
                $(if $rows <= R {
                    let out = x.out.add(*x.out_rows.get_unchecked($rows - 1) as usize);
                    for v in 0..VECTORS {
                        $store(out.add(v * LANES), sums[$rows - 1][v]);
                    }
                })+
            }
        }
    };
}

pub(super) use tiles;
