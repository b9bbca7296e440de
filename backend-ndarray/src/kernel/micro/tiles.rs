//! One text of the micro-kernel for every set of vector instructions.

/// Defines `tiles::<P>()`, the micro-kernels of a set of vector instructions for P panels beside each other: for a row of products a
/// load of each panel of B, for each row of the tile a value of A in all lanes and fused multiply-adds, all sums in registers.
///
/// Every sum is added up in the order of the runs and of the products in them, whatever the width of a vector and the number
/// of rows and panels: so the bits are the same in all sets.
macro_rules! tiles {
    (
        features: $features:literal, vector: $vector:ty, load: $load:path, store: $store:path, everywhere: $everywhere:path,
        multiply_add: $multiply_add:expr, rows: $($rows:literal)+
    ) => {
        /// Vectors in a row of a panel.
        const VECTORS: usize = COLUMNS / LANES;
        const LANES: usize = size_of::<$vector>() / size_of::<f32>();

        /// For 1 to the most rows; they must run on machines with these instructions only.
        pub const fn tiles<const P: usize>() -> &'static [MicroKernel<f32>] {
            const { &[$(tile::<$rows, P> as MicroKernel<f32>),+] }
        }

        /// # Safety
        /// As for `MicroKernel`; the machine must have these instructions.
        #[target_feature(enable = $features)]
        unsafe fn tile<const R: usize, const P: usize>(x: Operands<'_, f32>) {
            // SAFETY: `x.rows` and `x.out_rows` have R entries, and the caller vouches for every offset that is formed.
            unsafe {
                // Panels so far apart; those of the target and of an initial row are neighbours.
                let load = |at: *const f32, panel: usize| -> [[$vector; VECTORS]; P] {
                    core::array::from_fn(|p| core::array::from_fn(|v| $load(at.add(p * panel + v * LANES))))
                };
                // Rows are written out: a loop over twelve of them stays a loop where little is optimised, and its sums then
                // lie on the stack, which halves the speed.
                let mut sums = [[[$everywhere(0.0); VECTORS]; P]; R];
                let mut a = [x.a; R];
                match x.initial {
                    Initial::Zero => {}
                    Initial::Existing => {
                        $(if $rows <= R {
                            sums[$rows - 1] = load(x.out.add(*x.out_rows.get_unchecked($rows - 1) as usize), COLUMNS);
                        })+
                    }
                    Initial::Row(values) => {
                        let row = load(values, COLUMNS);
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
                        let b = load(b.add(bt), x.b_panel);
                        $(if $rows <= R {
                            let a = $everywhere(*a[$rows - 1].add(at));
                            for p in 0..P {
                                for v in 0..VECTORS {
                                    sums[$rows - 1][p][v] = $multiply_add(a, b[p][v], sums[$rows - 1][p][v]);
                                }
                            }
                        })+
                        at += x.a_step;
                        bt += x.b_step;
                    }
                }
                $(if $rows <= R {
                    let out = x.out.add(*x.out_rows.get_unchecked($rows - 1) as usize);
                    for p in 0..P {
                        for v in 0..VECTORS {
                            $store(out.add(p * COLUMNS + v * LANES), sums[$rows - 1][p][v]);
                        }
                    }
                })+
            }
        }
    };
}

pub(super) use tiles;
