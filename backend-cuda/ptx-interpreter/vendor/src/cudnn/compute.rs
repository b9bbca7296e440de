//! cuDNN's convolutions.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    BAD_PARAM, CROSS_CORRELATION, DATA_BFLOAT16, DATA_FLOAT, DEFAULT_MATH, DEVICE_ALLOCATION_FAILED,
    EXECUTION_FAILED, FMA_MATH, NOT_SUPPORTED, SUCCESS, Status, TENSOR_NHWC, TENSOR_OP_MATH, output, parts,
    refuse, status,
};
use crate::convolution::{Product, Shapes};
use crate::device::{Element, submit};
use crate::fault::{self, Fault};
use crate::objects::{Object, find, get, put};
use crate::product::{Math, combine};

/// How a product is computed.
#[derive(Clone, Copy)]
struct Way {
    math: Math,
    /// Of all three tensors.
    element: Element,
    /// The sum of atomic additions.
    atomic: bool,
}

/// What the manual says of the algorithms for channels last, where filters and gradients lie alike.
fn way(parts: &Shapes, product: Product, algorithm: u32) -> Result<Way, Status> {
    let Shapes { x, w, y, geometry } = *parts;
    if output(x, w, geometry) != Some(y.extents) {
        return Err(refuse(
            BAD_PARAM,
            &format!("expected an output of {:?}, found {:?}", output(x, w, geometry), y.extents),
        ));
    }
    let alike = [x, w, y].iter().all(|part| (part.format, part.element) == (TENSOR_NHWC, x.element));
    if !alike
        || geometry.element != DATA_FLOAT
        || geometry.dilation != [1, 1]
        || geometry.mode != CROSS_CORRELATION
    {
        return Err(refuse(
            NOT_SUPPORTED,
            "other than sums of floats, channels last, correlated without gaps",
        ));
    }
    let (element, math) = match (x.element, geometry.math) {
        (DATA_FLOAT, FMA_MATH) => (Element::F32, Math::Single),
        (DATA_FLOAT, DEFAULT_MATH) => (Element::F32, Math::Tf32),
        // Factors are what they are.
        (DATA_BFLOAT16, TENSOR_OP_MATH) => (Element::Bf16, Math::Single),
        (number, math) => return Err(refuse(NOT_SUPPORTED, &format!("math type {math} of type {number}"))),
    };
    let atomic = match (product, algorithm) {
        (Product::Forward, 0 | 1) | (Product::Input | Product::Filters, 1) => false,
        (Product::Input | Product::Filters, 0) => true,
        _ => return Err(refuse(NOT_SUPPORTED, &format!("{product:?} by algorithm {algorithm}"))),
    };
    if fault::is(Fault::BadParameter) {
        return Err(BAD_PARAM);
    }
    if fault::is(Fault::Unsupported) { Err(NOT_SUPPORTED) } else { Ok(Way { math, element, atomic }) }
}

/// Bytes of workspace: a number that depends on the shapes.
fn workspace(parts: &Shapes) -> usize {
    if fault::is(Fault::Workspace) { 1 << 40 } else { 4 * (parts.w.len() + parts.y.extents[0]) }
}

fn workspace_size(
    handle: usize,
    parts: Option<Shapes>,
    product: Product,
    algorithm: u32,
    bytes: *mut usize,
) -> Status {
    let (Some(Object::Cudnn(_)), Some(parts)) = (find(handle), parts) else {
        return refuse(BAD_PARAM, "no such handle, or a descriptor that is not there or not set");
    };
    match way(&parts, product, algorithm) {
        Ok(_) => status(put(bytes, workspace(&parts)), "no place for the size"),
        Err(status) => status,
    }
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionForwardWorkspaceSize(
    handle: usize,
    x: usize,
    w: usize,
    convolution: usize,
    y: usize,
    algorithm: u32,
    bytes: *mut usize,
) -> Status {
    workspace_size(handle, parts(x, w, y, convolution), Product::Forward, algorithm, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardDataWorkspaceSize(
    handle: usize,
    w: usize,
    y: usize,
    convolution: usize,
    x: usize,
    algorithm: u32,
    bytes: *mut usize,
) -> Status {
    workspace_size(handle, parts(x, w, y, convolution), Product::Input, algorithm, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardFilterWorkspaceSize(
    handle: usize,
    x: usize,
    y: usize,
    convolution: usize,
    w: usize,
    algorithm: u32,
    bytes: *mut usize,
) -> Status {
    workspace_size(handle, parts(x, w, y, convolution), Product::Filters, algorithm, bytes)
}

/// What every product is given.
struct Call {
    handle: usize,
    parts: Option<Shapes>,
    product: Product,
    algorithm: u32,
    factors: [u64; 2],
    to: u64,
    scales: [*const f32; 2],
    workspace: u64,
    workspace_bytes: usize,
}

fn compute(call: &Call) -> Status {
    let &Call { product, factors, to, workspace: at, .. } = call;
    let (Some(Object::Cudnn(stream)), Some(parts)) = (find(call.handle), call.parts) else {
        return refuse(BAD_PARAM, "no such handle, or a descriptor that is not there or not set");
    };
    let way = match way(&parts, product, call.algorithm) {
        Ok(way) => way,
        Err(status) => return status,
    };
    let (Some(alpha), Some(beta)) = (get(call.scales[0]), get(call.scales[1])) else {
        return refuse(BAD_PARAM, "no scales");
    };
    let wanted = workspace(&parts);
    if call.workspace_bytes < wanted || at == 0 {
        return refuse(
            BAD_PARAM,
            &format!("{} bytes of workspace, {wanted} are needed", call.workspace_bytes),
        );
    }
    if factors.contains(&0) || to == 0 || factors.contains(&to) {
        return refuse(BAD_PARAM, "a null pointer, or a product in the place of a factor");
    }
    if fault::is(Fault::Failing) {
        return EXECUTION_FAILED;
    }
    if fault::is(Fault::OutOfMemory) {
        return DEVICE_ALLOCATION_FAILED;
    }
    let lens = match product {
        Product::Forward => [parts.x.len(), parts.w.len(), parts.y.len()],
        Product::Input => [parts.y.len(), parts.w.len(), parts.x.len()],
        Product::Filters => [parts.x.len(), parts.y.len(), parts.w.len()],
    };
    let work = move |memory: &crate::device::Memory| {
        let left = way.math.factors(memory.read(way.element, factors[0], lens[0])?);
        let right = way.math.factors(memory.read(way.element, factors[1], lens[1])?);
        let mut result = parts.product(product, &left, &right);
        if way.atomic {
            // The last place of every other result is another.
            static ODD: AtomicBool = AtomicBool::new(false);
            if ODD.fetch_not(Ordering::SeqCst) {
                result.iter_mut().for_each(|value| *value = f32::from_bits(value.to_bits() ^ 1));
            }
        }
        memory.scribble(at, wanted)?;
        let before = || memory.read(way.element, to, lens[2]);
        memory.write(way.element, to, &combine(alpha, beta, result, before)?)
    };
    match submit(stream, work) {
        Ok(()) => SUCCESS,
        Err(code) => refuse(EXECUTION_FAILED, &format!("the driver answers {code}")),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionForward(
    handle: usize,
    alpha: *const f32,
    x_tensor: usize,
    x: u64,
    w_filters: usize,
    w: u64,
    convolution: usize,
    algorithm: u32,
    workspace: u64,
    workspace_bytes: usize,
    beta: *const f32,
    y_tensor: usize,
    y: u64,
) -> Status {
    compute(&Call {
        handle,
        parts: parts(x_tensor, w_filters, y_tensor, convolution),
        product: Product::Forward,
        algorithm,
        factors: [x, w],
        to: y,
        scales: [alpha, beta],
        workspace,
        workspace_bytes,
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionBackwardData(
    handle: usize,
    alpha: *const f32,
    w_filters: usize,
    w: u64,
    dy_tensor: usize,
    dy: u64,
    convolution: usize,
    algorithm: u32,
    workspace: u64,
    workspace_bytes: usize,
    beta: *const f32,
    dx_tensor: usize,
    dx: u64,
) -> Status {
    compute(&Call {
        handle,
        parts: parts(dx_tensor, w_filters, dy_tensor, convolution),
        product: Product::Input,
        algorithm,
        factors: [dy, w],
        to: dx,
        scales: [alpha, beta],
        workspace,
        workspace_bytes,
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnConvolutionBackwardFilter(
    handle: usize,
    alpha: *const f32,
    x_tensor: usize,
    x: u64,
    dy_tensor: usize,
    dy: u64,
    convolution: usize,
    algorithm: u32,
    workspace: u64,
    workspace_bytes: usize,
    beta: *const f32,
    dw_filters: usize,
    dw: u64,
) -> Status {
    compute(&Call {
        handle,
        parts: parts(x_tensor, dw_filters, dy_tensor, convolution),
        product: Product::Filters,
        algorithm,
        factors: [x, dy],
        to: dw,
        scales: [alpha, beta],
        workspace,
        workspace_bytes,
    })
}
