// The input's gradient on tensor cores. Writes dx, or adds to it. Blocks: rows of tiles, columns of tiles.
#include "conv_input_gradient.cuh"
#include "tensor.cuh"

extern "C" __global__ void __launch_bounds__(Words<WideTensor, Tf32>::Tile::THREADS) conv_input_gradient_wide_tf32(
    const float* dy, const float* w, const Conv conv, int accumulate, float* dx) {
    __shared__ Words<WideTensor, Tf32>::Shared shared;
    input_gradient<Words<WideTensor, Tf32>>(shared, dy, w, conv, accumulate, dx);
}

extern "C" __global__ void __launch_bounds__(Words<NarrowTensor, Tf32>::Tile::THREADS) conv_input_gradient_narrow_tf32(
    const float* dy, const float* w, const Conv conv, int accumulate, float* dx) {
    __shared__ Words<NarrowTensor, Tf32>::Shared shared;
    input_gradient<Words<NarrowTensor, Tf32>>(shared, dy, w, conv, accumulate, dx);
}

extern "C" __global__ void __launch_bounds__(Words<WideTensor, Bf16>::Tile::THREADS) conv_input_gradient_wide_bf16(
    const Bfloat16* dy, const float* w, const Conv conv, int accumulate, Bfloat16* dx) {
    __shared__ Words<WideTensor, Bf16>::Shared shared;
    input_gradient<Words<WideTensor, Bf16>>(shared, dy, w, conv, accumulate, dx);
}

extern "C" __global__ void __launch_bounds__(Words<NarrowTensor, Bf16>::Tile::THREADS) conv_input_gradient_narrow_bf16(
    const Bfloat16* dy, const float* w, const Conv conv, int accumulate, Bfloat16* dx) {
    __shared__ Words<NarrowTensor, Bf16>::Shared shared;
    input_gradient<Words<NarrowTensor, Bf16>>(shared, dy, w, conv, accumulate, dx);
}
