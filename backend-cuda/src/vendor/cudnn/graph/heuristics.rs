//! Which engines the library has for a graph of operations, in the order that it recommends.

use core::ffi::c_void;

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Name, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind, cudnnBackendHeurMode_t as Mode,
    cudnnBackendNumericalNote_t as Note,
};

use super::attribute::{Builder, Link, blank, read};
use crate::{
    Precision,
    vendor::{cudnn::Cudnn, descriptor::Descriptor, library::Failure},
};

/// First what is fast, then what has been kept for graphs that the former knows nothing of.
const MODES: [Mode; 2] = [Mode::CUDNN_HEUR_MODE_A, Mode::CUDNN_HEUR_MODE_FALLBACK];

/// Of an engine whose bits differ from run to run.
const NONDETERMINISTIC: u32 = Note::CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC as u32;
/// Of one that lets NaN through, which all should: the only note on one that multiplies and adds floats as they are.
const STRICT: u32 = Note::CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP as u32;

/// More notes than there are.
const NOTES: usize = 32;

/// Configurations of engines for a graph, the recommended first. Heuristics that know none are no failure.
pub(super) fn configurations(
    library: &Cudnn,
    graph: &Descriptor<c_void>,
) -> Result<Vec<Descriptor<c_void>>, Failure> {
    let mut all = Vec::new();
    for mode in MODES {
        match of_mode(library, graph, mode) {
            Ok(found) => all.extend(found),
            Err(failure) if failure.unsupported => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(all)
}

fn of_mode(
    library: &Cudnn,
    graph: &Descriptor<c_void>,
    mode: Mode,
) -> Result<Vec<Descriptor<c_void>>, Failure> {
    const RESULTS: (Name, Type) = (Name::CUDNN_ATTR_ENGINEHEUR_RESULTS, Type::CUDNN_TYPE_BACKEND_DESCRIPTOR);
    let heuristics = Builder::new(library, Kind::CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)?
        .set(Name::CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, &[Link(graph.raw())])?
        .set(Name::CUDNN_ATTR_ENGINEHEUR_MODE, &[mode])?
        .finish()?;
    let count = read::<*mut c_void>(library, &heuristics, RESULTS, &mut [])?;
    let configurations: Result<Vec<_>, _> =
        (0..count).map(|_| blank(library, Kind::CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)).collect();
    let mut configurations = configurations?;
    let mut places: Vec<_> = configurations.iter().map(Descriptor::raw).collect();
    let found = read(library, &heuristics, RESULTS, &mut places)?;
    configurations.truncate(found);
    Ok(configurations)
}

/// Whether an engine gives the same bits each time, and multiplies floats as they are where that is the precision.
pub(super) fn is_faithful(
    library: &Cudnn,
    configuration: &Descriptor<c_void>,
    precision: Precision,
) -> Result<bool, Failure> {
    let engine = blank(library, Kind::CUDNN_BACKEND_ENGINE_DESCRIPTOR)?;
    let place = (Name::CUDNN_ATTR_ENGINECFG_ENGINE, Type::CUDNN_TYPE_BACKEND_DESCRIPTOR);
    read(library, configuration, place, &mut [engine.raw()])?;
    // Numbers, for a newer library may have notes that are no value of the enumeration.
    let mut notes = [u32::MAX; NOTES];
    let note = (Name::CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, Type::CUDNN_TYPE_NUMERICAL_NOTE);
    let count = read(library, &engine, note, &mut notes)?;
    let notes = &notes[..count.min(NOTES)];
    Ok(match precision {
        // Tensor cores, transforms and whatever else has a note round in another way.
        Precision::Single => notes.iter().all(|note| *note == STRICT),
        Precision::Tf32 | Precision::Bf16 => !notes.contains(&NONDETERMINISTIC),
    })
}
