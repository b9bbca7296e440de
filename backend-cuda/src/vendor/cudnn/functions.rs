//! What is used of the library.

#![allow(unsafe_code, reason = "types of the library's functions")]

use core::ffi::{c_int, c_void};

use cudarc::cudnn::sys::{
    self, cudaStream_t, cudnnBackendAttributeName_t as Attribute,
    cudnnBackendAttributeType_t as AttributeType, cudnnBackendDescriptor_t, cudnnBackendDescriptorType_t,
    cudnnContext, cudnnConvolutionBwdDataAlgo_t as InputAlgorithm,
    cudnnConvolutionBwdFilterAlgo_t as WeightAlgorithm, cudnnConvolutionDescriptor_t,
    cudnnConvolutionFwdAlgo_t as ForwardAlgorithm, cudnnConvolutionMode_t, cudnnDataType_t,
    cudnnFilterDescriptor_t, cudnnMathType_t, cudnnStatus_t, cudnnTensorDescriptor_t, cudnnTensorFormat_t,
};

use crate::vendor::library::functions;

functions! {
    /// Those of convolutions, and of the graph interface.
    Functions -> cudnnStatus_t:
    fn cudnnCreate(*mut *mut cudnnContext);
    fn cudnnDestroy(*mut cudnnContext);
    fn cudnnSetStream(*mut cudnnContext, cudaStream_t);
    fn cudnnCreateTensorDescriptor(*mut cudnnTensorDescriptor_t);
    fn cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t);
    fn cudnnSetTensor4dDescriptor(
        cudnnTensorDescriptor_t, cudnnTensorFormat_t, cudnnDataType_t, c_int, c_int, c_int, c_int,
    );
    fn cudnnCreateFilterDescriptor(*mut cudnnFilterDescriptor_t);
    fn cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t);
    fn cudnnSetFilter4dDescriptor(
        cudnnFilterDescriptor_t, cudnnDataType_t, cudnnTensorFormat_t, c_int, c_int, c_int, c_int,
    );
    fn cudnnCreateConvolutionDescriptor(*mut cudnnConvolutionDescriptor_t);
    fn cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t);
    fn cudnnSetConvolution2dDescriptor(
        cudnnConvolutionDescriptor_t, c_int, c_int, c_int, c_int, c_int, c_int, cudnnConvolutionMode_t, cudnnDataType_t,
    );
    fn cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t, cudnnMathType_t);
    fn cudnnGetConvolution2dForwardOutputDim(
        cudnnConvolutionDescriptor_t, cudnnTensorDescriptor_t, cudnnFilterDescriptor_t, *mut c_int, *mut c_int, *mut c_int,
        *mut c_int,
    );
    fn cudnnGetConvolutionForwardWorkspaceSize(
        *mut cudnnContext, cudnnTensorDescriptor_t, cudnnFilterDescriptor_t, cudnnConvolutionDescriptor_t,
        cudnnTensorDescriptor_t, ForwardAlgorithm, *mut usize,
    );
    fn cudnnGetConvolutionBackwardDataWorkspaceSize(
        *mut cudnnContext, cudnnFilterDescriptor_t, cudnnTensorDescriptor_t, cudnnConvolutionDescriptor_t,
        cudnnTensorDescriptor_t, InputAlgorithm, *mut usize,
    );
    fn cudnnGetConvolutionBackwardFilterWorkspaceSize(
        *mut cudnnContext, cudnnTensorDescriptor_t, cudnnTensorDescriptor_t, cudnnConvolutionDescriptor_t,
        cudnnFilterDescriptor_t, WeightAlgorithm, *mut usize,
    );
    fn cudnnConvolutionForward(
        *mut cudnnContext, *const c_void, cudnnTensorDescriptor_t, *const c_void, cudnnFilterDescriptor_t, *const c_void,
        cudnnConvolutionDescriptor_t, ForwardAlgorithm, *mut c_void, usize, *const c_void, cudnnTensorDescriptor_t,
        *mut c_void,
    );
    fn cudnnConvolutionBackwardData(
        *mut cudnnContext, *const c_void, cudnnFilterDescriptor_t, *const c_void, cudnnTensorDescriptor_t, *const c_void,
        cudnnConvolutionDescriptor_t, InputAlgorithm, *mut c_void, usize, *const c_void, cudnnTensorDescriptor_t,
        *mut c_void,
    );
    fn cudnnConvolutionBackwardFilter(
        *mut cudnnContext, *const c_void, cudnnTensorDescriptor_t, *const c_void, cudnnTensorDescriptor_t, *const c_void,
        cudnnConvolutionDescriptor_t, WeightAlgorithm, *mut c_void, usize, *const c_void, cudnnFilterDescriptor_t,
        *mut c_void,
    );
    fn cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t, *mut cudnnBackendDescriptor_t);
    fn cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t);
    fn cudnnBackendSetAttribute(cudnnBackendDescriptor_t, Attribute, AttributeType, i64, *const c_void);
    fn cudnnBackendGetAttribute(
        cudnnBackendDescriptor_t, Attribute, AttributeType, i64, *mut i64, *mut c_void,
    );
    fn cudnnBackendFinalize(cudnnBackendDescriptor_t);
    fn cudnnBackendExecute(*mut cudnnContext, cudnnBackendDescriptor_t, cudnnBackendDescriptor_t);
}
