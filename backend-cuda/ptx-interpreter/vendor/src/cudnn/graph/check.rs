//! What may be described: the documentation's demands on descriptors, and on graphs that an engine takes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Backend, Engine, Finished, Operation, Tensor, Values, Window, finished, kind};
use crate::convolution::Product;
use crate::cudnn::{
    BAD_PARAM, CROSS_CORRELATION, DATA_BFLOAT16, DATA_FLOAT, DEVICE_ALLOCATION_FAILED, NOT_SUPPORTED, Status,
    refuse,
};
use crate::fault::{self, Fault};
use crate::objects::{Object, find};

const ADD: u32 = 0;
const IDENTITY: u32 = 21;

impl Backend {
    fn integers(&self, name: u32) -> Option<&[i64]> {
        match self.attributes.get(&name)? {
            Values::Integers(values) => Some(values),
            _ => None,
        }
    }

    fn number(&self, name: u32) -> Option<u32> {
        match self.attributes.get(&name)? {
            Values::Numbers(values) => values.first().copied(),
            _ => None,
        }
    }

    fn places(&self, name: u32) -> Option<&[u64]> {
        match self.attributes.get(&name)? {
            Values::Places(values) => Some(values),
            _ => None,
        }
    }

    fn is_float(&self, name: u32, value: f32) -> bool {
        self.attributes.get(&name) == Some(&Values::Floats(vec![value]))
    }

    /// What a link is to.
    fn link(&self, name: u32) -> Option<Arc<Finished>> {
        finished(*self.places(name)?.first()? as usize)
    }

    fn tensor(&self, name: u32) -> Option<Tensor> {
        match *self.link(name)? {
            Finished::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    fn pair(&self, name: u32, least: i64) -> Option<[usize; 2]> {
        let values: [i64; 2] = self.integers(name)?.try_into().ok()?;
        values.iter().all(|value| *value >= least).then(|| values.map(|value| value as usize))
    }

    fn has_handle(&self, name: u32) -> bool {
        let handle = self.places(name).and_then(|places| places.first().copied());
        handle.is_some_and(|handle| matches!(find(handle as usize), Some(Object::Cudnn(_))))
    }
}

/// What a descriptor describes; its status where that is wrong, or there is no such thing.
pub fn finish(own: &Backend) -> Result<Finished, Status> {
    let wrong = |what: &str| refuse(BAD_PARAM, what);
    match own.kind {
        kind::TENSOR => tensor(own),
        kind::CONVOLUTION => convolution(own),
        kind::POINTWISE => match (own.number(0), own.number(1)) {
            (Some(mode @ (ADD | IDENTITY)), Some(DATA_FLOAT)) => Ok(Finished::Pointwise(mode)),
            found => Err(refuse(NOT_SUPPORTED, &format!("pointwise mode and precision {found:?}"))),
        },
        kind::FORWARD_OPERATION
        | kind::INPUT_OPERATION
        | kind::FILTERS_OPERATION
        | kind::POINTWISE_OPERATION
        | kind::SUMS_OPERATION => {
            let made =
                operation(own).ok_or_else(|| wrong("an operation on what does not fit, or is not there"))?;
            Ok(Finished::Operation(made))
        }
        kind::GRAPH => graph(own),
        kind::HEURISTICS => {
            if fault::is(Fault::GraphBadParameter) {
                return Err(BAD_PARAM);
            }
            match (own.link(201).as_deref(), own.number(200)) {
                (Some(Finished::Graph(graph)), Some(mode @ 0..=3)) => {
                    Ok(Finished::Heuristics(Arc::clone(graph), mode))
                }
                _ => Err(wrong("heuristics of no graph, or of no mode")),
            }
        }
        kind::PLAN => {
            let Some(Finished::Configuration(engine)) = own.link(401).as_deref().cloned() else {
                return Err(wrong("a plan of no engine"));
            };
            if !own.has_handle(400) {
                return Err(wrong("a plan without a handle"));
            }
            if fault::is(Fault::PlanOutOfMemory) {
                return Err(DEVICE_ALLOCATION_FAILED);
            }
            supported(&engine)?;
            Ok(Finished::Plan(engine))
        }
        kind::PACK => {
            let (Some(ids), Some(places)) = (own.integers(1000), own.places(1001)) else {
                return Err(wrong("a pack without tensors"));
            };
            if ids.len() != places.len() || places.contains(&0) {
                return Err(wrong("a tensor without a place"));
            }
            let places: HashMap<i64, u64> = ids.iter().copied().zip(places.iter().copied()).collect();
            let workspace = own.places(1003).map_or(0, |places| places[0]);
            Ok(Finished::Pack { places, workspace })
        }
        kind => Err(wrong(&format!("descriptors of kind {kind} are made by the library"))),
    }
}

fn tensor(own: &Backend) -> Result<Finished, Status> {
    let described = || {
        let extents: [i64; 4] = own.integers(902)?.try_into().ok()?;
        let strides: [i64; 4] = own.integers(903)?.try_into().ok()?;
        let is_virtual = own.attributes.get(&907) == Some(&Values::Flags(vec![1]));
        let alignment = u64::try_from(own.integers(900)?[0]).ok().filter(|bytes| bytes.is_power_of_two())?;
        let positive = extents.iter().all(|extent| *extent > 0);
        let (id, number) = (own.integers(906)?[0], own.number(901)?);
        let extents_wide = extents;
        let extents = extents.map(|extent| extent as usize);
        positive.then_some((Tensor { id, number, extents, alignment, is_virtual }, extents_wide, strides))
    };
    let (tensor, [_, c, h, w], strides) =
        described().ok_or_else(|| refuse(BAD_PARAM, "a tensor of which something is not said"))?;
    if strides != [c * h * w, 1, w * c, c] || ![DATA_FLOAT, DATA_BFLOAT16].contains(&tensor.number) {
        return Err(refuse(NOT_SUPPORTED, "other than packed floats or bfloat16, channels last"));
    }
    Ok(Finished::Tensor(tensor))
}

fn convolution(own: &Backend) -> Result<Finished, Status> {
    let described = || {
        let (before, behind) = (own.pair(105, 0)?, own.pair(104, 0)?);
        Some((Window { strides: own.pair(103, 1)?, before, behind }, own.pair(102, 1)?, own.integers(106)?))
    };
    let (window, dilations, dimensions) =
        described().ok_or_else(|| refuse(BAD_PARAM, "a convolution of which something is not said"))?;
    let mode = (own.number(100), own.number(101));
    if dilations != [1, 1] || dimensions != [2] || mode != (Some(DATA_FLOAT), Some(CROSS_CORRELATION)) {
        return Err(refuse(NOT_SUPPORTED, "other than sums of floats, correlated without gaps"));
    }
    Ok(Finished::Convolution(window))
}

fn operation(own: &Backend) -> Option<Operation> {
    match own.kind {
        kind::FORWARD_OPERATION | kind::INPUT_OPERATION | kind::FILTERS_OPERATION => {
            // Of each attribute its number; of tensors those of image, filters and output.
            let (product, [alpha, beta, window, x, w, y]) = match own.kind {
                kind::FORWARD_OPERATION => (Product::Forward, [700, 701, 702, 704, 703, 705]),
                kind::INPUT_OPERATION => (Product::Input, [706, 707, 708, 710, 709, 711]),
                _ => (Product::Filters, [712, 713, 714, 716, 715, 717]),
            };
            let Finished::Convolution(window) = *own.link(window)? else { return None };
            let (x, w, y) = (own.tensor(x)?, own.tensor(w)?, own.tensor(y)?);
            let extent = |axis: usize| {
                let padded = x.extents[2 + axis] + window.before[axis] + window.behind[axis];
                padded.checked_sub(w.extents[2 + axis]).map(|left| left / window.strides[axis] + 1)
            };
            let expected = [x.extents[0], w.extents[0], extent(0)?, extent(1)?];
            let fits = x.extents[1] == w.extents[1] && y.extents == expected;
            let scaled = own.is_float(alpha, 1.0) && own.is_float(beta, 0.0);
            (fits && scaled).then_some(Operation::Convolution { product, window, x, w, y })
        }
        kind::POINTWISE_OPERATION => {
            let Finished::Pointwise(mode) = *own.link(750)? else { return None };
            let (x, b, y) = (own.tensor(751)?, own.tensor(752), own.tensor(753)?);
            let fits = x.extents == y.extents && b.is_none_or(|b| b.extents == y.extents);
            (fits && b.is_some() == (mode == ADD)).then_some(Operation::Pointwise { x, b, y })
        }
        _ => {
            let (x, sums, squares) = (own.tensor(772)?, own.tensor(773)?, own.tensor(774)?);
            let channels = [1, x.extents[1], 1, 1];
            let fits = [sums, squares]
                .iter()
                .all(|tensor| (tensor.extents, tensor.number) == (channels, DATA_FLOAT));
            let modes = (own.number(770), own.number(771)) == (Some(0), Some(DATA_FLOAT));
            (fits && modes).then_some(Operation::Sums { x, sums, squares })
        }
    }
}

fn graph(own: &Backend) -> Result<Finished, Status> {
    let operations: Option<Vec<Operation>> = own.places(801).and_then(|places| {
        let operation = |place: &u64| match *finished(*place as usize)? {
            Finished::Operation(operation) => Some(operation),
            _ => None,
        };
        places.iter().map(operation).collect()
    });
    let Some(operations) = operations.filter(|_| own.has_handle(800)) else {
        return Err(refuse(BAD_PARAM, "a graph of no operations, or without a handle"));
    };
    let mut made = HashSet::new();
    for operation in &operations {
        let (from, to) = tensors(operation);
        if from.iter().any(|tensor| tensor.is_virtual && !made.contains(&tensor.id)) {
            return Err(refuse(BAD_PARAM, "a virtual tensor that no operation before has made"));
        }
        if !to.iter().all(|tensor| made.insert(tensor.id)) {
            return Err(refuse(BAD_PARAM, "a tensor that two operations make"));
        }
    }
    Ok(Finished::Graph(Arc::new(operations)))
}

/// What an operation reads, and what it makes.
pub fn tensors(operation: &Operation) -> (Vec<Tensor>, Vec<Tensor>) {
    match *operation {
        Operation::Convolution { product: Product::Forward, x, w, y, .. } => (vec![x, w], vec![y]),
        Operation::Convolution { product: Product::Input, x, w, y, .. } => (vec![y, w], vec![x]),
        Operation::Convolution { product: Product::Filters, x, w, y, .. } => (vec![x, y], vec![w]),
        Operation::Pointwise { x, b, y } => ([Some(x), b].into_iter().flatten().collect(), vec![y]),
        Operation::Sums { x, sums, squares } => (vec![x], vec![sums, squares]),
    }
}

/// The engines that heuristics of a mode know for a graph.
pub fn engines(graph: &Arc<Vec<Operation>>, mode: u32) -> Vec<Engine> {
    const FALLBACK: u32 = 2;
    if mode == FALLBACK || fault::is(Fault::NoEngine) || fault::is(Fault::Unsupported) {
        return Vec::new();
    }
    let engine =
        |(deterministic, tensor_cores)| Engine { graph: Arc::clone(graph), deterministic, tensor_cores };
    [(false, true), (true, true), (true, false)].map(engine).into()
}

/// What engines that fuse at run time take: a convolution first, for tensor cores by its channels, and sums of floats. A product of
/// floats alone needs no tensor cores.
fn supported(engine: &Engine) -> Result<(), Status> {
    let graph = &engine.graph;
    let Some(Operation::Convolution { x, w, .. }) = graph.first() else {
        return Err(refuse(NOT_SUPPORTED, "a graph that does not begin with a convolution"));
    };
    if !engine.tensor_cores {
        let alone = graph.len() == 1 && x.number == DATA_FLOAT;
        return if alone { Ok(()) } else { Err(refuse(NOT_SUPPORTED, "fused without tensor cores")) };
    }
    let multiple = if x.number == DATA_BFLOAT16 { 8 } else { 4 };
    if x.number != w.number || w.extents[..2].iter().any(|channels| !channels.is_multiple_of(multiple)) {
        return Err(refuse(NOT_SUPPORTED, "channels that are no multiple of what tensor cores take"));
    }
    let floats = |operation: &Operation| match operation {
        Operation::Sums { x, .. } => x.number == DATA_FLOAT,
        _ => true,
    };
    if graph.iter().all(floats) { Ok(()) } else { Err(refuse(NOT_SUPPORTED, "sums of other than floats")) }
}
