//! cuDNN: its handles and descriptors.

mod compute;
mod graph;

pub use graph::Backend;

use std::ffi::{CStr, c_char, c_int};

use crate::convolution::Shapes;
use crate::device::has_context;
use crate::objects::{Object, change, create, destroy, find, put};

type Status = u32;
const SUCCESS: Status = 0;
const NOT_INITIALIZED: Status = 1001;
const BAD_PARAM: Status = 2000;
const NOT_SUPPORTED: Status = 3000;
const DEVICE_ALLOCATION_FAILED: Status = 4004;
const EXECUTION_FAILED: Status = 5000;

const TENSOR_NHWC: u32 = 1;
const DATA_FLOAT: u32 = 0;
const DATA_BFLOAT16: u32 = 9;
const CROSS_CORRELATION: u32 = 1;
const DEFAULT_MATH: u32 = 0;
const TENSOR_OP_MATH: u32 = 1;
const FMA_MATH: u32 = 3;

/// Says what is wrong.
fn refuse(status: Status, what: &str) -> Status {
    eprintln!("vendor-stand-in: cuDNN: {what}");
    status
}

fn status(done: bool, what: &str) -> Status {
    if done { SUCCESS } else { refuse(BAD_PARAM, what) }
}

/// A tensor, channels last: samples, channels, rows, columns; of filters, filters first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tensor {
    pub extents: [usize; 4],
    format: u32,
    element: u32,
}

impl Tensor {
    pub fn len(&self) -> usize {
        self.extents.iter().product()
    }
}

/// What a convolution does.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    pub padding: [usize; 2],
    pub strides: [usize; 2],
    dilation: [usize; 2],
    mode: u32,
    element: u32,
    math: u32,
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetVersion() -> usize {
    91_002
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetErrorString(status: Status) -> *const c_char {
    let text: &CStr = match status {
        SUCCESS => c"CUDNN_STATUS_SUCCESS",
        NOT_INITIALIZED => c"CUDNN_STATUS_NOT_INITIALIZED",
        BAD_PARAM => c"CUDNN_STATUS_BAD_PARAM",
        NOT_SUPPORTED => c"CUDNN_STATUS_NOT_SUPPORTED",
        DEVICE_ALLOCATION_FAILED => c"CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        EXECUTION_FAILED => c"CUDNN_STATUS_EXECUTION_FAILED",
        _ => c"CUDNN_UNKNOWN_STATUS",
    };
    text.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn cudnnCreate(handle: *mut usize) -> Status {
    if !has_context() {
        return refuse(NOT_INITIALIZED, "no context is current");
    }
    status(create(handle, Object::Cudnn(0)), "no place for the handle")
}

#[unsafe(no_mangle)]
extern "C" fn cudnnDestroy(handle: usize) -> Status {
    status(destroy(handle, |object| matches!(object, Object::Cudnn(_))), "no such handle")
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetStream(handle: usize, stream: usize) -> Status {
    let changed = change(handle, |object| match object {
        Object::Cudnn(own) => {
            *own = stream;
            true
        }
        _ => false,
    });
    status(changed, "no such handle")
}

/// The four extents of a tensor or of filters.
fn tensor(extents: [c_int; 4], format: u32, element: u32) -> Option<Tensor> {
    let positive = |extent: c_int| usize::try_from(extent).ok().filter(|extent| *extent > 0);
    let [n, c, h, w] = extents.map(positive);
    (format <= 2).then_some(Tensor { extents: [n?, c?, h?, w?], format, element })
}

macro_rules! descriptor {
    ($Kind:ident, $create:ident, $destroy:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $create(place: *mut usize) -> Status {
            status(create(place, Object::$Kind(None)), "no place for the descriptor")
        }

        #[unsafe(no_mangle)]
        extern "C" fn $destroy(descriptor: usize) -> Status {
            status(destroy(descriptor, |object| matches!(object, Object::$Kind(_))), "no such descriptor")
        }
    };
}

descriptor!(Tensor, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor);
descriptor!(Filters, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor);
descriptor!(Convolution, cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor);

#[unsafe(no_mangle)]
extern "C" fn cudnnSetTensor4dDescriptor(
    descriptor: usize,
    format: u32,
    element: u32,
    n: c_int,
    c: c_int,
    h: c_int,
    w: c_int,
) -> Status {
    let Some(tensor) = tensor([n, c, h, w], format, element) else {
        return refuse(BAD_PARAM, &format!("a tensor of {n} x {c} x {h} x {w}, format {format}"));
    };
    let changed = change(descriptor, |object| match object {
        Object::Tensor(own) => {
            *own = Some(tensor);
            true
        }
        _ => false,
    });
    status(changed, "no such tensor")
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetFilter4dDescriptor(
    descriptor: usize,
    element: u32,
    format: u32,
    k: c_int,
    c: c_int,
    h: c_int,
    w: c_int,
) -> Status {
    let Some(tensor) = tensor([k, c, h, w], format, element) else {
        return refuse(BAD_PARAM, &format!("filters of {k} x {c} x {h} x {w}, format {format}"));
    };
    let changed = change(descriptor, |object| match object {
        Object::Filters(own) => {
            *own = Some(tensor);
            true
        }
        _ => false,
    });
    status(changed, "no such filters")
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolution2dDescriptor(
    descriptor: usize,
    pad_h: c_int,
    pad_w: c_int,
    stride_h: c_int,
    stride_w: c_int,
    dilation_h: c_int,
    dilation_w: c_int,
    mode: u32,
    element: u32,
) -> Status {
    let pair = |values: [c_int; 2], least: c_int| {
        (values.iter().all(|value| *value >= least)).then(|| values.map(|value| value as usize))
    };
    let (Some(padding), Some(strides), Some(dilation)) =
        (pair([pad_h, pad_w], 0), pair([stride_h, stride_w], 1), pair([dilation_h, dilation_w], 1))
    else {
        return refuse(BAD_PARAM, "a negative padding, or no stride or dilation");
    };
    if mode > 1 {
        return refuse(BAD_PARAM, &format!("mode {mode}"));
    }
    let geometry = Geometry { padding, strides, dilation, mode, element, math: DEFAULT_MATH };
    let changed = change(descriptor, |object| match object {
        Object::Convolution(own) => {
            *own = Some(geometry);
            true
        }
        _ => false,
    });
    status(changed, "no such convolution")
}

#[unsafe(no_mangle)]
extern "C" fn cudnnSetConvolutionMathType(descriptor: usize, math: u32) -> Status {
    let changed = change(descriptor, |object| match object {
        Object::Convolution(Some(own)) if math <= FMA_MATH => {
            own.math = math;
            true
        }
        _ => false,
    });
    status(changed, &format!("no such convolution, or no such math type as {math}"))
}

/// What the descriptors say, if they are there and set.
fn parts(x: usize, w: usize, y: usize, convolution: usize) -> Option<Shapes> {
    match (find(x)?, find(w)?, find(y)?, find(convolution)?) {
        (
            Object::Tensor(Some(x)),
            Object::Filters(Some(w)),
            Object::Tensor(Some(y)),
            Object::Convolution(Some(geometry)),
        ) => Some(Shapes { x, w, y, geometry }),
        _ => None,
    }
}

/// Samples, filters, rows and columns of the output.
fn output(x: Tensor, w: Tensor, geometry: Geometry) -> Option<[usize; 4]> {
    let [n, c, ..] = x.extents;
    let extent = |axis: usize| {
        let span = (w.extents[2 + axis] - 1) * geometry.dilation[axis] + 1;
        let padded = x.extents[2 + axis] + 2 * geometry.padding[axis];
        padded.checked_sub(span).map(|left| left / geometry.strides[axis] + 1)
    };
    (c == w.extents[1]).then_some([n, w.extents[0], extent(0)?, extent(1)?])
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolution2dForwardOutputDim(
    convolution: usize,
    x: usize,
    w: usize,
    n: *mut c_int,
    c: *mut c_int,
    height: *mut c_int,
    width: *mut c_int,
) -> Status {
    let found = parts(x, w, x, convolution).and_then(|parts| output(parts.x, parts.w, parts.geometry));
    let Some(found) = found else { return refuse(BAD_PARAM, "descriptors that don't fit") };
    let done =
        [n, c, height, width].into_iter().zip(found).all(|(place, extent)| put(place, extent as c_int));
    status(done, "no place for the extents")
}
