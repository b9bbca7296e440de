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
                let mut sums: [[$vector; VECTORS]; R] = match x.initial {
                    Initial::Zero => [[$everywhere(0.0); VECTORS]; R],
                    Initial::Existing => {
                        core::array::from_fn(|i| load(x.out.add(*x.out_rows.get_unchecked(i) as usize)))
                    }
                    Initial::Row(values) => [load(values); R],
                };
                for s in x.runs {
                    let a: [*const f32; R] =
                        core::array::from_fn(|i| x.a.add(*x.rows.get_unchecked(i) as usize + s.a as usize));
                    let b = x.b.add(s.b as usize);
                    let (mut at, mut bt) = (0, 0);
                    for _ in 0..x.depth {
                        let b = load(b.add(bt));
                        for i in 0..R {
                            let a = $everywhere(*a[i].add(at));
                            for v in 0..VECTORS {
                                sums[i][v] = $multiply_add(a, b[v], sums[i][v]);
                            }
                        }
                        at += x.a_step;
                        bt += x.b_step;
                    }
                }
                for (i, sums) in sums.into_iter().enumerate() {
                    let out = x.out.add(*x.out_rows.get_unchecked(i) as usize);
                    for (v, sum) in sums.into_iter().enumerate() {
                        $store(out.add(v * LANES), sum);
                    }
                }
            }
        }
    };
}

pub(super) use tiles;
