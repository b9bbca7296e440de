//! What the page calls: numbers in, numbers out, and three buffers whose addresses it asks for.
#![allow(unsafe_code, missing_docs)]

use crate::race::{self, Race};
use crate::single::Single;
use crate::surface::{Surface, Well};
use crate::walk::{self, Walk};

/// Most points of a picture of the surface.
const POINTS: usize = 256 * 256;

static SURFACE: Single<Surface> = Single::new(Surface::INITIAL);
/// Two that the page shows, two that it counts with.
static WALKS: Single<[Option<Walk>; 4]> = Single::new([const { None }; 4]);
static PICTURE: Single<[f32; POINTS]> = Single::new([0.0; POINTS]);
static RACE: Single<Race> = Single::new(Race::EMPTY);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

#[unsafe(no_mangle)]
extern "C" fn well(which: usize, x: f64, y: f64, depth: f64, width: f64) {
    SURFACE.with(|surface| {
        if let Some(well) = surface.wells.get_mut(which) {
            *well = Well { at: [x, y], depth, width };
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn loss(x: f64, y: f64) -> f64 {
    SURFACE.with(|surface| surface.loss([x, y]))
}

#[unsafe(no_mangle)]
extern "C" fn sharpness(x: f64, y: f64, rho: f64) -> f64 {
    SURFACE.with(|surface| surface.sharpness([x, y], rho))
}

/// Heights at the centres of `columns` times `rows` cells between two corners, row by row from `y0`; 0 if there is
/// no room for so many.
#[unsafe(no_mangle)]
extern "C" fn picture(columns: usize, rows: usize, x0: f64, y0: f64, x1: f64, y1: f64) -> *const f32 {
    if columns.saturating_mul(rows) > POINTS || columns == 0 {
        return core::ptr::null();
    }
    SURFACE.with(|surface| {
        PICTURE.with(|picture| {
            for (row, heights) in picture.chunks_exact_mut(columns).take(rows).enumerate() {
                let y = y0 + (y1 - y0) * (row as f64 + 0.5) / rows as f64;
                for (column, height) in heights.iter_mut().enumerate() {
                    let x = x0 + (x1 - x0) * (column as f64 + 0.5) / columns as f64;
                    *height = surface.loss([x, y]) as f32;
                }
            }
            picture.as_ptr()
        })
    })
}

/// Whether there are such a method and such a norm.
#[unsafe(no_mangle)]
extern "C" fn walk_start(
    which: usize,
    method: u32,
    x: f64,
    y: f64,
    lr: f64,
    momentum: f64,
    rho: f64,
    p: f64,
    seed: u32,
) -> bool {
    let walk = Walk::new(walk::Settings { method, lr, momentum, rho, p }, [x, y], seed);
    WALKS.with(|walks| {
        let Some(place) = walks.get_mut(which) else { return false };
        *place = walk;
        place.is_some()
    })
}

/// Whether the step went through.
#[unsafe(no_mangle)]
extern "C" fn walk_step(which: usize, noise: f64) -> bool {
    SURFACE.with(|surface| {
        WALKS.with(|walks| match walks.get_mut(which) {
            Some(Some(walk)) => walk.step(surface, noise).steps(),
            _ => false,
        })
    })
}

/// Coordinate 0 or 1 of where the walk is, 2 or 3 of where it last took a perturbed gradient.
#[unsafe(no_mangle)]
extern "C" fn walk_at(which: usize, coordinate: usize) -> f64 {
    WALKS.with(|walks| match walks.get(which) {
        Some(Some(Walk { at: [x, y], perturbed: [u, v], .. })) => {
            [*x, *y, *u, *v].get(coordinate).copied().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    })
}

#[unsafe(no_mangle)]
extern "C" fn digits_images() -> *mut u8 {
    RACE.with(|race| race.images.as_flattened_mut().as_mut_ptr())
}

#[unsafe(no_mangle)]
extern "C" fn digits_labels() -> *mut u8 {
    RACE.with(|race| race.labels.as_mut_ptr())
}

#[unsafe(no_mangle)]
extern "C" fn race_start(
    seed: u32,
    epochs: u32,
    label_noise: f64,
    lr: f32,
    rho: f32,
    p: f64,
    adaptive: bool,
) -> bool {
    RACE.with(|race| race.start(race::Settings { seed, epochs, label_noise, lr, rho, p, adaptive }))
}

/// The loss before the step; NaN at the end of the run.
#[unsafe(no_mangle)]
extern "C" fn race_step(run: usize) -> f32 {
    RACE.with(|race| race.step(run).ok().flatten().unwrap_or(f32::NAN))
}

#[unsafe(no_mangle)]
extern "C" fn race_steps() -> u32 {
    RACE.with(|race| race.steps())
}

#[unsafe(no_mangle)]
extern "C" fn race_correct(run: usize) -> usize {
    RACE.with(|race| race.correct(run))
}

#[unsafe(no_mangle)]
extern "C" fn race_digest(run: usize) -> u32 {
    RACE.with(|race| race.digest(run))
}
