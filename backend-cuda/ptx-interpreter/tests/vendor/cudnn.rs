//! The stand-in for cuDNN against plain convolutions.

use crate::api::{allocate, call, created, device, download, upload};

const SUCCESS: u32 = 0;
const BAD_PARAM: u32 = 2000;
const NOT_SUPPORTED: u32 = 3000;
const NCHW: u32 = 0;
const NHWC: u32 = 1;

/// All that a forward product takes: a 1x2 image of one channel, one 1x2 filter.
#[derive(Clone)]
struct Product {
    x: usize,
    w: usize,
    y: usize,
    convolution: usize,
    algorithm: u32,
    places: [u64; 3],
    workspace: [u64; 2],
}

fn tensor(format: u32, element: u32, [n, c, h, w]: [i32; 4]) -> usize {
    let own = created!(cudnnCreateTensorDescriptor());
    let status = call!(cudnnSetTensor4dDescriptor(
        own => usize, format => u32, element => u32, n => i32, c => i32, h => i32, w => i32,
    ));
    assert_eq!(status, SUCCESS);
    own
}

fn filters(format: u32, element: u32, [k, c, h, w]: [i32; 4]) -> usize {
    let own = created!(cudnnCreateFilterDescriptor());
    let status = call!(cudnnSetFilter4dDescriptor(
        own => usize, element => u32, format => u32, k => i32, c => i32, h => i32, w => i32,
    ));
    assert_eq!(status, SUCCESS);
    own
}

fn convolution(dilation: i32, mode: u32, math: u32) -> usize {
    let own = created!(cudnnCreateConvolutionDescriptor());
    let status = call!(cudnnSetConvolution2dDescriptor(
        own => usize, 0 => i32, 0 => i32, 1 => i32, 1 => i32, dilation => i32, dilation => i32, mode => u32, 0 => u32,
    ));
    assert_eq!(status, SUCCESS);
    assert_eq!(call!(cudnnSetConvolutionMathType(own => usize, math => u32)), SUCCESS);
    own
}

fn forward(handle: usize, product: &Product) -> u32 {
    let Product { x, w, y, convolution, algorithm, places: [at_x, at_w, at_y], workspace } = *product;
    let (one, zero) = (1.0f32, 0.0f32);
    call!(cudnnConvolutionForward(
        handle => usize, &one => *const f32, x => usize, at_x => u64, w => usize, at_w => u64, convolution => usize,
        algorithm => u32, workspace[0] => u64, workspace[1] as usize => usize, &zero => *const f32, y => usize,
        at_y => u64,
    ))
}

fn workspace(handle: usize, product: &Product) -> Result<usize, u32> {
    let Product { x, w, y, convolution, algorithm, .. } = *product;
    let mut bytes = 0;
    let status = call!(cudnnGetConvolutionForwardWorkspaceSize(
        handle => usize, x => usize, w => usize, convolution => usize, y => usize, algorithm => u32,
        &mut bytes => *mut usize,
    ));
    if status == SUCCESS { Ok(bytes) } else { Err(status) }
}

#[test]
fn what_is_wrong_is_refused() {
    let _turn = device();
    let handle = created!(cudnnCreate());
    let mut right = Product {
        x: tensor(NHWC, 0, [1, 1, 1, 3]),
        w: filters(NHWC, 0, [1, 1, 1, 2]),
        y: tensor(NHWC, 0, [1, 1, 1, 2]),
        convolution: convolution(1, 1, 3),
        algorithm: 1,
        places: [upload::<f32>(&[1.0, 2.0, 4.0]), upload::<f32>(&[10.0, 1.0]), allocate(2)],
        workspace: [0; 2],
    };
    let bytes = workspace(handle, &right).unwrap();
    right.workspace = [allocate(bytes.div_ceil(4)), bytes as u64];
    assert_eq!(forward(handle, &right), SUCCESS);
    assert_eq!(download::<f32>(right.places[2], 2), [12.0, 24.0]);

    let [x, w, y] = right.places;
    for (what, expected, wrong) in [
        ("rows first", NOT_SUPPORTED, Product { x: tensor(NCHW, 0, [1, 1, 1, 3]), ..right.clone() }),
        (
            "filters of another layout",
            NOT_SUPPORTED,
            Product { w: filters(NCHW, 0, [1, 1, 1, 2]), ..right.clone() },
        ),
        ("another type", NOT_SUPPORTED, Product { y: tensor(NHWC, 2, [1, 1, 1, 2]), ..right.clone() }),
        (
            "an output of another size",
            BAD_PARAM,
            Product { y: tensor(NHWC, 0, [1, 1, 1, 3]), ..right.clone() },
        ),
        ("other samples", BAD_PARAM, Product { y: tensor(NHWC, 0, [2, 1, 1, 2]), ..right.clone() }),
        ("other channels", BAD_PARAM, Product { x: tensor(NHWC, 0, [1, 2, 1, 3]), ..right.clone() }),
        (
            "filters turned around",
            NOT_SUPPORTED,
            Product { convolution: convolution(1, 0, 3), ..right.clone() },
        ),
        ("half precision", NOT_SUPPORTED, Product { convolution: convolution(1, 1, 2), ..right.clone() }),
        ("an algorithm for other layouts", NOT_SUPPORTED, Product { algorithm: 4, ..right.clone() }),
        ("a filter in the place of a tensor", BAD_PARAM, Product { x: right.w, ..right.clone() }),
        (
            "a descriptor that is not set",
            BAD_PARAM,
            Product { convolution: created!(cudnnCreateConvolutionDescriptor()), ..right.clone() },
        ),
        ("too little workspace", BAD_PARAM, Product { workspace: [right.workspace[0], 3], ..right.clone() }),
        ("a null pointer", BAD_PARAM, Product { places: [x, 0, y], ..right.clone() }),
        ("a product in the place of a factor", BAD_PARAM, Product { places: [x, w, x], ..right.clone() }),
    ] {
        assert_eq!(forward(handle, &wrong), expected, "{what}");
    }
    let nobody = Product { places: [allocate(3), w, y], ..right.clone() };
    assert_ne!(forward(handle, &nobody), SUCCESS, "a factor that nobody wrote");
    let short = Product { places: [x, w, allocate(1)], ..right.clone() };
    assert_ne!(forward(handle, &short), SUCCESS, "a product that is too short");
    assert_eq!(call!(cudnnSetStream(handle => usize, 77 => usize)), SUCCESS);
    assert_ne!(forward(handle, &right), SUCCESS, "no stream");
    assert_eq!(forward(right.x, &right), BAD_PARAM);

    let own = created!(cudnnCreateTensorDescriptor());
    let status = call!(cudnnSetTensor4dDescriptor(
        own => usize, NHWC => u32, 0 => u32, 1 => i32, 0 => i32, 1 => i32, 1 => i32,
    ));
    assert_eq!(status, BAD_PARAM);
    assert_eq!(call!(cudnnSetConvolutionMathType(own => usize, 3 => u32)), BAD_PARAM);
    assert_eq!(call!(cudnnDestroyFilterDescriptor(own => usize)), BAD_PARAM);
    assert_eq!(call!(cudnnDestroyTensorDescriptor(own => usize)), SUCCESS);
    assert_eq!(call!(cudnnDestroyTensorDescriptor(own => usize)), BAD_PARAM);
    assert_eq!(call!(cudnnDestroy(handle => usize)), SUCCESS);
}

/// Sums are floats, and rounded once to the nearest even number of 8 bits; all three tensors are of one type, multiplied on tensor cores.
#[test]
fn bf16_is_added_up_in_floats() {
    const BFLOAT16: u32 = 9;
    const TENSOR_OP_MATH: u32 = 1;
    // 1, 2^-8, 1 + 2^-7 and 1 + 2^-6.
    const ONE: u16 = 0x3f80;
    const SMALL: u16 = 0x3b80;
    const NEXT: u16 = 0x3f81;
    const SECOND: u16 = 0x3f82;
    let _turn = device();
    let handle = created!(cudnnCreate());
    let mut right = Product {
        x: tensor(NHWC, BFLOAT16, [1, 1, 1, 3]),
        w: filters(NHWC, BFLOAT16, [1, 1, 1, 2]),
        y: tensor(NHWC, BFLOAT16, [1, 1, 1, 2]),
        convolution: convolution(1, 1, TENSOR_OP_MATH),
        algorithm: 1,
        // Halfway between two numbers twice: down to the even one, and up to it.
        places: [upload(&[ONE, SMALL, NEXT]), upload(&[ONE, ONE]), allocate(1)],
        workspace: [0; 2],
    };
    let bytes = workspace(handle, &right).unwrap();
    right.workspace = [allocate(bytes.div_ceil(4)), bytes as u64];
    assert_eq!(forward(handle, &right), SUCCESS);
    assert_eq!(download::<u16>(right.places[2], 2), [ONE, SECOND]);
    for (what, wrong) in [
        ("filters in f32", Product { w: filters(NHWC, 0, [1, 1, 1, 2]), ..right.clone() }),
        ("an output in f32", Product { y: tensor(NHWC, 0, [1, 1, 1, 2]), ..right.clone() }),
        ("another math", Product { convolution: convolution(1, 1, 3), ..right.clone() }),
    ] {
        assert_eq!(forward(handle, &wrong), NOT_SUPPORTED, "{what}");
    }
    assert_eq!(call!(cudnnDestroy(handle => usize)), SUCCESS);
}
