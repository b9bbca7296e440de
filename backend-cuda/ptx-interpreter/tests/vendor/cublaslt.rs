//! The stand-in for cuBLASLt against plain products.

use crate::api::{allocate, call, created, device, download, upload};

const SUCCESS: u32 = 0;
const INVALID_VALUE: u32 = 7;
const COMPUTE_32F: u32 = 68;
const TRANSA: u32 = 3;
const FLOAT: u32 = 0;
const BFLOAT16: u32 = 14;

/// All that a product takes: 2 x 3 times 3 x 2, column by column.
#[derive(Clone)]
struct Product {
    operation: usize,
    /// Of A, B and the product.
    layouts: [usize; 3],
    matrices: [u64; 3],
    algorithm: [u64; 8],
    workspace: [u64; 2],
    stream: usize,
}

#[repr(C)]
struct HeuristicResult {
    algorithm: [u64; 8],
    workspace: usize,
    state: u32,
    waves: f32,
    reserved: [i32; 4],
}

fn layout(rows: u64, columns: u64, leading: i64) -> Result<usize, u32> {
    layout_of(FLOAT, rows, columns, leading)
}

fn layout_of(element: u32, rows: u64, columns: u64, leading: i64) -> Result<usize, u32> {
    let mut number = 0;
    let status = call!(cublasLtMatrixLayoutCreate(
        &mut number => *mut usize, element => u32, rows => u64, columns => u64, leading => i64,
    ));
    if status == SUCCESS { Ok(number) } else { Err(status) }
}

fn heuristic(
    handle: usize,
    operation: usize,
    [a, b, to]: [usize; 3],
    workspace: u64,
) -> Result<HeuristicResult, u32> {
    let preference = created!(cublasLtMatmulPreferenceCreate());
    let status = call!(cublasLtMatmulPreferenceSetAttribute(
        preference => usize, 1 => u32, &workspace => *const u64, 8 => usize,
    ));
    assert_eq!(status, SUCCESS);
    let (mut result, mut count) =
        (HeuristicResult { algorithm: [0; 8], workspace: 0, state: 1, waves: 0.0, reserved: [0; 4] }, 0);
    let status = call!(cublasLtMatmulAlgoGetHeuristic(
        handle => usize, operation => usize, a => usize, b => usize, to => usize, to => usize, preference => usize,
        1 => i32, &mut result => *mut HeuristicResult, &mut count => *mut i32,
    ));
    if status != SUCCESS {
        return Err(status);
    }
    assert_eq!((count, result.state), (1, SUCCESS));
    Ok(result)
}

fn multiply(handle: usize, product: &Product) -> u32 {
    let Product { operation, layouts: [a, b, to], matrices: [at_a, at_b, at_to], workspace, stream, .. } =
        *product;
    let (one, zero) = (1.0f32, 0.0f32);
    call!(cublasLtMatmul(
        handle => usize, operation => usize, &one => *const f32, at_a => u64, a => usize, at_b => u64, b => usize,
        &zero => *const f32, at_to => u64, to => usize, at_to => u64, to => usize,
        &product.algorithm => *const [u64; 8], workspace[0] => u64, workspace[1] as usize => usize, stream => usize,
    ))
}

#[test]
fn what_is_wrong_is_refused() {
    let _turn = device();
    let handle = created!(cublasLtCreate());
    let operation = created!(cublasLtMatmulDescCreate(COMPUTE_32F => u32, 0 => u32));
    let layouts = [layout(2, 3, 2), layout(3, 2, 3), layout(2, 2, 2)].map(Result::unwrap);
    let result = heuristic(handle, operation, layouts, 1 << 20).unwrap();
    assert!(result.workspace > 0);
    let right = Product {
        operation,
        layouts,
        matrices: [
            upload::<f32>(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
            upload::<f32>(&[1.0, 0.0, 2.0, 0.0, 1.0, 0.0]),
            allocate(4),
        ],
        algorithm: result.algorithm,
        workspace: [allocate(result.workspace / 4), result.workspace as u64],
        stream: 0,
    };
    assert_eq!(multiply(handle, &right), SUCCESS);
    assert_eq!(download::<f32>(right.matrices[2], 4), [7.0, 16.0, 2.0, 5.0]);

    let [a, b, to] = right.matrices;
    let unwritten = allocate(6);
    for (what, wrong) in [
        (
            "layouts of another product",
            Product { layouts: [layouts[1], layouts[0], layouts[2]], ..right.clone() },
        ),
        ("no operation", Product { operation: layouts[0], ..right.clone() }),
        ("no layout", Product { layouts: [layouts[0], layouts[1], operation], ..right.clone() }),
        ("a null pointer", Product { matrices: [0, b, to], ..right.clone() }),
        ("a misaligned factor", Product { matrices: [a + 4, b, to], ..right.clone() }),
        ("too little workspace", Product { workspace: [right.workspace[0], 8], ..right.clone() }),
        ("no workspace", Product { workspace: [0, right.workspace[1]], ..right.clone() }),
        (
            "misaligned workspace",
            Product { workspace: [right.workspace[0] + 4, right.workspace[1]], ..right.clone() },
        ),
        ("another algorithm", Product { algorithm: [0; 8], ..right.clone() }),
        ("a factor that nobody wrote", Product { matrices: [unwritten, b, to], ..right.clone() }),
        ("a product that is too short", Product { matrices: [a, b, allocate(3)], ..right.clone() }),
        ("no stream", Product { stream: 77, ..right.clone() }),
    ] {
        assert_ne!(multiply(handle, &wrong), SUCCESS, "{what}");
    }
    assert_ne!(multiply(operation, &right), SUCCESS);

    assert_eq!(layout(3, 2, 2).unwrap_err(), INVALID_VALUE);
    assert_eq!(layout(0, 2, 2).unwrap_err(), INVALID_VALUE);
    let attribute = |attribute: u32, value: i32, bytes: usize| {
        call!(cublasLtMatmulDescSetAttribute(
            operation => usize, attribute => u32, &value => *const i32, bytes => usize,
        ))
    };
    assert_eq!([attribute(TRANSA, 1, 8), attribute(TRANSA, 7, 4), attribute(99, 1, 4)], [INVALID_VALUE; 3]);
    // The transposed factor has another depth.
    assert_eq!(attribute(TRANSA, 1, 4), SUCCESS);
    assert_eq!(heuristic(handle, operation, layouts, 0).err(), Some(INVALID_VALUE));
    let mut number = 0usize;
    for (compute, scale) in [(70, 0), (COMPUTE_32F, 1)] {
        let status = call!(cublasLtMatmulDescCreate(&mut number => *mut usize, compute => u32, scale => u32));
        assert_eq!(status, INVALID_VALUE);
    }
    assert_eq!(call!(cublasLtMatrixLayoutDestroy(operation => usize)), INVALID_VALUE);
    assert_eq!(call!(cublasLtMatmulDescDestroy(operation => usize)), SUCCESS);
    assert_eq!(call!(cublasLtMatmulDescDestroy(operation => usize)), INVALID_VALUE);
    assert_eq!(call!(cublasLtDestroy(handle => usize)), SUCCESS);
}

/// Factors in bf16, sums in floats that are rounded once, or stay what they are where the product is f32.
#[test]
fn bf16_is_added_up_in_floats() {
    // 1, 2^-8, 1 + 2^-7 and 1 + 2^-6.
    const ONE: u16 = 0x3f80;
    const SMALL: u16 = 0x3b80;
    const NEXT: u16 = 0x3f81;
    const SECOND: u16 = 0x3f82;
    let _turn = device();
    let handle = created!(cublasLtCreate());
    let operation = created!(cublasLtMatmulDescCreate(COMPUTE_32F => u32, 0 => u32));
    let [a, b] =
        [(2, 2), (2, 1)].map(|(rows, columns)| layout_of(BFLOAT16, rows, columns, rows as i64).unwrap());
    let factors = [upload(&[ONE, NEXT, SMALL, SMALL]), upload(&[ONE, ONE])];
    let product = |element: u32| {
        let to = layout_of(element, 2, 1, 2).unwrap();
        let result = heuristic(handle, operation, [a, b, to], 1 << 20).unwrap();
        let workspace = [allocate(result.workspace / 4), result.workspace as u64];
        let [at_a, at_b] = factors;
        let at = allocate(2);
        let product = Product {
            operation,
            layouts: [a, b, to],
            matrices: [at_a, at_b, at],
            algorithm: result.algorithm,
            workspace,
            stream: 0,
        };
        assert_eq!(multiply(handle, &product), SUCCESS);
        at
    };
    // Halfway between two numbers twice: down to the even one, and up to it.
    assert_eq!(download::<u16>(product(BFLOAT16), 2), [ONE, SECOND]);
    let unit = 0.5f32.powi(8);
    assert_eq!(download::<f32>(product(FLOAT), 2), [1.0 + unit, 1.0 + 3.0 * unit]);
    let [left, right] = [layout(2, 2, 2), layout(2, 1, 2)].map(Result::unwrap);
    let to = layout_of(BFLOAT16, 2, 1, 2).unwrap();
    assert_eq!(heuristic(handle, operation, [left, right, to], 0).err(), Some(INVALID_VALUE));
    assert_eq!(heuristic(handle, operation, [a, right, to], 0).err(), Some(INVALID_VALUE));
    assert!(layout_of(2, 2, 2, 2).is_err());
}
