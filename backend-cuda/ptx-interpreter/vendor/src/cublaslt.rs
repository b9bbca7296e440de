//! cuBLASLt.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::device::{Element, has_context, submit};
use crate::fault::{self, Fault};
use crate::objects::{Object, change, create, destroy, find, get, put};
use crate::product::{Math, combine};

type Status = u32;
const SUCCESS: Status = 0;
const NOT_INITIALIZED: Status = 1;
const INVALID_VALUE: Status = 7;
const EXECUTION_FAILED: Status = 13;
const ALLOC_FAILED: Status = 3;
const NOT_SUPPORTED: Status = 15;

const CUDA_R_32F: u32 = 0;
const CUDA_R_16BF: u32 = 14;
const COMPUTE_32F: u32 = 68;
const COMPUTE_32F_FAST_16BF: u32 = 75;
const COMPUTE_32F_FAST_TF32: u32 = 77;

const DESC_TRANSA: u32 = 3;
const DESC_TRANSB: u32 = 4;

const PREF_MAX_WORKSPACE_BYTES: u32 = 1;
const PREF_REDUCTION_SCHEME_MASK: u32 = 3;
/// Of A; those of B, C and D follow.
const PREF_MIN_ALIGNMENT_A_BYTES: u32 = 5;
const PREF_MIN_ALIGNMENT_D_BYTES: u32 = 8;
const REDUCTION_SCHEME_INPLACE: u32 = 1;

/// Says what is wrong.
fn refuse(status: Status, what: &str) -> Status {
    eprintln!("vendor-stand-in: cuBLASLt: {what}");
    status
}

fn status(done: bool, what: &str) -> Status {
    if done { SUCCESS } else { refuse(INVALID_VALUE, what) }
}

/// A description of a product.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    math: Math,
    transposed: [bool; 2],
}

/// A matrix that lies column by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    element: Element,
    rows: u64,
    columns: u64,
    leading: u64,
}

/// What an algorithm may be.
#[derive(Debug, Clone, Copy)]
pub struct Preference {
    workspace: u64,
    reductions: u32,
    alignments: [u32; 4],
}

/// An algorithm, in the eight words that it has: a mark, the product's shape, alignments, workspace and whether sums are
/// made in place.
type Algorithm = [u64; 8];
const MARK: u64 = 0x5354_414e_4449_4e00;

/// As in the header.
#[repr(C)]
struct HeuristicResult {
    algorithm: Algorithm,
    workspace: usize,
    state: Status,
    waves: f32,
    reserved: [c_int; 4],
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtGetVersion() -> usize {
    130_000
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtGetStatusString(status: Status) -> *const c_char {
    let text: &CStr = match status {
        SUCCESS => c"CUBLAS_STATUS_SUCCESS",
        NOT_INITIALIZED => c"CUBLAS_STATUS_NOT_INITIALIZED",
        INVALID_VALUE => c"CUBLAS_STATUS_INVALID_VALUE",
        EXECUTION_FAILED => c"CUBLAS_STATUS_EXECUTION_FAILED",
        NOT_SUPPORTED => c"CUBLAS_STATUS_NOT_SUPPORTED",
        ALLOC_FAILED => c"CUBLAS_STATUS_ALLOC_FAILED",
        _ => c"UNKNOWN",
    };
    text.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtCreate(handle: *mut usize) -> Status {
    if !has_context() {
        return refuse(NOT_INITIALIZED, "no context is current");
    }
    status(create(handle, Object::CublasLt), "no place for the handle")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtDestroy(handle: usize) -> Status {
    let is = |object: &Object| matches!(object, Object::CublasLt);
    if destroy(handle, is) { SUCCESS } else { refuse(NOT_INITIALIZED, "no such handle") }
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmulDescCreate(place: *mut usize, compute: u32, scale: u32) -> Status {
    let math = match compute {
        COMPUTE_32F => Math::Single,
        COMPUTE_32F_FAST_TF32 => Math::Tf32,
        COMPUTE_32F_FAST_16BF => Math::Bf16,
        _ => return refuse(INVALID_VALUE, &format!("compute type {compute}")),
    };
    if scale != CUDA_R_32F {
        return refuse(INVALID_VALUE, &format!("scale type {scale}"));
    }
    let operation = Operation { math, transposed: [false; 2] };
    status(create(place, Object::Operation(operation)), "no place for the operation")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmulDescDestroy(operation: usize) -> Status {
    status(destroy(operation, |object| matches!(object, Object::Operation(_))), "no such operation")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmulDescSetAttribute(
    operation: usize,
    attribute: u32,
    value: *const c_void,
    bytes: usize,
) -> Status {
    let Some(value @ 0..=1) = get(value.cast::<i32>()).filter(|_| bytes == 4) else {
        return refuse(INVALID_VALUE, &format!("attribute {attribute} of {bytes} bytes, or its value"));
    };
    let factor = match attribute {
        DESC_TRANSA => 0,
        DESC_TRANSB => 1,
        _ => return refuse(INVALID_VALUE, &format!("attribute {attribute}")),
    };
    let changed = change(operation, |object| match object {
        Object::Operation(operation) => {
            operation.transposed[factor] = value == 1;
            true
        }
        _ => false,
    });
    status(changed, "no such operation")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatrixLayoutCreate(
    place: *mut usize,
    element: u32,
    rows: u64,
    columns: u64,
    leading: i64,
) -> Status {
    let leading = u64::try_from(leading).unwrap_or(0);
    let number = match element {
        CUDA_R_32F => Some(Element::F32),
        CUDA_R_16BF => Some(Element::Bf16),
        _ => None,
    };
    let Some(number) = number.filter(|_| rows > 0 && columns > 0 && leading >= rows) else {
        let what = format!("a layout of type {element}, {rows} x {columns}, columns {leading} apart");
        return refuse(INVALID_VALUE, &what);
    };
    let layout = Layout { element: number, rows, columns, leading };
    status(create(place, Object::Layout(layout)), "no place for the layout")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatrixLayoutDestroy(layout: usize) -> Status {
    status(destroy(layout, |object| matches!(object, Object::Layout(_))), "no such layout")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmulPreferenceCreate(place: *mut usize) -> Status {
    // The documented defaults.
    let preference = Preference { workspace: 0, reductions: 7, alignments: [256; 4] };
    status(create(place, Object::Preference(preference)), "no place for the preference")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmulPreferenceDestroy(preference: usize) -> Status {
    status(destroy(preference, |object| matches!(object, Object::Preference(_))), "no such preference")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmulPreferenceSetAttribute(
    preference: usize,
    attribute: u32,
    value: *const c_void,
    bytes: usize,
) -> Status {
    let size = if attribute == PREF_MAX_WORKSPACE_BYTES { 8 } else { 4 };
    if value.is_null() || bytes != size {
        return refuse(INVALID_VALUE, &format!("preference {attribute} of {bytes} bytes"));
    }
    let set = |preference: &mut Preference| {
        let word = || get(value.cast::<u32>());
        match attribute {
            PREF_MAX_WORKSPACE_BYTES => preference.workspace = get(value.cast())?,
            PREF_REDUCTION_SCHEME_MASK => preference.reductions = word().filter(|mask| *mask <= 7)?,
            PREF_MIN_ALIGNMENT_A_BYTES..=PREF_MIN_ALIGNMENT_D_BYTES => {
                let which = (attribute - PREF_MIN_ALIGNMENT_A_BYTES) as usize;
                preference.alignments[which] = word().filter(|bytes| bytes.is_power_of_two())?;
            }
            _ => return None,
        }
        Some(())
    };
    let changed = change(preference, |object| match object {
        Object::Preference(preference) => set(preference).is_some(),
        _ => false,
    });
    status(changed, &format!("preference {attribute}, or its value"))
}

/// Rows, columns and depth of a product, if its parts fit.
fn shape(operation: &Operation, [a, b, c, d]: [Layout; 4]) -> Option<[u64; 3]> {
    let of = |layout: Layout, transposed: bool| {
        if transposed { (layout.columns, layout.rows) } else { (layout.rows, layout.columns) }
    };
    let ((rows, depth), (other, columns)) = (of(a, operation.transposed[0]), of(b, operation.transposed[1]));
    // Products with gaps between columns are nobody's here.
    // Products of bf16 may be floats, those of floats are.
    let numbers = a.element == b.element && c.element == d.element;
    let fits = depth == other
        && numbers
        && (a.element == Element::Bf16 || c.element == Element::F32)
        && [c, d].iter().all(|to| (to.leading, to.columns) == (rows, columns) && to.rows == rows);
    fits.then_some([rows, columns, depth])
}

fn layouts(numbers: [usize; 4]) -> Option<[Layout; 4]> {
    let mut found = [Layout { element: Element::F32, rows: 0, columns: 0, leading: 0 }; 4];
    for (number, found) in numbers.into_iter().zip(&mut found) {
        let Some(Object::Layout(layout)) = find(number) else { return None };
        *found = layout;
    }
    Some(found)
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmulAlgoGetHeuristic(
    handle: usize,
    operation: usize,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    preference: usize,
    requested: c_int,
    results: *mut HeuristicResult,
    returned: *mut c_int,
) -> Status {
    let (Some(Object::CublasLt), Some(Object::Operation(operation)), Some(Object::Preference(preference))) =
        (find(handle), find(operation), find(preference))
    else {
        return refuse(INVALID_VALUE, "no such handle, operation or preference");
    };
    if fault::is(Fault::Unsupported) {
        return NOT_SUPPORTED;
    }
    let Some([m, n, k]) = layouts([a, b, c, d]).and_then(|layouts| shape(&operation, layouts)) else {
        return refuse(INVALID_VALUE, "layouts that don't fit");
    };
    // Deep products in parts, whose sums take workspace.
    let wanted = if fault::is(Fault::Workspace) { 1 << 40 } else { 4 * m * n };
    let workspace = if wanted <= preference.workspace || fault::is(Fault::Workspace) { wanted } else { 0 };
    let in_place = u64::from(preference.reductions & REDUCTION_SCHEME_INPLACE);
    let [a, b, c, d] = preference.alignments.map(|bytes| u64::from(bytes.trailing_zeros()));
    let aligned = a | b << 8 | c << 16 | d << 24;
    let algorithm = [MARK, m, n, k, workspace, in_place, aligned, 0];
    let result = HeuristicResult {
        algorithm,
        workspace: workspace as usize,
        state: SUCCESS,
        waves: 1.0,
        reserved: [0; 4],
    };
    let done = requested >= 1 && put(results, result) && put(returned, 1);
    status(done, "no room for a result")
}

#[unsafe(no_mangle)]
extern "C" fn cublasLtMatmul(
    handle: usize,
    operation: usize,
    alpha: *const f32,
    a: u64,
    a_layout: usize,
    b: u64,
    b_layout: usize,
    beta: *const f32,
    c: u64,
    c_layout: usize,
    d: u64,
    d_layout: usize,
    algorithm: *const Algorithm,
    workspace: u64,
    workspace_bytes: usize,
    stream: usize,
) -> Status {
    let (Some(Object::CublasLt), Some(Object::Operation(operation))) = (find(handle), find(operation)) else {
        return refuse(NOT_INITIALIZED, "no such handle or operation");
    };
    let Some(layouts) = layouts([a_layout, b_layout, c_layout, d_layout]) else {
        return refuse(INVALID_VALUE, "no such layout");
    };
    let (Some(alpha), Some(beta), Some(algorithm)) = (get(alpha), get(beta), get(algorithm)) else {
        return refuse(INVALID_VALUE, "no factors, or no algorithm");
    };
    let [mark, m, n, k, wanted, in_place, aligned, _] = algorithm;
    if mark != MARK || shape(&operation, layouts) != Some([m, n, k]) {
        return refuse(INVALID_VALUE, "an algorithm for another product");
    }
    for (place, address) in [a, b, c, d].into_iter().enumerate() {
        let bits = aligned >> (8 * place) & 0xff;
        if address == 0 || address & ((1 << bits) - 1) != 0 {
            return refuse(
                INVALID_VALUE,
                &format!("matrix {place} at {address:#x}, not aligned to 2^{bits}"),
            );
        }
    }
    if (workspace_bytes as u64) < wanted || (wanted > 0 && (workspace == 0 || !workspace.is_multiple_of(16)))
    {
        return refuse(INVALID_VALUE, &format!("{workspace_bytes} bytes of workspace, {wanted} are needed"));
    }
    if c == d && layouts[2] != layouts[3] {
        return refuse(INVALID_VALUE, "in place, in another layout");
    }
    if fault::is(Fault::Failing) {
        return EXECUTION_FAILED;
    }
    if fault::is(Fault::OutOfMemory) {
        return ALLOC_FAILED;
    }
    let work = move |memory: &crate::device::Memory| {
        let [a_layout, b_layout, _, d_layout] = layouts;
        let read = |at: u64, layout: Layout| {
            memory.read(layout.element, at, (layout.leading * layout.columns) as usize)
        };
        let (a, b) = (operation.math.factors(read(a, a_layout)?), operation.math.factors(read(b, b_layout)?));
        let at = |layout: Layout, transposed: bool, i: u64, j: u64| {
            let (i, j) = if transposed { (j, i) } else { (i, j) };
            (i + j * layout.leading) as usize
        };
        // Where sums are made in place, whoever comes first is first.
        static TURN: AtomicUsize = AtomicUsize::new(0);
        let first = if in_place == 1 { TURN.fetch_add(1, Ordering::SeqCst) as u64 % k } else { 0 };
        let mut product = Vec::with_capacity((m * n) as usize);
        for (j, i) in (0..n).flat_map(|j| (0..m).map(move |i| (j, i))) {
            let mut sum = 0.0f32;
            for p in (0..k).map(|p| (p + first) % k) {
                let factors = (
                    a[at(a_layout, operation.transposed[0], i, p)],
                    b[at(b_layout, operation.transposed[1], p, j)],
                );
                sum += factors.0 * factors.1;
            }
            product.push(sum);
        }
        memory.scribble(workspace, wanted as usize)?;
        memory.write(d_layout.element, d, &combine(alpha, beta, product, || read(c, d_layout))?)
    };
    match submit(stream, work) {
        Ok(()) => SUCCESS,
        Err(code) => refuse(EXECUTION_FAILED, &format!("the driver answers {code}")),
    }
}
