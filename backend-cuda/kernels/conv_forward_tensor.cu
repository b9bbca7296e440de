// The forward product on tensor cores. `bias` may be null. Blocks: rows of tiles, columns of tiles.
#include "conv_forward.cuh"
#include "tensor.cuh"

extern "C" __global__ void __launch_bounds__(Words<WideTensor, Tf32>::Tile::THREADS) conv_forward_wide_tf32(
    const float* x, const float* w, const float* bias, const Conv conv, float* y) {
    __shared__ Words<WideTensor, Tf32>::Shared shared;
    forward<Words<WideTensor, Tf32>>(shared, x, w, bias, conv, y);
}

extern "C" __global__ void __launch_bounds__(Words<NarrowTensor, Tf32>::Tile::THREADS) conv_forward_narrow_tf32(
    const float* x, const float* w, const float* bias, const Conv conv, float* y) {
    __shared__ Words<NarrowTensor, Tf32>::Shared shared;
    forward<Words<NarrowTensor, Tf32>>(shared, x, w, bias, conv, y);
}

extern "C" __global__ void __launch_bounds__(Words<WideTensor, Bf16>::Tile::THREADS) conv_forward_wide_bf16(
    const Bfloat16* x, const float* w, const float* bias, const Conv conv, Bfloat16* y) {
    __shared__ Words<WideTensor, Bf16>::Shared shared;
    forward<Words<WideTensor, Bf16>>(shared, x, w, bias, conv, y);
}

extern "C" __global__ void __launch_bounds__(Words<NarrowTensor, Bf16>::Tile::THREADS) conv_forward_narrow_bf16(
    const Bfloat16* x, const float* w, const float* bias, const Conv conv, Bfloat16* y) {
    __shared__ Words<NarrowTensor, Bf16>::Shared shared;
    forward<Words<NarrowTensor, Bf16>>(shared, x, w, bias, conv, y);
}
