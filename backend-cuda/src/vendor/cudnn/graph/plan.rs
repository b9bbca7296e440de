//! How the library executes a graph of operations; equal layers share it.

#![allow(unsafe_code, reason = "vouches for what the library does")]

use core::ffi::c_void;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Name, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind,
};

use super::{
    attribute::{Builder, Handle, Link, read},
    heuristics::{configurations, is_faithful},
    operations::Operations,
};
use crate::{
    Precision, Product,
    geometry::Geometry,
    vendor::{cudnn::Cudnn, descriptor::Descriptor, library::Failure},
};

/// What a graph is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::vendor::cudnn) struct Key {
    pub geometry: Geometry,
    pub precision: Precision,
    pub computed: Computed,
}

/// What it computes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::vendor::cudnn) enum Computed {
    Alone(Product),
    /// Forwards, with the sums of a normalisation behind it, and an addition between the two if `add`.
    WithSums {
        add: bool,
    },
}

/// The plans that somebody uses: the library may compile one for seconds, and a network has many equal layers.
#[derive(Default)]
pub(in crate::vendor::cudnn) struct Plans(Mutex<HashMap<Key, Weak<Plan>>>);

/// A plan; what it is made of goes after it.
pub(in crate::vendor::cudnn) struct Plan {
    pub plan: Descriptor<c_void>,
    /// Bytes.
    pub workspace: usize,
    _configuration: Descriptor<c_void>,
    _graph: Descriptor<c_void>,
    _operations: Operations,
}

// SAFETY: the library reads a finished plan in calls only, whatever the thread, and nobody changes it.
unsafe impl Sync for Plan {}

impl Plans {
    pub fn get(&self, library: &Cudnn, key: Key) -> Result<Arc<Plan>, Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(plan);
        }
        let plan = Arc::new(Plan::new(library, &key)?);
        known.retain(|_, plan| plan.strong_count() > 0);
        known.insert(key, Arc::downgrade(&plan));
        Ok(plan)
    }
}

impl Plan {
    /// The first engine that computes as it should and takes the graph.
    fn new(library: &Cudnn, key: &Key) -> Result<Self, Failure> {
        let operations = Operations::new(library, key)?;
        let handle = library.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let graph = Builder::new(library, Kind::CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_OPERATIONGRAPH_HANDLE, &[Handle(handle.0)])?
            .set(Name::CUDNN_ATTR_OPERATIONGRAPH_OPS, &operations.links())?
            .finish()?;
        let mut refusal =
            library.failure("cudnnBackendGetAttribute", "no engine for the graph".to_owned(), true);
        for configuration in configurations(library, &graph)? {
            if !is_faithful(library, &configuration, key.precision)? {
                continue;
            }
            let plan = Builder::new(library, Kind::CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)?
                .set(Name::CUDNN_ATTR_EXECUTION_PLAN_HANDLE, &[Handle(handle.0)])?
                .set(Name::CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, &[Link(configuration.raw())])?
                .finish();
            let plan = match plan {
                Ok(plan) => plan,
                Err(failure) if failure.unsupported => {
                    refusal = failure;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let mut workspace = [0i64];
            let size = (Name::CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, Type::CUDNN_TYPE_INT64);
            read(library, &plan, size, &mut workspace)?;
            return Ok(Self {
                plan,
                workspace: usize::try_from(workspace[0]).unwrap_or(usize::MAX),
                _configuration: configuration,
                _graph: graph,
                _operations: operations,
            });
        }
        Err(refusal)
    }
}
