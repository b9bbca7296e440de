// The filters' gradient on tensor cores. Blocks: rows of tiles, columns of tiles, slices.
#include "conv_weight_gradient.cuh"
#include "tensor.cuh"

extern "C" __global__ void __launch_bounds__(Words<WideTensor, Tf32>::Tile::THREADS) conv_weight_gradient_wide_tf32(
    const float* x, const float* dy, const Conv conv, unsigned int slice, float* dw) {
    __shared__ Words<WideTensor, Tf32>::Shared shared;
    weight_gradient<Words<WideTensor, Tf32>>(shared, x, dy, conv, slice, dw);
}

extern "C" __global__ void __launch_bounds__(Words<NarrowTensor, Tf32>::Tile::THREADS) conv_weight_gradient_narrow_tf32(
    const float* x, const float* dy, const Conv conv, unsigned int slice, float* dw) {
    __shared__ Words<NarrowTensor, Tf32>::Shared shared;
    weight_gradient<Words<NarrowTensor, Tf32>>(shared, x, dy, conv, slice, dw);
}

extern "C" __global__ void __launch_bounds__(Words<WideTensor, Bf16>::Tile::THREADS) conv_weight_gradient_wide_bf16(
    const Bfloat16* x, const Bfloat16* dy, const Conv conv, unsigned int slice, float* dw) {
    __shared__ Words<WideTensor, Bf16>::Shared shared;
    weight_gradient<Words<WideTensor, Bf16>>(shared, x, dy, conv, slice, dw);
}

extern "C" __global__ void __launch_bounds__(Words<NarrowTensor, Bf16>::Tile::THREADS) conv_weight_gradient_narrow_bf16(
    const Bfloat16* x, const Bfloat16* dy, const Conv conv, unsigned int slice, float* dw) {
    __shared__ Words<NarrowTensor, Bf16>::Shared shared;
    weight_gradient<Words<NarrowTensor, Bf16>>(shared, x, dy, conv, slice, dw);
}
