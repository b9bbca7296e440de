//! cuDNN's graph interface: descriptors with attributes of types, as its documentation has them.

mod check;
mod execute;

use std::collections::HashMap;
use std::sync::Arc;

use super::{BAD_PARAM, NOT_SUPPORTED, Status, refuse, status};
use crate::convolution::Product;
use crate::fault::{self, Fault};
use crate::objects::{Object, change, create, destroy, find, get, put};

/// A descriptor of the graph interface.
#[derive(Debug, Clone)]
pub struct Backend {
    kind: u32,
    /// By their names.
    attributes: HashMap<u32, Values>,
    /// What it describes, once it is finished.
    finished: Option<Arc<Finished>>,
}

/// Values of an attribute.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    Integers(Vec<i64>),
    Floats(Vec<f32>),
    Flags(Vec<u8>),
    /// Of an enumeration.
    Numbers(Vec<u32>),
    /// Handles, descriptors and addresses.
    Places(Vec<u64>),
}

/// A tensor; virtual ones are nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tensor {
    id: i64,
    number: u32,
    extents: [usize; 4],
    alignment: u64,
    is_virtual: bool,
}

#[derive(Debug, Clone)]
enum Finished {
    Tensor(Tensor),
    Convolution(Window),
    Pointwise(u32),
    Operation(Operation),
    Graph(Arc<Vec<Operation>>),
    /// The engines for a graph.
    Heuristics(Arc<Vec<Operation>>, u32),
    Configuration(Engine),
    Engine(Engine),
    Plan(Engine),
    Pack {
        places: HashMap<i64, u64>,
        workspace: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Window {
    strides: [usize; 2],
    before: [usize; 2],
    behind: [usize; 2],
}

/// An operation, from and to tensors.
#[derive(Debug, Clone, Copy)]
enum Operation {
    /// The product of two of the three tensors, the third.
    Convolution {
        product: Product,
        window: Window,
        x: Tensor,
        w: Tensor,
        y: Tensor,
    },
    /// Of two tensors a sum, of one itself.
    Pointwise {
        x: Tensor,
        b: Option<Tensor>,
        y: Tensor,
    },
    Sums {
        x: Tensor,
        sums: Tensor,
        squares: Tensor,
    },
}

/// An engine for a graph. The first one that heuristics recommend gives other last bits each time, the second is for tensor cores too,
/// and the last one multiplies floats as they are.
#[derive(Debug, Clone)]
struct Engine {
    graph: Arc<Vec<Operation>>,
    deterministic: bool,
    tensor_cores: bool,
}

impl Engine {
    fn workspace(&self) -> usize {
        if fault::is(Fault::Workspace) { 1 << 40 } else { 256 + 16 * self.graph.len() }
    }
}

const TENSOR_CORE: u32 = 0;
const NONDETERMINISTIC: u32 = 4;

/// Kinds of descriptors.
mod kind {
    pub const POINTWISE: u32 = 0;
    pub const CONVOLUTION: u32 = 1;
    pub const ENGINE: u32 = 2;
    pub const CONFIGURATION: u32 = 3;
    pub const HEURISTICS: u32 = 4;
    pub const PLAN: u32 = 5;
    pub const FORWARD_OPERATION: u32 = 10;
    pub const FILTERS_OPERATION: u32 = 11;
    pub const INPUT_OPERATION: u32 = 12;
    pub const POINTWISE_OPERATION: u32 = 13;
    pub const SUMS_OPERATION: u32 = 14;
    pub const GRAPH: u32 = 15;
    pub const PACK: u32 = 16;
    pub const TENSOR: u32 = 17;
}

/// Types of attributes.
mod types {
    pub const HANDLE: u32 = 0;
    pub const DATA_TYPE: u32 = 1;
    pub const BOOLEAN: u32 = 2;
    pub const INT64: u32 = 3;
    pub const FLOAT: u32 = 4;
    pub const VOID_PTR: u32 = 6;
    pub const CONVOLUTION_MODE: u32 = 7;
    pub const HEUR_MODE: u32 = 8;
    pub const NUMERICAL_NOTE: u32 = 11;
    pub const POINTWISE_MODE: u32 = 14;
    pub const DESCRIPTOR: u32 = 15;
    pub const SUMS_MODE: u32 = 16;
}

/// Of an attribute the kind of descriptor that has it, its type and how many values it may have.
fn attribute(name: u32) -> Option<(u32, u32, std::ops::RangeInclusive<i64>)> {
    let (kind, r#type, count) = match name {
        0 => (kind::POINTWISE, types::POINTWISE_MODE, 1..=1),
        1 => (kind::POINTWISE, types::DATA_TYPE, 1..=1),
        100 => (kind::CONVOLUTION, types::DATA_TYPE, 1..=1),
        101 => (kind::CONVOLUTION, types::CONVOLUTION_MODE, 1..=1),
        102..=105 => (kind::CONVOLUTION, types::INT64, 2..=2),
        106 => (kind::CONVOLUTION, types::INT64, 1..=1),
        200 => (kind::HEURISTICS, types::HEUR_MODE, 1..=1),
        201 => (kind::HEURISTICS, types::DESCRIPTOR, 1..=1),
        400 => (kind::PLAN, types::HANDLE, 1..=1),
        401 => (kind::PLAN, types::DESCRIPTOR, 1..=1),
        700 | 701 => (kind::FORWARD_OPERATION, types::FLOAT, 1..=1),
        702..=705 => (kind::FORWARD_OPERATION, types::DESCRIPTOR, 1..=1),
        706 | 707 => (kind::INPUT_OPERATION, types::FLOAT, 1..=1),
        708..=711 => (kind::INPUT_OPERATION, types::DESCRIPTOR, 1..=1),
        712 | 713 => (kind::FILTERS_OPERATION, types::FLOAT, 1..=1),
        714..=717 => (kind::FILTERS_OPERATION, types::DESCRIPTOR, 1..=1),
        750..=753 => (kind::POINTWISE_OPERATION, types::DESCRIPTOR, 1..=1),
        770 => (kind::SUMS_OPERATION, types::SUMS_MODE, 1..=1),
        771 => (kind::SUMS_OPERATION, types::DATA_TYPE, 1..=1),
        772..=774 => (kind::SUMS_OPERATION, types::DESCRIPTOR, 1..=1),
        800 => (kind::GRAPH, types::HANDLE, 1..=1),
        801 => (kind::GRAPH, types::DESCRIPTOR, 1..=16),
        900 | 906 => (kind::TENSOR, types::INT64, 1..=1),
        901 => (kind::TENSOR, types::DATA_TYPE, 1..=1),
        902 | 903 => (kind::TENSOR, types::INT64, 4..=4),
        907 => (kind::TENSOR, types::BOOLEAN, 1..=1),
        1000 => (kind::PACK, types::INT64, 1..=64),
        1001 => (kind::PACK, types::VOID_PTR, 1..=64),
        1003 => (kind::PACK, types::VOID_PTR, 1..=1),
        _ => return None,
    };
    Some((kind, r#type, count))
}

fn backend(number: usize) -> Option<Backend> {
    match find(number)? {
        Object::Backend(own) => Some(own),
        _ => None,
    }
}

/// What a descriptor describes, if it is finished.
fn finished(number: usize) -> Option<Arc<Finished>> {
    backend(number)?.finished
}

#[unsafe(no_mangle)]
extern "C" fn cudnnBackendCreateDescriptor(kind: u32, place: *mut usize) -> Status {
    let known = kind <= kind::PLAN || (kind::FORWARD_OPERATION..=kind::TENSOR).contains(&kind);
    if !known {
        return refuse(NOT_SUPPORTED, &format!("a descriptor of kind {kind}"));
    }
    let blank = Backend { kind, attributes: HashMap::new(), finished: None };
    status(create(place, Object::Backend(blank)), "no place for the descriptor")
}

#[unsafe(no_mangle)]
extern "C" fn cudnnBackendDestroyDescriptor(descriptor: usize) -> Status {
    status(destroy(descriptor, |object| matches!(object, Object::Backend(_))), "no such descriptor")
}

/// Reads `count` values.
fn values<T: Copy>(place: *const T, count: i64) -> Vec<T> {
    // SAFETY: by the library's contract there are as many values as the caller says.
    (0..count as usize).filter_map(|i| get(unsafe { place.add(i) })).collect()
}

#[unsafe(no_mangle)]
extern "C" fn cudnnBackendSetAttribute(
    descriptor: usize,
    name: u32,
    r#type: u32,
    count: i64,
    place: *const u8,
) -> Status {
    let Some((kind, expected, counts)) = attribute(name) else {
        return refuse(NOT_SUPPORTED, &format!("attribute {name}"));
    };
    if place.is_null() || r#type != expected || !counts.contains(&count) {
        return refuse(BAD_PARAM, &format!("{count} values of type {} for attribute {name}", r#type));
    }
    let read = match r#type {
        types::INT64 => Values::Integers(values(place.cast(), count)),
        types::FLOAT => Values::Floats(values(place.cast(), count)),
        types::BOOLEAN => Values::Flags(values(place, count)),
        types::HANDLE | types::DESCRIPTOR | types::VOID_PTR => Values::Places(values(place.cast(), count)),
        _ => Values::Numbers(values(place.cast(), count)),
    };
    let changed = change(descriptor, |object| match object {
        Object::Backend(own) if own.kind == kind && own.finished.is_none() => {
            own.attributes.insert(name, read.clone());
            true
        }
        _ => false,
    });
    status(changed, &format!("no descriptor that can have attribute {name}"))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnBackendFinalize(descriptor: usize) -> Status {
    let Some(own) = backend(descriptor).filter(|own| own.finished.is_none()) else {
        return refuse(BAD_PARAM, "no descriptor that can be finished");
    };
    let made = match check::finish(&own) {
        Ok(made) => Arc::new(made),
        Err(status) => return status,
    };
    status(fill(descriptor, own.kind, &made), "no descriptor any more")
}

/// Finishes a descriptor of that kind.
fn fill(descriptor: usize, kind: u32, made: &Arc<Finished>) -> bool {
    change(descriptor, |object| match object {
        Object::Backend(own) if own.kind == kind => {
            own.finished = Some(Arc::clone(made));
            true
        }
        _ => false,
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnBackendGetAttribute(
    descriptor: usize,
    name: u32,
    r#type: u32,
    wanted: i64,
    count: *mut i64,
    place: *mut u8,
) -> Status {
    let Some(own) = finished(descriptor) else {
        return refuse(BAD_PARAM, "a descriptor that is not finished");
    };
    // Descriptors are made by the caller, and filled.
    let filled = |of: &[Finished], kind: u32| {
        let places = values(place.cast_const().cast::<usize>(), wanted.min(of.len() as i64));
        places.iter().zip(of).all(|(place, made)| fill(*place, kind, &Arc::new(made.clone())))
    };
    let (found, done) = match (&*own, name, r#type) {
        (Finished::Heuristics(graph, mode), 202, types::DESCRIPTOR) => {
            let engines = check::engines(graph, *mode);
            let made: Vec<Finished> = engines.into_iter().map(Finished::Configuration).collect();
            (made.len(), wanted == 0 || filled(&made, kind::CONFIGURATION))
        }
        (Finished::Configuration(engine), 300, types::DESCRIPTOR) => {
            (1, filled(&[Finished::Engine(engine.clone())], kind::ENGINE))
        }
        (Finished::Engine(engine), 1303, types::NUMERICAL_NOTE) => {
            let notes = [(engine.tensor_cores, TENSOR_CORE), (!engine.deterministic, NONDETERMINISTIC)];
            let notes: Vec<u32> = notes.into_iter().filter_map(|(has, note)| has.then_some(note)).collect();
            let written = notes.iter().take(wanted as usize).enumerate();
            // SAFETY: by the library's contract there is room for as many values as the caller says.
            let all =
                written.fold(true, |all, (i, note)| all & put(unsafe { place.cast::<u32>().add(i) }, *note));
            (notes.len(), all)
        }
        (Finished::Plan(engine), 402, types::INT64) => (1, put(place.cast(), engine.workspace() as i64)),
        _ => return refuse(NOT_SUPPORTED, &format!("attribute {name} of type {}", r#type)),
    };
    status(done && put(count, found as i64), "no place, or no descriptors, for what is asked for")
}
