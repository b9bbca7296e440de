//! Descriptors of the graph interface while they are made: attributes with their types, and errors that name them.

#![allow(unsafe_code, reason = "calls of the library")]

use core::{ffi::c_void, ptr::null_mut};

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Name, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind, cudnnBackendHeurMode_t, cudnnContext, cudnnConvolutionMode_t,
    cudnnDataType_t, cudnnGenStatsMode_t, cudnnPointwiseMode_t,
};

use crate::vendor::{cudnn::Cudnn, descriptor::Descriptor, library::Failure};

/// What an attribute may have as a value.
///
/// # Safety
/// A value is laid out as the library's header has those of [`Attribute::TYPE`].
pub(super) unsafe trait Attribute: Copy {
    const TYPE: Type;
}

/// Another descriptor. It must live for as long as what is made of it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Link(pub *mut c_void);

/// The library's handle.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Handle(pub *mut cudnnContext);

/// Where a tensor or a workspace is on the device.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Address(pub *mut c_void);

macro_rules! attributes {
    ($($Value:ty: $TYPE:ident;)*) => { $(
        // SAFETY: the header's type, or one that is laid out as it.
        unsafe impl Attribute for $Value {
            const TYPE: Type = Type::$TYPE;
        }
    )* };
}

attributes! {
    i64: CUDNN_TYPE_INT64;
    f32: CUDNN_TYPE_FLOAT;
    bool: CUDNN_TYPE_BOOLEAN;
    Link: CUDNN_TYPE_BACKEND_DESCRIPTOR;
    Handle: CUDNN_TYPE_HANDLE;
    Address: CUDNN_TYPE_VOID_PTR;
    cudnnDataType_t: CUDNN_TYPE_DATA_TYPE;
    cudnnConvolutionMode_t: CUDNN_TYPE_CONVOLUTION_MODE;
    cudnnPointwiseMode_t: CUDNN_TYPE_POINTWISE_MODE;
    cudnnGenStatsMode_t: CUDNN_TYPE_GENSTATS_MODE;
    cudnnBackendHeurMode_t: CUDNN_TYPE_HEUR_MODE;
}

/// A descriptor that is not finished.
pub(super) struct Builder<'a> {
    library: &'a Cudnn,
    kind: Kind,
    own: Descriptor<c_void>,
}

impl<'a> Builder<'a> {
    pub fn new(library: &'a Cudnn, kind: Kind) -> Result<Self, Failure> {
        let functions = library.functions;
        // SAFETY: the pair belongs together, and the place is that of a descriptor.
        let own = unsafe {
            Descriptor::new(
                |place| (functions.cudnnBackendCreateDescriptor)(kind, place),
                functions.cudnnBackendDestroyDescriptor,
            )
        };
        let own = own.map_err(|status| {
            refused(library, "cudnnBackendCreateDescriptor", status, &format!("{kind:?}"))
        })?;
        Ok(Self { library, kind, own })
    }

    /// Sets an attribute to its values, one or more.
    pub fn set<T: Attribute>(self, name: Name, values: &[T]) -> Result<Self, Failure> {
        let set = self.library.functions.cudnnBackendSetAttribute;
        // SAFETY: the descriptor is alive; by the trait's promise the values are what their type says.
        let status =
            unsafe { set(self.own.raw(), name, T::TYPE, values.len() as i64, values.as_ptr().cast()) };
        match status {
            0 => Ok(self),
            _ => {
                let what = format!("{name:?} of {:?}", self.kind);
                Err(refused(self.library, "cudnnBackendSetAttribute", status, &what))
            }
        }
    }

    /// The descriptor, which can't be changed any more: here the library says whether it has what is described.
    pub fn finish(self) -> Result<Descriptor<c_void>, Failure> {
        // SAFETY: the descriptor is alive.
        match unsafe { (self.library.functions.cudnnBackendFinalize)(self.own.raw()) } {
            0 => Ok(self.own),
            status => Err(refused(self.library, "cudnnBackendFinalize", status, &format!("{:?}", self.kind))),
        }
    }
}

/// Reads as many values of an attribute as there is room for; how many there are. Descriptors among them are made beforehand, by
/// [`blank`].
pub(super) fn read<T: Copy>(
    library: &Cudnn,
    from: &Descriptor<c_void>,
    (name, r#type): (Name, Type),
    values: &mut [T],
) -> Result<usize, Failure> {
    let mut count = 0i64;
    let place = if values.is_empty() { null_mut() } else { values.as_mut_ptr().cast() };
    let get = library.functions.cudnnBackendGetAttribute;
    // SAFETY: the descriptor is alive, and there is room for as many values as are asked for.
    match unsafe { get(from.raw(), name, r#type, values.len() as i64, &mut count, place) } {
        0 => Ok(usize::try_from(count).unwrap_or(0)),
        status => Err(refused(library, "cudnnBackendGetAttribute", status, &format!("{name:?}"))),
    }
}

/// A descriptor that the library fills.
pub(super) fn blank(library: &Cudnn, kind: Kind) -> Result<Descriptor<c_void>, Failure> {
    Builder::new(library, kind).map(|builder| builder.own)
}

/// A failure that says which attribute or descriptor it was.
fn refused(library: &Cudnn, function: &'static str, status: u32, what: &str) -> Failure {
    match library.check(function, status) {
        Err(mut failure) => {
            failure.status = format!("{}: {what}", failure.status);
            failure
        }
        Ok(()) => library.failure(function, format!("nothing made: {what}"), false),
    }
}
