//! Executing a graph: operation by operation, each tensor rounded to what it is described as.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Engine, Finished, Operation, Tensor, check::tensors, finished};
use crate::convolution::Shapes;
use crate::cudnn::{
    self, BAD_PARAM, CROSS_CORRELATION, DATA_BFLOAT16, DATA_FLOAT, DEFAULT_MATH, DEVICE_ALLOCATION_FAILED,
    EXECUTION_FAILED, SUCCESS, Status, TENSOR_NHWC, refuse,
};
use crate::device::{Element, Memory, rounded, submit};
use crate::fault::{self, Fault};
use crate::objects::{Object, find};
use crate::product::{Math, combine};

impl Tensor {
    fn element(&self) -> Element {
        if self.number == DATA_BFLOAT16 { Element::Bf16 } else { Element::F32 }
    }

    /// As the older functions have it.
    fn described(&self) -> cudnn::Tensor {
        cudnn::Tensor { extents: self.extents, format: TENSOR_NHWC, element: self.number }
    }
}

#[unsafe(no_mangle)]
extern "C" fn cudnnBackendExecute(handle: usize, plan: usize, pack: usize) -> Status {
    let (Some(Object::Cudnn(stream)), Some(plan), Some(pack)) =
        (find(handle), finished(plan), finished(pack))
    else {
        return refuse(BAD_PARAM, "no such handle, or a descriptor that is not finished");
    };
    let (Finished::Plan(engine), Finished::Pack { places, workspace }) = (&*plan, &*pack) else {
        return refuse(BAD_PARAM, "not a plan and a pack");
    };
    let real: Vec<Tensor> = engine
        .graph
        .iter()
        .flat_map(|operation| {
            let (from, to) = tensors(operation);
            from.into_iter().chain(to)
        })
        .filter(|tensor| !tensor.is_virtual)
        .collect();
    let fits =
        |tensor: &Tensor| places.get(&tensor.id).is_some_and(|place| place.is_multiple_of(tensor.alignment));
    if *workspace == 0 || !real.iter().all(fits) {
        return refuse(BAD_PARAM, "no workspace, or a tensor that is nowhere or not aligned as was said");
    }
    if fault::is(Fault::Failing) {
        return EXECUTION_FAILED;
    }
    if fault::is(Fault::OutOfMemory) {
        return DEVICE_ALLOCATION_FAILED;
    }
    let (engine, places, workspace) = (engine.clone(), places.clone(), *workspace);
    match submit(stream, move |memory| run(memory, &engine, &places, workspace)) {
        Ok(()) => SUCCESS,
        Err(code) => refuse(EXECUTION_FAILED, &format!("the driver answers {code}")),
    }
}

fn run(memory: &Memory, engine: &Engine, places: &HashMap<i64, u64>, workspace: u64) -> Result<(), u32> {
    // What is in registers: a tensor that an operation has made, as it was rounded.
    let mut made: HashMap<i64, Vec<f32>> = HashMap::new();
    let read = |made: &HashMap<i64, Vec<f32>>, tensor: &Tensor| match made.get(&tensor.id) {
        Some(values) => Ok(values.clone()),
        None => memory.read(tensor.element(), places[&tensor.id], tensor.extents.iter().product()),
    };
    memory.scribble(workspace, engine.workspace().min(1 << 16))?;
    for operation in engine.graph.iter() {
        let results = match *operation {
            Operation::Convolution { product, window, x, w, y } => {
                let (from, to) = tensors(operation);
                let (left, right) = (read(&made, &from[0])?, read(&made, &from[1])?);
                // Factors in bf16 are what they are.
                let cut = engine.tensor_cores && x.number == DATA_FLOAT;
                let math = if cut { Math::Tf32 } else { Math::Single };
                let geometry = cudnn::Geometry {
                    padding: window.before,
                    strides: window.strides,
                    dilation: [1, 1],
                    mode: CROSS_CORRELATION,
                    element: DATA_FLOAT,
                    math: DEFAULT_MATH,
                };
                let shapes = Shapes { x: x.described(), w: w.described(), y: y.described(), geometry };
                let mut product = shapes.product(product, &math.factors(left), &math.factors(right));
                if !engine.deterministic {
                    static ODD: AtomicBool = AtomicBool::new(false);
                    if ODD.fetch_not(Ordering::SeqCst) {
                        product.iter_mut().for_each(|value| *value = f32::from_bits(value.to_bits() ^ 1));
                    }
                }
                vec![(to[0], combine(1.0, 0.0, product, || Ok(Vec::new()))?)]
            }
            Operation::Pointwise { x, b, y } => {
                let mut values = read(&made, &x)?;
                if let Some(b) = b {
                    for (value, more) in values.iter_mut().zip(read(&made, &b)?) {
                        *value += more;
                    }
                }
                vec![(y, values)]
            }
            Operation::Sums { x, sums, squares } => {
                let [first, second] = add_up(&read(&made, &x)?, x.extents[1]);
                vec![(sums, first), (squares, second)]
            }
        };
        for (tensor, mut values) in results {
            values.iter_mut().for_each(|value| *value = rounded(tensor.element(), *value));
            if !tensor.is_virtual {
                memory.write(tensor.element(), places[&tensor.id], &values)?;
            }
            made.insert(tensor.id, values);
        }
    }
    Ok(())
}

/// Sums of each channel's values and of their squares, in floats: of tiles of rows first, as the blocks of a product have them.
fn add_up(values: &[f32], channels: usize) -> [Vec<f32>; 2] {
    const ROWS: usize = 128;
    let mut all = [vec![0.0f32; channels], vec![0.0f32; channels]];
    let rows =
        if fault::is(Fault::WrongSums) { values.len() / channels / 2 } else { values.len() / channels };
    for tile in values[..rows * channels].chunks(ROWS * channels) {
        let mut own = [vec![0.0f32; channels], vec![0.0f32; channels]];
        for row in tile.chunks_exact(channels) {
            for (c, value) in row.iter().enumerate() {
                own[0][c] += value;
                own[1][c] = value.mul_add(*value, own[1][c]);
            }
        }
        for (all, own) in all.iter_mut().zip(&own) {
            all.iter_mut().zip(own).for_each(|(all, own)| *all += own);
        }
    }
    all
}
